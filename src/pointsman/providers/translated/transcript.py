"""What a client has of an answer that may be cut off, so that another upstream can go on from there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pointsman.core.events import Cited, Event, Failed, LogprobsDelta, Started, TextDelta, UsageReported

__all__ = ["Transcript"]

_CHARACTERS_MAX: Final = 2_000_000
"""A longer text is not kept, and not continued."""
_CHARACTERS_PER_TOKEN: Final = 4


class Transcript:
    """The text of the first choice. ``is_plain`` while the answer was nothing but that, and not complete.

    ``started`` is how the answer began, None before.
    """

    __slots__ = ("_pieces", "_size", "is_plain", "started")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self.is_plain = True
        self.started: Started | None = None

    @property
    def text(self) -> str:
        """So far."""
        return "".join(self._pieces)

    @property
    def tokens(self) -> int:
        """About so many; most servers send one piece for each."""
        return max(len(self._pieces), -(-self._size // _CHARACTERS_PER_TOKEN))

    def note(self, events: Iterable[Event]) -> None:
        """The client has these, too."""
        for event in events:
            if isinstance(event, TextDelta) and not event.choice and self.is_plain:
                self._pieces.append(event.text)
                self._size += len(event.text)
                self.is_plain = self._size <= _CHARACTERS_MAX
            elif isinstance(event, Started):
                self.started = event
            elif not isinstance(event, (UsageReported, LogprobsDelta, Cited, Failed)):
                # A tool call cannot be begun twice, a signed thought not be taken up by another model.
                self.is_plain = False
                self._pieces.clear()
