from __future__ import annotations

import json

import msgspec
import pytest

from pointsman.core.content import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.ollama.messages import write_messages

IMAGE = Image(data="aGk=", media_type="image/png")
REMOTE = Image(url="https://x/y.png")


def written(*messages: Message) -> object:
    return json.loads(msgspec.json.encode(write_messages(messages)))


def one(role: Role, *parts: Part) -> object:
    return written(Message(role, parts, "ann"))


@pytest.mark.parametrize(
    ("role", "parts", "expected"),
    [
        ("user", (Text("a"), Text("b")), {"role": "user", "content": "a\nb"}),
        ("user", (), {"role": "user", "content": ""}),
        ("developer", (Text("a"),), {"role": "system", "content": "a"}),
        ("user", (Text("a"), File(text="words")), {"role": "user", "content": "a\nwords"}),
        ("user", (IMAGE, Text("a")), {"role": "user", "content": "a", "images": ["aGk="]}),
        (
            "assistant",
            (Thinking("a"), Thinking("b"), Refusal("c")),
            {"role": "assistant", "content": "c", "thinking": "ab"},
        ),
    ],
)
def test_each_part_has_its_place(role: Role, parts: tuple[Part, ...], expected: object) -> None:
    assert one(role, *parts) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"a": {"b": 1.50}}', b'{"a":{"b": 1.50}}'), ("", b"{}"), ("  ", b"{}"), ('{"n":12345678901234567890123}', None)],
)
def test_arguments_become_an_object_with_every_digit(text: str, expected: bytes | None) -> None:
    found = msgspec.json.encode(write_messages([Message("assistant", (ToolCall("1", "f", text),))]))
    assert b'"arguments":' + (expected or text.encode()) in found


@pytest.mark.parametrize("text", ["[1]", "{", "null", '"x"', "\ud83d"])
def test_arguments_that_are_no_object_are_refused_by_their_path(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        one("assistant", ToolCall("1", "f", "{}"), ToolCall("2", "g", text))
    assert caught.value.param == "messages[0].tool_calls[1].function.arguments"


def test_a_result_has_the_name_of_its_tool_found_by_the_calls_id() -> None:
    call = Message("assistant", (ToolCall("1", "f", ""), ToolCall("2", "g", "")))
    results = [
        ToolResult("2", (Text("x"), Text("y"))),
        ToolResult("1", (), "said"),
        ToolResult("3", (IMAGE, File(text="z"))),
    ]
    assert written(call, *(Message("tool", (result,)) for result in results))[1:] == [  # type: ignore[index]
        {"role": "tool", "content": "x\ny", "tool_name": "g", "tool_call_id": "2"},
        {"role": "tool", "content": "", "tool_name": "said", "tool_call_id": "1"},
        {"role": "tool", "content": "z", "images": ["aGk="], "tool_call_id": "3"},
    ]


def test_results_within_a_users_message_come_before_its_words() -> None:
    assert one("user", Text("And?"), ToolResult("1", (Text("x"),))) == [
        {"role": "tool", "content": "x", "tool_call_id": "1"},
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize("part", [REMOTE, ToolResult("1", (Text("a"), REMOTE))])
def test_an_image_that_is_still_a_url_is_refused_by_its_path(part: Part) -> None:
    with pytest.raises(Malformed) as caught:
        one("user", *((Text("a"), part) if part is REMOTE else (part,)))
    assert (caught.value.param, caught.value.code) == ("messages[0].content[1].image_url", "remote_image_refused")


@pytest.mark.parametrize(
    "part", [Audio("aGk=", "wav"), File(data="aGk="), ToolResult("1", (Text("a"), File(data="a")))]
)
def test_a_sound_or_a_document_is_refused_by_its_path(part: Part) -> None:
    with pytest.raises(Unsupported) as caught:
        one("user", *((part,) if isinstance(part, ToolResult) else (Text("a"), part)))
    assert caught.value.param == "messages[0].content[1]"
