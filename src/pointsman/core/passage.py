"""A request for a provider's own API, under ``/{provider}/…``, on its way there as it came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from pointsman.core.errors import NotFound
from pointsman.core.exchange import Inbound
from pointsman.core.upstream import Answer, Ask, Deployment, Outbound

__all__ = ["NoPassages", "Passage", "Passages"]


class Passage(msgspec.Struct, frozen=True):
    """Where it goes, what is sent, and who reads the answer. ``ask.model`` is empty where the request names none.

    ``works`` tells whether the provider works with a model for it. ``spellings`` are all the paths of ours that lead
    there. ``signed`` gives the request with what lets it in, where more is needed than a key; it raises a GatewayError
    where that is not to be had.
    """

    ask: Ask
    deployment: Deployment
    outbound: Outbound
    answer: Answer
    spellings: tuple[str, ...] = ()
    works: bool = True
    signed: Callable[[], Awaitable[Outbound]] | None = None


class Passages(Protocol):
    """Knows the providers' own APIs."""

    def passage(self, inbound: Inbound) -> Passage:
        """The way of a request, whose ``head.path_model`` is provider, path and query.

        Raises:
            NotFound: nothing is known of the provider, or there are no credentials for it.
            Malformed: the path could be meant to leave the provider's API.
        """
        ...

    def returned(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The header lines of a provider's answer that a client may see."""
        ...


class NoPassages:
    """Where nothing is passed through."""

    def passage(self, inbound: Inbound) -> Passage:
        """See the protocol."""
        path = (inbound.head.path_model or "").partition("?")[0]
        message = f"Nothing is passed through here: /{path}."
        raise NotFound(message)

    def returned(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """See the protocol."""
        return b""
