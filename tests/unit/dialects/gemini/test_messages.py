from __future__ import annotations

import json
from typing import Any

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
from pointsman.dialects.gemini.messages import write_contents, write_system
from pointsman.dialects.gemini.signatures import pack_call_id
from pointsman.dialects.gemini.types import GeminiTarget

TARGET = GeminiTarget("gemini-3-pro", sign_missing=False)
PNG = "iVBORw0KGgo="


def written(*messages: Message, target: GeminiTarget = TARGET) -> Any:
    return json.loads(msgspec.json.encode(write_contents(messages, target)))


def parts(role: Role, *listed: Part, target: GeminiTarget = TARGET) -> Any:
    return written(Message(role, listed, "ann"), target=target)[0]["parts"]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Text("a"), {"text": "a"}),
        (Refusal("a"), {"text": "a"}),
        (Image(data=PNG, media_type="image/gif"), {"inlineData": {"mimeType": "image/gif", "data": PNG}}),
        (Image(data=PNG), {"inlineData": {"mimeType": "image/png", "data": PNG}}),
        (Image(url="gs://b/x.png"), {"fileData": {"fileUri": "gs://b/x.png", "mimeType": "image/png"}}),
        (
            Image(url="gs://b/x", media_type="image/webp"),
            {"fileData": {"fileUri": "gs://b/x", "mimeType": "image/webp"}},
        ),
        (Audio("aGk=", "mp3"), {"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}}),
        (File(data="aGk="), {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}}),
        (File(text="a"), {"text": "a"}),
        (
            File(file_id="files/x", media_type="text/plain"),
            {
                "fileData": {
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x",
                    "mimeType": "text/plain",
                }
            },
        ),
        (File(url="https://youtu.be/x"), {"fileData": {"fileUri": "https://youtu.be/x"}}),
        (ToolCall("1", "f", '{"a": 1.50}'), {"functionCall": {"name": "f", "args": {"a": 1.50}, "id": "1"}}),
        (ToolCall("1", "f", " "), {"functionCall": {"name": "f", "args": {}, "id": "1"}}),
    ],
)
def test_each_part_has_its_place(part: Part, expected: object) -> None:
    assert parts("assistant", part) == [expected]


def test_neighbours_of_one_role_are_one_turn_and_system_is_none() -> None:
    call = Message("assistant", (ToolCall("1", "f", ""), ToolCall("2", "g", "")))
    results = [Message("tool", (ToolResult("2", (Text("x"),)),)), Message("tool", (ToolResult("1", ()),))]
    found = written(Message("system", (Text("s"),)), Message("user", (Text("Hi"),)), call, *results)
    assert [content["role"] for content in found] == ["user", "model", "user"]
    assert [part["functionResponse"] for part in found[2]["parts"]] == [
        {"name": "g", "response": {"output": "x"}, "id": "2"},
        {"name": "f", "response": {"output": ""}, "id": "1"},
    ]


def test_system_and_developer_go_first() -> None:
    messages = [Message("user", (Text("Hi"),)), Message("developer", (Text("a"),)), Message("system", (Text("b"),))]
    assert write_system(messages[:1]) is None
    assert json.loads(msgspec.json.encode(write_system(messages))) == {"parts": [{"text": "a"}, {"text": "b"}]}
    with pytest.raises(Unsupported) as caught:
        write_system([Message("system", (Image(data=PNG),))])
    assert caught.value.param == "messages[0]"


def test_a_message_without_anything_is_an_empty_text() -> None:
    assert parts("user") == parts("user", Text("")) == parts("assistant", Thinking("Hm")) == [{"text": ""}]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (
            (Thinking("Hm", "U2ln"), Text("a"), Text("b")),
            [{"text": "Hm", "thought": True}, {"text": "a"}, {"text": "b", "thoughtSignature": "U2ln"}],
        ),
        ((Text("a"), Thinking("", "U2ln")), [{"text": "a", "thoughtSignature": "U2ln"}]),
        ((Thinking("", "U2ln"),), [{"text": "", "thoughtSignature": "U2ln"}]),
        ((Thinking("Hm", "not base64"), Text("a")), [{"text": "Hm", "thought": True}, {"text": "a"}]),
        (
            (Thinking("", "U2ln"), ToolCall("1", "f", "", signature="T3Ro")),
            [{"functionCall": {"name": "f", "args": {}, "id": "1"}, "thoughtSignature": "T3Ro"}],
        ),
    ],
)
def test_a_signature_goes_back_where_gemini_had_it(listed: tuple[Part, ...], expected: object) -> None:
    assert parts("assistant", *listed) == expected


def test_a_signature_in_an_id_comes_out_of_it() -> None:
    packed = pack_call_id("1", "U2ln")
    found = written(
        Message("assistant", (ToolCall(packed, "f", ""),)), Message("tool", (ToolResult(packed, (Text("x"),)),))
    )
    assert found[0]["parts"] == [{"thoughtSignature": "U2ln", "functionCall": {"name": "f", "args": {}, "id": "1"}}]
    assert found[1]["parts"] == [{"functionResponse": {"name": "f", "response": {"output": "x"}, "id": "1"}}]


def test_the_first_call_of_a_turn_whose_signature_was_lost_gets_the_placeholder() -> None:
    calls = (ToolCall("1", "f", ""), ToolCall("2", "g", ""))
    found = parts("assistant", *calls, target=GeminiTarget("m"))
    assert [part.get("thoughtSignature") for part in found] == ["skip_thought_signature_validator", None]
    signed = parts("assistant", ToolCall("1", "f", "", signature="U2ln"), target=GeminiTarget("m"))
    assert signed[0]["thoughtSignature"] == "U2ln"


def test_ids_can_be_left_out() -> None:
    target = GeminiTarget("m", call_ids=False, sign_missing=False)
    found = written(
        Message("assistant", (ToolCall("1", "f", ""),)), Message("tool", (ToolResult("1", ()),)), target=target
    )
    assert found[0]["parts"] == [{"functionCall": {"name": "f", "args": {}}}]
    assert found[1]["parts"] == [{"functionResponse": {"name": "f", "response": {"output": ""}}}]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ToolResult("1", (Text('{"a": 1}'),), "f"), {"response": {"a": 1}}),
        (ToolResult("1", (Text("[1]"),), "f"), {"response": {"output": "[1]"}}),
        (ToolResult("1", (Text("a"), File(text="b")), "f"), {"response": {"output": "a\nb"}}),
        (ToolResult("1", (Text('{"a": 1}'),), "f", is_error=True), {"response": {"error": '{"a": 1}'}}),
        (
            ToolResult("1", (Image(data=PNG, media_type="image/png"),), "f"),
            {"response": {"output": ""}, "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]},
        ),
    ],
)
def test_what_a_tool_gave_is_an_object(result: ToolResult, expected: dict[str, object]) -> None:
    assert parts("tool", result) == [{"functionResponse": {"name": "f", "id": "1", **expected}}]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (Image(url="https://x/y.png"), "remote_image_refused"),
        (File(url="https://x/y.pdf"), "remote_image_refused"),
        (ToolCall("1", "f", "[1]"), "invalid_request"),
        (ToolCall("1", "f", "\ud83d"), "invalid_request"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_path(part: Part, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        parts("user", Text("a"), part)
    assert caught.value.code == code
    assert (caught.value.param or "").startswith("messages[0].content[1]")
