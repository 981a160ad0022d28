"""Tools in a namespace are called by flat names elsewhere, and by their own where the client reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.core.content import ToolCall
from pointsman.core.errors import Malformed
from pointsman.core.events import Event, Finished, Started, ToolCallDelta, ToolCallStarted
from pointsman.dialects.folding import fold
from pointsman.dialects.openai_responses.grammar import violations
from pointsman.dialects.openai_responses.groups import flat_name
from pointsman.dialects.openai_responses.replies import write_reply
from pointsman.dialects.openai_responses.requests import read_request
from pointsman.dialects.openai_responses.response import read_response_request
from pointsman.dialects.openai_responses.streams import StreamWriter

SPAWN = {"type": "function", "name": "spawn", "parameters": {"type": "object"}, "strict": False}
RUN = {"type": "custom", "name": "run", "description": "Runs text."}
CREW = {"type": "namespace", "name": "crew", "description": "Helpers.", "tools": [SPAWN, RUN]}
EVENTS: list[Event] = [
    Started("resp_1", "m", 1),
    ToolCallStarted(0, "call_1", "crew__spawn"),
    ToolCallDelta(0, "{}"),
    ToolCallStarted(1, "call_2", "crew__run"),
    ToolCallDelta(1, '{"input":"go"}'),
    Finished("tool_calls"),
]


def body(**more: Any) -> bytes:
    return json.dumps({"model": "m", "input": "hi", "tools": [CREW], **more}).encode()


def test_they_are_read_under_flat_names() -> None:
    spawn, run = read_request(body()).tools
    assert (spawn.name, spawn.group) == ("crew__spawn", ("crew", "spawn"))
    assert (run.name, run.group) == ("crew__run", ("crew", "run")) and run.parameters is not None


def test_those_that_stand_in_the_input_are_tools_as_well() -> None:
    item = {"type": "additional_tools", "role": "developer", "tools": [CREW, SPAWN]}
    call = read_request(body(input=[item, {"role": "user", "content": "hi"}], tools=None))
    assert [tool.name for tool in call.tools] == ["crew__spawn", "crew__run", "spawn"]
    assert [message.role for message in call.messages] == ["user"]
    with pytest.raises(Malformed, match=r"input\[0\]\.tools\[0\]\.name"):
        read_request(body(input=[{**item, "tools": [{"type": "function"}]}]))


def test_their_calls_come_back_under_their_own_names() -> None:
    called = {"type": "function_call", "call_id": "call_1", "name": "spawn", "namespace": "crew", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
    message = read_request(body(input=[called, result])).messages[0]
    assert message.parts == (ToolCall("call_1", "crew__spawn", "{}"),)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_reads_their_own_names(streamed: bool) -> None:
    call, request = read_request(body()), read_response_request(body())
    if streamed:
        writer = StreamWriter(call, request)
        stream = writer.write(EVENTS) + writer.end()
        assert violations(stream) == []
        output = json.loads(stream.split(b"data: ")[-1])["response"]["output"]
    else:
        output = json.loads(write_reply(fold(EVENTS), call, request))["output"]
    told = [(item["type"], item["namespace"], item["name"]) for item in output]
    assert told == [("function_call", "crew", "spawn"), ("custom_tool_call", "crew", "run")]


def test_a_choice_may_name_the_namespace() -> None:
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "crew"}]}
    call = read_request(body(tools=[CREW, SPAWN], tool_choice=allowed))
    assert [tool.name for tool in call.tools] == ["crew__spawn", "crew__run"]


def test_a_long_name_is_cut_and_still_its_own() -> None:
    first, second = flat_name("n" * 60, "first"), flat_name("n" * 60, "second")
    assert len(first) == len(second) == 64 and first != second
    assert flat_name(None, "plain") == "plain"
