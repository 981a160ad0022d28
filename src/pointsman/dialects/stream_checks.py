"""What the checkers of all dialects' stream grammars have in common: counting, objecting, and taking a stream apart.

The rules of each dialect stand in its ``grammar`` module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from pointsman.core.errors import Broken
from pointsman.wire.sse import ServerSentEvent, SseParser

__all__ = ["UNREADABLE", "EventStreamChecker", "StreamChecker", "Violation", "is_json_object"]

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises for data that is not what it should be."""

Said = TypeVar("Said")

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def is_json_object(text: str) -> bool:
    """Whether the text is a JSON object, as a tool call's arguments have to be."""
    try:
        _decode_object(text)
    except UNREADABLE:
        return False
    return True


class Violation(msgspec.Struct, frozen=True):
    """One thing that is wrong with a stream. As text it is its place and what was found there.

    Attributes:
        found: What is wrong, in words.
        expected: What the grammar wants there, in words.
        piece: What the stream consists of: ``event`` or ``line``.
        number: Which of these it is about, counted from 1; None where it is about the stream as a whole.
    """

    found: str
    expected: str
    piece: str = "event"
    number: int | None = None

    def __str__(self) -> str:
        return self.found if self.number is None else f"{self.piece} {self.number}: {self.found}"


class StreamChecker:
    """Holds what was wrong with one stream, in ``found``."""

    piece = "event"
    """What the stream consists of, as the words call it."""

    def __init__(self) -> None:
        self.found: list[Violation] = []
        self._taken = 0
        self._failed = False

    def miss(self, text: str, expected: str) -> None:
        """Something is wrong with the stream as a whole."""
        self.found.append(Violation(text, expected, self.piece))

    def _object(self, text: str, expected: str) -> None:
        self.found.append(Violation(text, expected, self.piece, self._taken))

    def _read(
        self, data: bytes, decode: Callable[[bytes], Said], decode_failure: Callable[[bytes], object], what: str
    ) -> Said | None:
        """What a piece says; None where it tells that the stream failed, or says nothing that can be understood."""
        try:
            return decode(data)
        except UNREADABLE as problem:
            try:
                decode_failure(data)
            except UNREADABLE:
                self._object(f"neither {what} nor an error: {problem}", f"{what}, or an error object")
            else:
                self._failed = True
            return None


class EventStreamChecker(StreamChecker, ABC):
    """Checks a stream of server-sent events."""

    @abstractmethod
    def take(self, event: ServerSentEvent) -> None:
        """One event."""

    @abstractmethod
    def finish(self) -> None:
        """The end of the stream."""

    def check(self, stream: bytes) -> list[Violation]:
        """What is wrong with a whole stream; empty if nothing is."""
        parser = SseParser()
        try:
            events = parser.feed(stream)
            rest = parser.end()
        except Broken as problem:
            return [Violation(problem.message, "shorter events")]
        for event in events:
            self.take(event)
        if rest:
            self.miss("the last event is not closed by an empty line", "an empty line after every event")
        self.finish()
        return self.found
