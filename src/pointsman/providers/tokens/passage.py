"""Lets in what is passed on to a resource that is reached with a credential instead of a key."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Ask, Operation, Outbound
from pointsman.providers.tokens.credential import Credential

__all__ = ["CredentialSigner"]

_NOTHING: Final = Ask(Operation.PASS_THROUGH, "", {})
_OF_KEYS: Final = frozenset({"api-key", "authorization"})


class CredentialSigner:
    """See :class:`pointsman.providers.pass_through.PassageSigner`; for resources that are reached with a token."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def signed(self, outbound: Outbound) -> Outbound:
        """See the protocol."""
        await self._credential.prepare(_NOTHING)
        kept = tuple((name, value) for name, value in outbound.headers if name.lower() not in _OF_KEYS)
        return msgspec.structs.replace(outbound, headers=(*kept, *self._credential.headers()))

    def answered(self, status: int, _body: bytes) -> None:
        """See the protocol."""
        self._credential.answered(status)
