"""Tools of chats that are no functions: custom ones, and those of providers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, Tool, ToolChoice
from pointsman.core.events import Event, Finished, Started, ToolCallDelta, ToolCallStarted
from pointsman.dialects.custom_tools import INPUT_SCHEMA
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_chat.grammar import violations
from pointsman.dialects.openai_chat.replies import read_reply, write_reply
from pointsman.dialects.openai_chat.requests import read_request, write_request
from pointsman.dialects.openai_chat.streams import StreamReader, StreamWriter

GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}
PATCH = {"type": "custom", "custom": {"name": "patch", "description": "Patches.", "format": GRAMMAR}}
ASK = {"model": "m", "messages": [{"role": "user", "content": "?"}]}


def asked(**fields: Any) -> Call:
    return read_request(json.dumps({**ASK, **fields}).encode())


def told(call: Call) -> Any:
    return json.loads(write_request(call, "up"))


CALL = asked(tools=[PATCH])
EVENTS: tuple[Event, ...] = (
    Started("1", "up", 1),
    ToolCallStarted(0, "call_1", "patch"),
    ToolCallDelta(0, '{"inp'),
    ToolCallDelta(0, 'ut":"a\\nb"}'),
    ToolCallStarted(1, "call_2", "patch"),
    ToolCallDelta(1, '{"input":"c"}'),
    Finished("tool_calls"),
)


def test_a_custom_tool_is_kept_and_described_as_a_function() -> None:
    (tool,) = CALL.tools
    assert (tool.name, tool.parameters, tool.dialect) == ("patch", INPUT_SCHEMA, "openai_chat")
    assert tool.description == "Patches.\n\nThe input must follow this lark grammar:\nstart: WORD"
    assert told(CALL)["tools"] == [PATCH]


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "custom", "custom": {"name": "patch"}},
        {"type": "function", "function": {"name": "f"}},
    ],
)
def test_a_choice_names_either_kind(choice: dict[str, Any]) -> None:
    call = asked(tools=[PATCH, {"type": "function", "function": {"name": "f"}}], tool_choice=choice)
    assert told(call)["tool_choice"] == choice


def test_some_of_the_tools_may_be_allowed() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "patch"}}]}
    call = asked(
        tools=[PATCH, {"type": "function", "function": {"name": "f"}}],
        tool_choice={"type": "allowed_tools", "allowed_tools": allowed},
    )
    assert ([tool.name for tool in call.tools], call.tool_choice) == (["patch"], ToolChoice("auto"))


def test_a_client_is_told_of_calls_as_of_custom_tools() -> None:
    body = json.loads(write_reply(fold(EVENTS), CALL))
    assert body["choices"][0]["message"]["tool_calls"] == [
        {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "a\nb"}},
        {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "c"}},
    ]


def test_a_stream_tells_their_inputs_once_they_are_whole() -> None:
    writer = StreamWriter(CALL)
    stream = writer.write(EVENTS) + writer.end()
    assert violations(stream) == []
    frames = [json.loads(line[6:]) for line in stream.split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [one for frame in frames for one in frame["choices"][0]["delta"].get("tool_calls", ())]
    assert deltas == [
        {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "patch", "input": ""}},
        {"index": 1, "id": "call_2", "type": "custom", "custom": {"name": "patch", "input": ""}},
        {"index": 0, "custom": {"input": "a\nb"}},
        {"index": 1, "custom": {"input": "c"}},
    ]
    reader = StreamReader()
    events = [event for line in stream.split(b"\n\n") if line for event in reader.feed(line[6:])] + reader.end()
    assert fold(events).choices == fold(EVENTS).choices


def test_a_whole_answer_with_a_call_of_a_custom_tool_is_read() -> None:
    read = read_reply(write_reply(fold(EVENTS), CALL))
    assert read.choices == fold(EVENTS).choices


def test_a_function_in_anthropics_form_is_a_function() -> None:
    call = asked(tools=[{"name": "f", "description": "d", "input_schema": {"type": "object"}}])
    assert call.tools == (Tool("f", "d", msgspec.Raw(b'{"type": "object"}')),)


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, "web_search"),
        ({"type": "computer_20250124", "function": {"name": "computer", "parameters": {}}}, "computer"),
        ({"googleSearch": {}}, "googleSearch"),
        ({"type": "browser_search"}, "browser_search"),
    ],
)
def test_a_providers_own_tool_is_kept_as_it_is(tool: dict[str, Any], name: str) -> None:
    call = asked(tools=[tool])
    assert call.tools == (Tool(name, native=msgspec.Raw(json.dumps(tool).encode()), dialect="openai_chat"),)
    assert told(call)["tools"] == [tool]


def test_a_tool_may_end_what_is_to_be_cached() -> None:
    mark = {"type": "ephemeral"}
    for tool in (
        {"type": "function", "function": {"name": "f"}, "cache_control": mark},
        {"type": "function", "function": {"name": "f", "cache_control": mark}},
    ):
        assert asked(tools=[tool]).tools[0].cache_control == msgspec.Raw(b'{"type": "ephemeral"}')
