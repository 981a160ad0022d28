from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.content import Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Malformed
from pointsman.dialects.ollama.client_messages import read_messages
from pointsman.dialects.ollama.client_types import AskedMessage
from pointsman.dialects.ollama.messages import write_messages

PNG = "iVBORw0KGgo="
decode = msgspec.json.Decoder(list[AskedMessage]).decode


def read(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return read_messages(decode(json.dumps(messages)))


def call(name: str, arguments: object = None, **fields: object) -> dict[str, object]:
    return {"function": {"name": name, "arguments": {} if arguments is None else arguments}, **fields}


def calls(*listed: dict[str, object]) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": listed}


def result(content: str, **fields: object) -> dict[str, Any]:
    return {"role": "tool", "content": content, **fields}


def answered(*messages: dict[str, Any]) -> list[tuple[str, str | None]]:
    parts = [part for message in read(*messages) for part in message.parts if isinstance(part, ToolResult)]
    return [(part.call_id, part.name) for part in parts]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"role": "user", "content": "a"}, (Text("a"),)),
        ({"role": "user", "content": ""}, (Text(""),)),
        ({"role": "user"}, (Text(""),)),
        ({"role": "user", "images": [PNG]}, (Image(data=PNG, media_type="image/png"),)),
        ({"role": "user", "images": ["data:image/png;base64," + PNG]}, (Image(data=PNG, media_type="image/png"),)),
        ({"role": "user", "content": "a", "images": ["aGk"]}, (Text("a"), Image(data="aGk="))),
        ({"role": "assistant", "content": "a", "thinking": "t"}, (Thinking("t"), Text("a"))),
        (calls(call("f", {"a": [1.50]}, id="x")), (ToolCall("x", "f", '{"a":[1.5]}'),)),
        (calls(call("f", '{"a": 1}')), (ToolCall("call_0_0", "f", '{"a":1}'),)),
        (calls({"function": {"name": "f"}}), (ToolCall("call_0_0", "f", "{}"),)),
    ],
)
def test_each_field_has_its_part(fields: dict[str, Any], expected: tuple[Part, ...]) -> None:
    assert [message.parts for message in read(fields)] == [expected]


def test_calls_without_ids_get_the_same_ones_in_every_turn() -> None:
    turn = [calls(call("f"), call("g")), result("1"), result("2")]
    expected = [("call_0_0", "f"), ("call_0_1", "g")]
    assert answered(*turn) == expected
    assert answered(*turn, calls(call("f")), result("3"))[:2] == expected
    assert answered(*turn, calls(call("f")), result("3"))[2] == ("call_3_0", "f")


def test_a_made_id_is_not_one_that_was_given() -> None:
    found = read(calls(call("f"), call("g", id="call_0_0")))[0].parts
    assert [part.id for part in found if isinstance(part, ToolCall)] == ["call_0_0_", "call_0_0"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "x"),
        ({"tool_name": "g"}, "y"),
        ({"name": "g"}, "y"),
        ({"tool_call_id": "y"}, "y"),
        ({"tool_call_id": "z", "tool_name": "g"}, "y"),
        ({"tool_call_id": "z"}, "z"),
        ({"tool_name": "h"}, "call_1_0"),
    ],
)
def test_a_result_finds_its_call_by_id_by_name_or_by_its_turn(fields: dict[str, object], expected: str) -> None:
    assert answered(calls(call("f", id="x"), call("g", id="y")), result("r", **fields))[0][0] == expected


def test_results_may_hold_images_and_nothing() -> None:
    found = read(calls(call("f")), result("", images=[PNG]))[1]
    assert found == Message("tool", (ToolResult("call_0_0", (Image(data=PNG, media_type="image/png"),), "f"),))
    assert read(result(""))[0] == Message("tool", (ToolResult("call_0_0", ()),))


@pytest.mark.parametrize("arguments", [[1], 7, True, "[", "7"])
def test_arguments_that_are_no_object_are_refused_by_their_path(arguments: object) -> None:
    with pytest.raises(Malformed) as caught:
        read(calls(call("f"), call("g", arguments)))
    assert caught.value.param == "messages[0].tool_calls[1].function.arguments"


def test_an_image_that_is_not_base64_is_refused_by_its_path() -> None:
    with pytest.raises(Malformed) as caught:
        read({"role": "user", "images": [PNG, "https://x/y.png"]})
    assert caught.value.param == "messages[0].images[1]"


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=3)), max_size=4))
def test_what_is_written_for_ollama_is_read_back(turns: list[tuple[str, list[str]]]) -> None:
    messages: list[Message] = []
    for number, (words, names) in enumerate(turns):
        made = [ToolCall(f"id{number}.{place}", name, '{"a":1}') for place, name in enumerate(names)]
        messages.append(Message("assistant", (Thinking(words), Text(words), *made)))
        messages += [Message("tool", (ToolResult(one.id, (Text(words),), one.name),)) for one in made]
    wire = msgspec.json.encode(write_messages(messages))
    assert read_messages(decode(wire)) == tuple(messages)
