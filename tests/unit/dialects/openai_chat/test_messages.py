from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
import pytest

from pointsman.core.content import File, Image, Message, Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import GatewayError, Malformed, Unsupported
from pointsman.dialects.openai_chat.messages import read_messages, write_messages
from pointsman.dialects.openai_chat.types import WireMessage

decode = msgspec.json.Decoder(list[WireMessage]).decode


def read(*messages: Mapping[str, object]) -> tuple[Message, ...]:
    return read_messages(decode(json.dumps(messages)))


def written(role: Role, *parts: Part) -> object:
    return json.loads(msgspec.json.encode(write_messages([Message(role, parts)])))


def test_an_assistants_message_keeps_thinking_words_and_calls_in_their_order() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm", "refusal": "No", "tool_calls": [call]}
    assert read(message) == (
        Message("assistant", (Thinking("Hm"), Text("Hi"), Refusal("No"), ToolCall("1", "f", "{}"))),
    )


def test_a_message_of_an_sdk_with_all_its_nulls_is_read() -> None:
    names = ["refusal", "annotations", "audio", "function_call", "tool_calls", "reasoning_content", "name"]
    assert read({"role": "assistant", "content": None, **dict.fromkeys(names)}) == (Message("assistant", ()),)
    assert read({"role": "assistant"}) == (Message("assistant", ()),)
    assert read({"role": "assistant", "content": ""}) == (Message("assistant", ()),)


def test_reasoning_is_read_under_each_of_its_names() -> None:
    assert read({"role": "assistant", "reasoning": "Hm"}) == (Message("assistant", (Thinking("Hm"),)),)
    blocks = [{"type": "thinking", "thinking": "Hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"}]
    assert read({"role": "assistant", "reasoning_content": "Hm", "thinking_blocks": blocks}) == (
        Message(
            "assistant",
            (Thinking("Hm", "s", signer="anthropic"), Thinking("", "x", redacted=True, signer="anthropic")),
        ),
    )


def test_function_calls_from_before_there_were_tools_keep_call_and_answer_together() -> None:
    found = read(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "7"},
        {"role": "function", "name": "f", "content": None},
    )
    assert found == (
        Message("assistant", (ToolCall("call_f", "f", "{}"),)),
        Message("tool", (ToolResult("call_f", (Text("7"),), "f"),)),
        Message("tool", (ToolResult("call_f", (), "f"),)),
    )


def test_a_tools_answer_may_have_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    assert read({"role": "tool", "tool_call_id": "1", "content": parts}) == (
        Message("tool", (ToolResult("1", (Text("a"), Image(url="https://x/y.png"))),)),
    )


def test_empty_words_of_a_user_stay() -> None:
    assert read({"role": "user", "content": ""}) == (Message("user", (Text(""),)),)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        ({"id": "1"}, Malformed, "messages[0].tool_calls[0].function is required."),
        ({"id": "1", "type": "custom"}, Malformed, "messages[0].tool_calls[0].custom is required."),
        (
            {"id": "1", "type": "browser"},
            Unsupported,
            "messages[0].tool_calls[0]: tool calls of type 'browser' are not supported.",
        ),
    ],
)
def test_a_call_that_is_no_function_is_refused(call: dict[str, object], kind: type[GatewayError], message: str) -> None:
    with pytest.raises(kind) as caught:
        read({"role": "assistant", "tool_calls": [call]})
    assert caught.value.message == message


def test_one_message_with_several_results_becomes_several() -> None:
    results = (ToolResult("1", ()), ToolResult("2", (Text("a"), Text("b"))), Text("And now?"))
    assert written("user", *results) == [
        {"role": "tool", "tool_call_id": "1", "content": ""},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": t} for t in "ab"]},
        {"role": "user", "content": "And now?"},
    ]


def test_thinking_without_a_signature_is_written_as_text_alone() -> None:
    assert written("assistant", Thinking("a"), Thinking("b")) == [
        {"role": "assistant", "content": "", "reasoning_content": "ab"}
    ]


def test_nothing_said_is_still_a_message() -> None:
    assert written("user") == [{"role": "user", "content": ""}]
    assert written("assistant") == [{"role": "assistant", "content": ""}]


@pytest.mark.parametrize(
    ("role", "part", "words"),
    [
        ("system", Image(url="https://x"), "a system message can hold text only"),
        ("developer", Thinking("x"), "a system message can hold text only"),
        ("user", ToolCall("1", "f", ""), "a user message cannot hold a part of kind toolcall"),
        ("assistant", Image(url="https://x"), "an assistant message cannot hold a part of kind image"),
        ("tool", Text("x"), "a tool message can hold tool results only"),
    ],
)
def test_a_part_that_a_role_cannot_have_is_named(role: Role, part: Part, words: str) -> None:
    with pytest.raises(Unsupported, match=words) as caught:
        written(role, part)
    assert caught.value.param == "messages[0]"


MARK = {"type": "ephemeral"}


def test_where_a_prefix_to_be_cached_ends_is_read_on_parts_messages_and_calls() -> None:
    found = read(
        {"role": "system", "content": "Be kind", "cache_control": MARK},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "cache_control": MARK},
                {"type": "image_url", "image_url": {"url": "https://x/a.png"}, "cache_control": MARK},
                {"type": "file", "file": {"file_id": "f"}, "cache_control": MARK},
                {"type": "text", "text": "b", "cache_control": None},
            ],
        },
        {
            "role": "assistant",
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}, "cache_control": MARK}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "7", "cache_control": MARK},
        {"role": "user", "content": "c", "cache_control": MARK},
    )
    marks = [getattr(part, "cache_control", None) for message in found for part in message.parts]
    mark = msgspec.Raw(b'{"type": "ephemeral"}')
    assert marks == [mark, mark, mark, mark, None, mark, mark, mark]


def test_a_call_of_a_custom_tool_is_one_of_the_function_that_stands_for_it() -> None:
    call = {"id": "1", "type": "custom", "custom": {"name": "patch", "input": 'a "b"'}}
    message = Message("assistant", (ToolCall("1", "patch", '{"input":"a \\"b\\""}'),))
    assert read({"role": "assistant", "tool_calls": [call]}) == (message,)
    back = json.loads(msgspec.json.encode(write_messages([message], {"patch"})))
    assert back == [{"role": "assistant", "content": None, "tool_calls": [call]}]


SPOKEN = {"id": "audio_1", "data": "AAAA", "transcript": "Hi", "expires_at": 9}


def test_a_sound_of_an_answer_goes_back_by_its_name() -> None:
    for said in (SPOKEN, {"id": "audio_1"}):
        found = read({"role": "assistant", "content": None, "audio": said})
        back = json.loads(msgspec.json.encode(write_messages(found)))
        assert back == [{"role": "assistant", "content": None, "audio": {"id": "audio_1"}}]


def test_a_sound_of_another_provider_goes_back_in_words() -> None:
    found = read({"role": "assistant", "audio": {**SPOKEN, "id": "audio_other_1"}})
    assert json.loads(msgspec.json.encode(write_messages(found))) == [{"role": "assistant", "content": "Hi"}]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.example/a.webm?t=1", File(url="https://x.example/a.webm?t=1", media_type="video/webm")),
        ("https://x.example/a", File(url="https://x.example/a", media_type="video/mp4")),
        ("data:video/mp4;base64,AAAA", File(data="AAAA", media_type="video/mp4")),
    ],
)
def test_a_film_is_a_file(url: str, expected: File) -> None:
    for fields in (url, {"url": url}):
        found = read({"role": "user", "content": [{"type": "video_url", "video_url": fields}]})
        assert found == (Message("user", (expected,)),)


@pytest.mark.parametrize("url", ["file:///a.mp4", "data:image/png;base64,AAAA"])
def test_what_is_no_film_is_refused_at_its_place(url: str) -> None:
    with pytest.raises(Malformed) as wrong:
        read({"role": "user", "content": [{"type": "video_url", "video_url": {"url": url}}]})
    assert wrong.value.param == "messages[0].content[0].video_url.url"
