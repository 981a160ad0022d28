"""The rest of an answer, without what was told before."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pointsman.core.content import Citation
from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import (
    Cited,
    Event,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallStarted,
    UsageReported,
)  # fmt: skip
from pointsman.core.usage import Usage
from pointsman.providers.continuing.splice import Seam, SplicedReader, SummingWriter

TEXT = "Once upon a time "


def told(pieces: Iterable[str], text: str = TEXT) -> str:
    seam = Seam(text)
    return "".join([*(seam.feed(piece) for piece in pieces), seam.end()])


@pytest.mark.parametrize(
    ("pieces", "new"),
    [
        (["there ", "was"], "there was"),
        ([" there"], "there"),
        ([" ", " there"], " there"),
        (["Once upon a time", " there"], "there"),
        (list("Once upon a time there"), "there"),
        (["Once upon", " an hour"], "Once upon an hour"),
        (["Once"], "Once"),
        (["", "", "x"], "x"),
        ([TEXT.rstrip() + " "], ""),
        ([], ""),
    ],
)
def test_only_what_is_new(pieces: list[str], new: str) -> None:
    assert told(pieces) == new


class Reader:
    """Gives some events at once, and some at the end."""

    def __init__(self, first: list[Event], last: list[Event]) -> None:
        self._first, self._last = first, last

    def feed(self, frame: bytes) -> list[Event]:
        return self._first

    def end(self) -> list[Event]:
        return self._last


class Writer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.usage: Usage | None = None

    def write(self, events: Iterable[Event]) -> bytes:
        self.events += events
        return b"written"

    def end(self, usage: Usage | None = None) -> bytes:
        self.usage = usage
        return b"ended"

    def fail(self, error: GatewayError) -> bytes:
        return error.message.encode()


def test_the_beginning_and_thoughts_are_left_out_and_citations_are_moved() -> None:
    cited = Cited(Citation(url="https://a.example", start=1, end=4))
    call = ToolCallStarted(0, "call_1", "look")
    begun: list[Event] = [Started("id", "m", 1), ThinkingDelta("Hm."), TextDelta("was"), cited, call]
    reader = SplicedReader(Reader(begun, [Finished("stop"), UsageReported(Usage(1, 2))]), "It ")
    moved = Cited(Citation(url="https://a.example", start=4, end=7))
    assert reader.feed(b"") == [TextDelta("was"), moved, call]
    assert reader.end() == [Finished("stop"), UsageReported(Usage(1, 2))]


def test_what_was_held_back_comes_before_the_end() -> None:
    reader = SplicedReader(Reader([TextDelta("On")], [Finished("stop")]), "Once")
    assert reader.feed(b"") == []
    assert reader.end() == [TextDelta("On"), Finished("stop")]


def test_usage_is_that_of_both() -> None:
    inner, before = Writer(), Usage(10, 3, source="estimated")
    writer = SummingWriter(inner, before)
    assert writer.write([UsageReported(Usage(12, 5, source="measured"))]) == b"written"
    assert inner.events == [UsageReported(Usage(22, 8, source="estimated"))]
    assert writer.end(Usage(1, 1, source="measured")) == b"ended"
    assert inner.usage == Usage(11, 4, source="estimated")
    writer.end()
    assert inner.usage == before
    assert writer.fail(Broken("cut")) == b"cut"
