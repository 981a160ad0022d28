"""What an answer of this dialect has no place for, or no longer: images, sounds, and sources that come late."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.core.call import Call
from pointsman.core.content import Audio, Citation, Image, Message, Text
from pointsman.core.events import (
    Cited,
    Event,
    Finished,
    PartGiven,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from pointsman.dialects.anthropic_messages.grammar import violations
from pointsman.dialects.anthropic_messages.replies import write_reply
from pointsman.dialects.anthropic_messages.streams import StreamWriter
from pointsman.dialects.folding import fold

CALL = Call("m", (Message("user", (Text("?"),)),))
PAGE = Citation("https://a.example/", "A", start=0, end=5)
OTHER = Citation(None, "Report", document=0)
TOOL = (ToolCallStarted(0, "toolu_1", "f"), ToolCallDelta(0, '{"a":1}'))


def blocks(*events: Event) -> list[dict[str, Any]]:
    """The blocks of a stream, put together."""
    writer = StreamWriter(CALL)
    stream = writer.write([Started("msg_1", "m", 1), *events]) + writer.end()
    assert violations(stream) == []
    found: list[dict[str, Any]] = []
    for event in stream.split(b"\n\n"):
        data = json.loads(event.partition(b"data: ")[2] or b"{}")
        if data.get("type") == "content_block_start":
            found.append(data["content_block"])
        elif data.get("type") == "content_block_delta":
            delta = data["delta"]
            if delta["type"] == "text_delta":
                found[-1]["text"] += delta["text"]
            elif delta["type"] == "citations_delta":
                found[-1].setdefault("citations", []).append(delta["citation"])
    return found


@pytest.mark.parametrize("after", [TOOL, (ThinkingDelta("Hm."),), TOOL[:1]])
def test_sources_told_after_their_text_has_closed_are_listed_at_the_end(after: tuple[Event, ...]) -> None:
    reason = "length" if len(after) == 1 else "tool_calls"
    told = blocks(TextDelta("Hello"), *after, Cited(PAGE), Cited(PAGE), Cited(OTHER), Finished(reason))  # type: ignore[arg-type]
    assert told[0] == {"type": "text", "text": "Hello"}
    assert told[-1]["text"] == "Sources:\n- [A](https://a.example/)\n- Report"
    assert [one["type"] for one in told[-1]["citations"]] == [
        "web_search_result_location",
        "web_search_result_location",
        "char_location",
    ]


def test_those_told_in_time_stay_with_their_text() -> None:
    told = blocks(TextDelta("Hello"), Cited(PAGE), *TOOL, Finished("tool_calls"))
    assert [block["type"] for block in told] == ["text", "tool_use"] and len(told[0]["citations"]) == 1


def test_where_nothing_was_said_there_is_nothing_to_rest_on_them() -> None:
    assert [block["type"] for block in blocks(*TOOL, Cited(PAGE), Finished("tool_calls"))] == ["tool_use"]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Image("iVBORw0KGg", "image/png"), "The model gave an image (image/png)"),
        (Image(url="https://a.example/i.png"), "![image](https://a.example/i.png)"),
        (Audio("AAAA", "wav"), "The model gave a sound (wav)"),
        (Audio("AAAA", "wav", "audio_1", "Hello there"), "Hello there"),
    ],
)
def test_what_has_no_place_is_told_in_words_and_is_no_error(part: Image | Audio, words: str) -> None:
    events = (TextDelta("Look: "), PartGiven(part), Finished("stop"))
    (streamed,) = blocks(*events)
    reply = fold([Started("msg_1", "m", 1), *events])
    (whole,) = json.loads(write_reply(reply, CALL))["content"]
    assert streamed == whole
    assert streamed["text"].startswith("Look: ") and words in streamed["text"]
