"""What lets requests for a cloud's own API in, where that is more than a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pointsman.core.upstream import Deployment, Outbound

__all__ = ["PassageSigner", "SignerMaker"]


class PassageSigner(Protocol):
    """Lets in what is sent to one deployment's cloud."""

    async def signed(self, outbound: Outbound) -> Outbound:
        """The request as it is sent: in the operator's own place, with what lets it in.

        Raises:
            GatewayError: that is not to be had, or the path leads elsewhere.
        """
        ...

    def answered(self, status: int, body: bytes) -> None:
        """The cloud answered with an error status."""
        ...


SignerMaker = Callable[[Deployment], PassageSigner | None]
"""None: a key is all that it takes."""
