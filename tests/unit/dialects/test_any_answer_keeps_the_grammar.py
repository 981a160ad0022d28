"""Whatever an answer is made of, every client dialect tells it within its grammar, and streamed as it does whole."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.content import Citation, Image, ServerToolUse
from pointsman.core.events import (
    Cited,
    CodeDelta,
    Event,
    Finished,
    FinishReason,
    PartGiven,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.folding import fold
from tests.golden_matrix.clients import CLIENT_ROWS, Client
from tests.golden_matrix.plays import body_of, fixed_chance

LATE_SOURCES = re.compile(r"Sources:(\n- \[\w+\]\(https://\S+\))+$")
WORDS = st.text("aé\n{}`\U0001f40b", min_size=1, max_size=8)
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PAGES = st.builds(Citation, st.just("https://a.example/"), WORDS)


@st.composite
def uses(draw: st.DrawFn, number: int, at: int) -> ServerToolUse:
    kind = draw(st.sampled_from(["code", "search", "other"]))
    if kind == "search":
        return ServerToolUse(
            f"use{number}", "search", draw(WORDS), found=tuple(draw(st.lists(PAGES, max_size=2))), at=at
        )
    if kind == "other":
        return ServerToolUse(f"use{number}", "other", at=at)
    return ServerToolUse(f"use{number}", "code", draw(WORDS), "python", draw(WORDS), at=at)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Events in an order that the vocabulary allows; calls come after everything else, as models have them."""
    events: list[Event] = [Started("a1", "m", 1)]
    characters = 0
    for number in range(draw(st.integers(0, 6))):
        match draw(st.sampled_from(["text", "thought", "tool", "image", "source", "refusal"])):
            case "text":
                text = draw(WORDS)
                characters += len(text)
                events.append(TextDelta(text))
            case "thought":
                events += [ThinkingDelta(draw(WORDS)), ThinkingSigned(f"c2ln{number:04d}")]
            case "tool":
                use = draw(uses(number, characters))
                if use.kind == "code" and draw(st.booleans()):
                    events += [
                        *(CodeDelta(msgspec.structs.replace(use, input=piece)) for piece in use.input),
                        CodeDelta(msgspec.structs.replace(use, input=""), complete=True),
                    ]
                events.append(PartGiven(use))
            case "image":
                events.append(PartGiven(Image(PICTURE, "image/png")))
            case "source" if characters:
                start = draw(st.integers(0, characters - 1))
                end = draw(st.integers(start + 1, characters))
                events.append(Cited(Citation("https://b.example/", "b", start=start, end=end)))
            case "refusal":
                events.append(RefusalDelta(draw(WORDS)))
    calls = draw(st.integers(0, 2))
    for slot in range(calls):
        events += [ToolCallStarted(slot, f"call_{slot}", "f"), ToolCallDelta(slot, '{"a":1}')]
    ended: FinishReason = "tool_calls" if calls else "stop"
    if draw(st.booleans()):
        ended = "length"
    return [*events, Finished(ended), UsageReported(Usage(3, 4, source="measured"))]


def told(client: Client, events: list[Event], *, stream: bool) -> bytes:
    body = body_of(client.name, "text")
    assert body is not None
    with fixed_chance():
        ask = client.ask(body, stream)
        writing = client.side.writing(client.side.read(ask), ask)
        if not stream:
            return writing.write_reply(fold(events))
        return writing.writer.write(events) + writing.writer.end()


def parts(seen: Any) -> dict[str, Any]:
    """What a client sees, but for where sources stand, which only a whole answer of Anthropic's can cut by."""
    return {"text": seen.text + seen.refusal, "thinking": seen.thinking, "calls": seen.calls, "code": seen.code,
            "images": seen.images, "finish": seen.finish}  # fmt: skip


def check(client: Client, events: list[Event]) -> None:
    stream = told(client, events, stream=True)
    assert client.violations(stream) == []
    whole = json.loads(told(client, events, stream=False))
    streamed = client.see(client.gather(stream))
    if client.name == "anthropic_messages":
        # Sources that come when their text has closed are listed at the end of a stream, and stand with the text in a
        # whole answer.
        streamed.text = LATE_SOURCES.sub("", streamed.text)
    assert parts(streamed) == parts(client.see(whole))


@settings(max_examples=50, deadline=None)
@given(answers(), st.sampled_from(list(CLIENT_ROWS)))
def test_it_is_told_within_the_grammar_and_whole_as_it_is_streamed(events: list[Event], name: str) -> None:
    check(CLIENT_ROWS[name], events)
