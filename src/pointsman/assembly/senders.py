"""Who sends requests: the transport, and before it whoever answers for upstreams that are reached otherwise."""

from __future__ import annotations

from pointsman.core.flight import Sender
from pointsman.core.nursery import Nursery
from pointsman.providers.long_tail import LongTailSender
from pointsman.providers.mocked import MockSender

__all__ = ["Senders"]


class Senders:
    """Those of one worker. What nothing configured needs is not in the way, and LiteLLM's library not imported."""

    def __init__(self, usual: Sender, library_calls: Nursery) -> None:
        self._usual = usual
        self._library_calls = library_calls
        self._has_library = False
        self._mocking: MockSender | None = None

    def sender(self, *, long_tail: bool, mocked: bool, silence_seconds: float) -> Sender:
        """The one for what is configured; the same object as before where nothing has changed.

        ``long_tail``: something is reached through LiteLLM's library, which begins to be imported then, and stays;
        ``silence_seconds`` of it are told to a streaming client. ``mocked``: something is answered without an upstream.
        """
        if long_tail and not self._has_library:
            self._usual, self._mocking = LongTailSender(self._usual, self._library_calls, silence_seconds), None
            self._has_library = True
        if not mocked:
            return self._usual
        self._mocking = self._mocking or MockSender(self._usual)
        return self._mocking

    async def close(self) -> None:
        """Break off the library's calls."""
        await self._library_calls.close()
