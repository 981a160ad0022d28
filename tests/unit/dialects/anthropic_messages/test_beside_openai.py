"""Anthropic's dialect on one side and OpenAI's on the other: the translations that are asked for most."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.core.call import Call
from pointsman.core.content import Message, Text
from pointsman.dialects.anthropic_messages import grammar as anthropic_grammar
from pointsman.dialects.anthropic_messages import replies as anthropic_replies
from pointsman.dialects.anthropic_messages import requests as anthropic_requests
from pointsman.dialects.anthropic_messages import streams as anthropic_streams
from pointsman.dialects.anthropic_messages.knobs import refuse_or_drop
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_chat import grammar as openai_grammar
from pointsman.dialects.openai_chat import replies as openai_replies
from pointsman.dialects.openai_chat import requests as openai_requests
from pointsman.dialects.openai_chat import streams as openai_streams
from pointsman.wire.sse import SseParser

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALL = Call("m", (Message("user", (Text("Hi"),)),), stream=True, include_usage=True)
MARK = {"cache_control": {"type": "ephemeral"}}

OPENAI_REQUEST = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Weather?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"city": "Bonn"}'}},
                {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": ""},
        {"role": "user", "content": "And now?"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "max_completion_tokens": 500,
    "stop": "END",
    "temperature": 0.5,
    "user": "u-1",
    "stream": True,
    "n": 1,
}
ANTHROPIC_REQUEST = {
    "model": "up",
    "max_tokens": 500,
    "system": "Be brief.",
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Weather?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1", "name": "f", "input": {"city": "Bonn"}},
                {"type": "tool_use", "id": "call_2", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "Rain"},
                {"type": "tool_result", "tool_use_id": "call_2"},
                {"type": "text", "text": "And now?"},
            ],
        },
    ],
    "stream": True,
    "temperature": 0.5,
    "stop_sequences": ["END"],
    "tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "metadata": {"user_id": "u-1"},
}


def test_a_request_in_openais_words_is_asked_in_anthropics() -> None:
    call = openai_requests.read_request(json.dumps(OPENAI_REQUEST).encode())
    assert json.loads(anthropic_requests.write_request(refuse_or_drop(call), "up")) == ANTHROPIC_REQUEST


def test_a_request_in_anthropics_words_is_asked_in_openais() -> None:
    request: dict[str, Any] = json.loads(json.dumps(ANTHROPIC_REQUEST))
    request["system"] = [{"type": "text", "text": "Be brief.", **MARK}]
    request["messages"][1]["content"].insert(0, {"type": "thinking", "thinking": "Hm", "signature": "s"})
    request["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    call = anthropic_requests.read_request(json.dumps(request).encode())
    found = json.loads(openai_requests.write_request(call, "up"))
    assert found.pop("thinking") == {"type": "enabled", "budget_tokens": 2000}
    assert found.pop("stream_options") == {"include_usage": True}
    expected: dict[str, Any] = json.loads(json.dumps(OPENAI_REQUEST))
    del expected["n"]
    expected |= {"model": "up", "stop": ["END"], "max_tokens": expected.pop("max_completion_tokens")}
    expected["messages"][2] |= {
        "reasoning_content": "Hm",
        "thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "s"}],
    }
    expected["messages"][2]["tool_calls"][1]["function"]["arguments"] = "{}"
    assert found == expected


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "x", "created": 7, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def piece(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    name = {"name": fields.pop("name")} if "name" in fields else {}
    return {"tool_calls": [{"index": index, **fields, "function": {**name, "arguments": arguments}}]}


CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Hm"}),
    chunk({"content": "Let me see."}),
    chunk(piece(0, "", id="call_1", name="f")),
    chunk(piece(1, "", id="call_2", name="g")),
    chunk(piece(0, '{"a"')),
    chunk(piece(1, '{"b":2}')),
    chunk(piece(0, ":1}")),
    chunk({}, "tool_calls"),
    {
        "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}},
    },
]
EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 6}}},
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Let me see."}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}},
    },
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 4, "cache_read_input_tokens": 3},
    },
    {"type": "message_stop"},
]


def test_an_answer_in_openais_words_is_given_in_anthropics() -> None:
    reader = openai_streams.StreamReader()
    writer = anthropic_streams.StreamWriter(CALL, 11)
    frames = [json.dumps(one).encode() for one in CHUNKS]
    stream = b"".join(writer.write(reader.feed(frame)) for frame in [*frames, b"[DONE]"])
    stream += writer.write(reader.end()) + writer.end()
    assert anthropic_grammar.violations(stream) == []
    events = [json.loads(event.data) for event in SseParser().feed(stream)]
    blocks = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]
    said = [json.dumps(event["delta"]) for event in events if event["type"] == "content_block_delta"]
    assert '"{\\"b\\":2}"' in said[-1]
    assert events[-2]["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3,
        "output_tokens": 4,
    }


def test_an_answer_in_anthropics_words_is_given_in_openais() -> None:
    reader = anthropic_streams.StreamReader(created=7)
    writer = openai_streams.StreamWriter(CALL)
    stream = b"".join(writer.write(reader.feed(json.dumps(event).encode())) for event in EVENTS)
    stream += writer.write(reader.end()) + writer.end()
    assert openai_grammar.violations(stream, include_usage=True) == []
    assert b'"finish_reason":"tool_calls"' in stream
    assert b'"prompt_tokens":9' in stream and b'"cached_tokens":3' in stream


@pytest.mark.parametrize("streamed", [True, False])
def test_a_whole_answer_says_the_same_as_a_streamed_one(streamed: bool) -> None:
    reader = anthropic_streams.StreamReader(created=7)
    reply = fold([*(found for event in EVENTS for found in reader.feed(json.dumps(event).encode())), *reader.end()])
    if not streamed:
        reply = anthropic_replies.read_reply(
            anthropic_replies.write_reply(reply, CALL), anthropic_streams.StreamReader(created=7)
        )
    message = json.loads(openai_replies.write_reply(reply, CALL))["choices"][0]["message"]
    assert message["content"] == "Let me see." and message["reasoning_content"] == "Hm"
    assert message["tool_calls"][0]["function"] == {"name": "now", "arguments": "{}"}
