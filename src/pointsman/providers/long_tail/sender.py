"""Sends what is for a provider of the long tail through LiteLLM's library, and everything else as always."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Unreachable
from pointsman.core.flight import Flight, Sender
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment, Outbound
from pointsman.providers.long_tail.flight import LibraryFlight
from pointsman.providers.long_tail.library import Loading
from pointsman.providers.registry import find_provider

__all__ = ["LongTailSender"]

_CALLS_MAX: Final = 256
"""Calls of the library under way at once; it is not made for more."""


class LongTailSender:
    """See :class:`pointsman.core.flight.Sender`; ``usual`` sends what the library is not needed for."""

    def __init__(self, usual: Sender, nursery: Nursery, silence_seconds: float) -> None:
        self._usual = usual
        self._loading = Loading(nursery)
        self._loading.begin()
        self._nursery = nursery
        self._silence_seconds = silence_seconds

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> Flight:
        """See the protocol.

        Raises:
            Unreachable: too many calls of the library are under way.
        """
        provider = find_provider(deployment.provider)
        if provider is None or not provider.long_tail:
            return self._usual.send(deployment, outbound, stream=stream)
        if len(self._nursery) >= _CALLS_MAX:
            raise Unreachable("Too many calls through LiteLLM's library are under way.", hint="Try again later.")
        return LibraryFlight(
            self._loading, self._nursery, deployment, outbound, stream=stream, silence_seconds=self._silence_seconds
        )
