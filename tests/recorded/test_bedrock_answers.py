"""What Bedrock really sent is read without loss: every byte of its event streams, every word of its answers."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from pointsman.core.reply import Reply
from pointsman.dialects.bedrock_converse.frames import ConverseFrames
from pointsman.dialects.bedrock_converse.replies import read_reply
from pointsman.dialects.bedrock_converse.streams import StreamReader
from pointsman.dialects.folding import fold
from pointsman.wire.aws_event_stream import EventMessage, EventStreamParser, write_message
from tests.recorded.bedrock_answers import Recording, recordings

REASONS = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "guardrail_intervened": "content_filter",
}


@pytest.fixture(scope="module")
def recorded() -> list[Recording]:
    return recordings()


def messages_of(body: bytes) -> list[EventMessage]:
    parser = EventStreamParser()
    messages = parser.feed(body)
    parser.end()
    return messages


def streamed(pieces: list[bytes]) -> Reply:
    frames, reader = ConverseFrames(), StreamReader()
    events = [event for piece in pieces for frame in frames.feed(piece) for event in reader.feed(frame)]
    assert frames.end() == []
    return fold([*events, *reader.end()])


def told(reply: Reply) -> tuple[object, ...]:
    """Everything but the id, which is made up."""
    choice = reply.choices[0]
    return choice, reply.usage, reply.completion_ms


def check(reply: Reply, text: str, tools: list[tuple[str, str, Any]], reason: str, usage: dict[str, int]) -> None:
    choice = reply.choices[0]
    assert choice.text == text
    assert [(call.id, call.name, json.loads(call.arguments)) for call in choice.tool_calls] == tools
    assert choice.finish_reason == REASONS[reason]
    assert (reply.usage.prompt, reply.usage.completion) == (
        usage["inputTokens"] + usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0),
        usage["outputTokens"],
    )


def test_there_is_something_to_read(recorded: list[Recording]) -> None:
    paths = [recording.path for recording in recorded]
    assert sum(path.endswith("/converse") for path in paths) >= 14
    assert sum(path.endswith("/converse-stream") for path in paths) >= 12
    assert sum(path.endswith("-stream") for path in paths) >= 23


def test_every_event_stream_is_read_and_written_again_byte_by_byte(recorded: list[Recording]) -> None:
    for recording in recorded:
        if recording.path.endswith("-stream"):
            messages = messages_of(recording.body)
            assert messages and b"".join(map(write_message, messages)) == recording.body, recording.name


def test_every_whole_answer(recorded: list[Recording]) -> None:
    for recording in recorded:
        if recording.path.endswith("/converse"):
            answer = json.loads(recording.body)
            blocks = answer["output"]["message"]["content"]
            text = "".join(block.get("text", "") for block in blocks)
            tools = [(use["toolUseId"], use["name"], use["input"]) for block in blocks if (use := block.get("toolUse"))]
            reply = read_reply(recording.body)
            check(reply, text, tools, answer["stopReason"], answer["usage"])
            assert reply.completion_ms == answer["metrics"]["latencyMs"]


def test_every_stream_in_any_pieces(recorded: list[Recording]) -> None:
    chance = random.Random(7)
    for recording in recorded:
        if not recording.path.endswith("/converse-stream"):
            continue
        events: list[tuple[str, Any]] = [
            (message.text(":event-type"), json.loads(message.payload)) for message in messages_of(recording.body)
        ]
        deltas = [(body["contentBlockIndex"], body["delta"]) for name, body in events if name == "contentBlockDelta"]
        starts = [body for name, body in events if name == "contentBlockStart" and "toolUse" in body["start"]]
        tools = []
        for start in starts:
            use, index = start["start"]["toolUse"], start["contentBlockIndex"]
            pieces = [delta["toolUse"]["input"] for at, delta in deltas if at == index]
            tools.append((use["toolUseId"], use["name"], json.loads("".join(pieces))))
        named = dict(events)
        reply = streamed([recording.body])
        text = "".join(delta.get("text", "") for _, delta in deltas)
        check(reply, text, tools, named["messageStop"]["stopReason"], named["metadata"]["usage"])
        places = sorted(chance.randrange(len(recording.body)) for _ in range(40))
        edges = [0, *places, len(recording.body)]
        again = streamed([recording.body[a:b] for a, b in itertools.pairwise(edges)])
        assert told(again) == told(reply), recording.name
