"""The rest of an answer, told so that its client sees no seam."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.events import (
    Cited,
    Event,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.providers.translated.sides import EventReader, EventWriter

__all__ = ["Seam", "SplicedReader", "SummingWriter"]


class Seam:
    """Leaves out what was told already: the whole ``text``, if it comes again, and white space at its end."""

    __slots__ = ("_echo", "_held", "_space", "shift")

    def __init__(self, text: str) -> None:
        self._echo = text.rstrip()
        self._held = ""
        self._space = text[len(self._echo) :]
        self.shift = len(text)

    def feed(self, piece: str) -> str:
        """What of some more text is new."""
        if self._echo:
            piece = self._held + piece
            if len(piece) < len(self._echo) and self._echo.startswith(piece):
                self._held = piece
                return ""
            piece = self._without_echo(piece)
        return self._without_space(piece) if self._space else piece

    def end(self) -> str:
        """What was held back, and is no repetition."""
        held, self._held, self._echo = self._held, "", ""
        return self._without_space(held)

    def _without_echo(self, piece: str) -> str:
        if piece.startswith(self._echo):
            piece = piece[len(self._echo) :]
            self.shift -= len(self._echo)
        self._held = self._echo = ""
        return piece

    def _without_space(self, piece: str) -> str:
        pairs = zip(piece, self._space, strict=False)
        again = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._space = self._space[again:] if again == len(piece) else ""
        self.shift -= again
        return piece[again:]


class SplicedReader:
    """See :class:`~pointsman.providers.translated.sides.EventReader`; the one inside reads the rest after ``text``.

    It has begun already, and thinking comes before an answer and not in the middle.
    """

    def __init__(self, inner: EventReader, text: str) -> None:
        self._inner = inner
        self._seam = Seam(text)

    def feed(self, frame: bytes) -> list[Event]:
        """See the protocol."""
        return self._spliced(self._inner.feed(frame))

    def end(self) -> list[Event]:
        """See the protocol."""
        return self._spliced(self._inner.end())

    def _spliced(self, events: Iterable[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, (Started, ThinkingDelta, ThinkingSigned)):
                continue
            if isinstance(event, TextDelta):
                text = self._seam.feed(event.text)
            else:
                text = "" if isinstance(event, UsageReported) else self._seam.end()
            if text:
                out.append(TextDelta(text))
            if isinstance(event, Cited):
                out.append(self._moved(event))
            elif not isinstance(event, TextDelta):
                out.append(event)
        return out

    def _moved(self, event: Cited) -> Cited:
        """A citation of words that stand further behind, now."""
        citation, shift = event.citation, self._seam.shift
        start = None if citation.start is None else citation.start + shift
        end = None if citation.end is None else citation.end + shift
        return Cited(msgspec.structs.replace(citation, start=start, end=end), event.choice)


class SummingWriter:
    """See :class:`~pointsman.providers.translated.sides.EventWriter`; it tells the client what both parts took."""

    def __init__(self, inner: EventWriter, before: Usage) -> None:
        self._inner = inner
        self._before = before

    def write(self, events: Iterable[Event]) -> bytes:
        """See the protocol."""
        return self._inner.write([self._summed(event) for event in events])

    def end(self, usage: Usage | None = None) -> bytes:
        """See the protocol."""
        return self._inner.end(self._before if usage is None else usage.plus(self._before))

    def fail(self, error: GatewayError) -> bytes:
        """See the protocol."""
        return self._inner.fail(error)

    def _summed(self, event: Event) -> Event:
        if isinstance(event, UsageReported):
            return msgspec.structs.replace(event, usage=event.usage.plus(self._before))
        return event
