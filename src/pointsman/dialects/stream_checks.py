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

__all__ = ["UNREADABLE", "EventStreamChecker", "StreamChecker", "is_json_object"]

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


class StreamChecker:
    """Holds what was wrong with one stream. ``found`` has it in words, each with its place."""

    piece = "event"
    """What the stream consists of, as the words call it."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._taken = 0
        self._failed = False

    def _object(self, text: str) -> None:
        self.found.append(f"{self.piece} {self._taken}: {text}")

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
                self._object(f"neither {what} nor an error: {problem}")
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

    def check(self, stream: bytes) -> list[str]:
        """What is wrong with a whole stream, in words; empty if nothing is."""
        parser = SseParser()
        try:
            events = parser.feed(stream)
            rest = parser.end()
        except Broken as problem:
            return [problem.message]
        for event in events:
            self.take(event)
        if rest:
            self.found.append("the last event is not closed by an empty line")
        self.finish()
        return self.found
