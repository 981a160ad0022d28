"""Events as any provider gives them, and a clock that stands where it is put."""

from __future__ import annotations

from hypothesis import strategies as st

from pointsman.core.events import (
    Event,
    Finished,
    FinishReason,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage

__all__ = ["NOW", "STAMP", "SetClock", "answers"]

NOW = 1787306400.25
STAMP = "2026-08-21T10:00:00.250000000Z"

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
MILLISECONDS = st.integers(1, 9_999).map(float)


class SetClock:
    """A clock that shows what it is told to show."""

    def __init__(self, wall: float = NOW, monotonic: float = 0.0) -> None:
        self.wall_seconds = wall
        self.monotonic_seconds = monotonic

    def wall(self) -> float:
        return self.wall_seconds

    def monotonic(self) -> float:
        return self.monotonic_seconds


@st.composite
def answers(draw: st.DrawFn, *, model: str = "m") -> list[Event]:
    """A whole answer in the order in which Ollama gives one: thinking and text in pieces, then whole tool calls."""
    events: list[Event] = [Started("chatcmpl-1", model, int(NOW))]
    events += [ThinkingDelta(text) for text in draw(st.lists(WORDS, max_size=3))]
    events += [TextDelta(text) for text in draw(st.lists(WORDS, max_size=4))]
    names = draw(st.lists(WORDS, max_size=3))
    for slot, name in enumerate(names):
        arguments = draw(st.sampled_from(["{}", '{"a":1}', '{"a":{"b":["c",null]}}']))
        events += [ToolCallStarted(slot, f"call_{slot}", name), ToolCallDelta(slot, arguments)]
    natural: FinishReason = "tool_calls" if names else "stop"
    events.append(Finished(draw(st.sampled_from([natural, "length"]))))
    usage = Usage(draw(st.integers(1, 9_999)), draw(st.integers(1, 9_999)), source="measured")
    events.append(UsageReported(usage, draw(MILLISECONDS), draw(MILLISECONDS), draw(MILLISECONDS)))
    if not any(isinstance(event, TextDelta | ThinkingDelta | ToolCallStarted) for event in events):
        events.insert(1, TextDelta("x"))
    return events
