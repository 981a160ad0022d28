from __future__ import annotations

import json
from collections.abc import Mapping

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
from pointsman.dialects.anthropic_messages.messages import read_messages
from pointsman.dialects.anthropic_messages.turns import write_messages
from pointsman.dialects.anthropic_messages.types import WireMessage

decode = msgspec.json.Decoder(list[WireMessage]).decode
HI = Message("user", (Text("Hi"),))
MARK = msgspec.Raw(b'{"type":"ephemeral"}')


def read(*messages: Mapping[str, object]) -> tuple[Message, ...]:
    return read_messages(decode(json.dumps(messages)))


def said(role: Role, *parts: Part) -> Message:
    return Message(role, parts)


def written(*messages: Message, system_turns: bool = False) -> tuple[list[str], list[dict[str, object]]]:
    system, turns = write_messages(messages, system_turns=system_turns)
    return [block.text for block in system], json.loads(msgspec.json.encode(turns))


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_results_of_tools_become_a_message_before_the_users() -> None:
    result = {"type": "tool_result", "tool_use_id": "1", "content": "7"}
    broken = {"type": "tool_result", "tool_use_id": "2", "is_error": True}
    found = read({"role": "user", "content": [{"type": "text", "text": "And now?"}, result, broken]})
    assert found == (
        said("tool", ToolResult("1", (Text("7"),)), ToolResult("2", (), is_error=True)),
        said("user", Text("And now?")),
    )
    assert read({"role": "user", "content": [result]}) == (said("tool", ToolResult("1", (Text("7"),))),)


def test_a_result_may_hold_texts_images_and_documents() -> None:
    content = [
        {"type": "text", "text": "a"},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}, "title": "t"},
    ]
    assert read({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": content}]}) == (
        said("tool", ToolResult("1", (Text("a"), Image(url="https://x/y.png"), File(text="d", filename="t")))),
    )


def test_an_assistants_blocks_keep_their_order() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "Hi", "citations": []},
        {"type": "thinking", "thinking": "Hm again", "signature": ""},
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": [1]}, "cache_control": {"type": "ephemeral"}},
    ]
    assert read({"role": "assistant", "content": content}) == (
        said(
            "assistant",
            Thinking("Hm", "s", signer="anthropic"),
            Thinking("", "x", redacted=True, signer="anthropic"),
            Text("Hi"),
            Thinking("Hm again"),
            ToolCall("1", "f", '{"a": [1]}', cache_control=msgspec.Raw(b'{"type": "ephemeral"}')),
        ),
    )


def test_a_system_turn_within_the_conversation_keeps_its_place() -> None:
    assert read({"role": "user", "content": "Hi"}, {"role": "system", "content": [{"type": "text", "text": "s"}]}) == (
        HI,
        said("system", Text("s")),
    )


def test_an_empty_content_is_still_a_message() -> None:
    assert read({"role": "user", "content": []}) == (said("user"),)


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_of_one_role_become_one_turn_with_results_first() -> None:
    call = ToolCall("1", "f", "{}")
    system, turns = written(
        said("system", Text("a")),
        said("developer", Text("b")),
        HI,
        said("user", Text("?")),
        said("assistant", Text("Well")),
        said("assistant", call),
        said("user", Text("Wait")),
        said("tool", ToolResult("1", (Text("7"),))),
    )
    assert system == ["a", "b"]
    assert turns == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Well"},
                {"type": "tool_use", "id": "1", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "7"},
                {"type": "text", "text": "Wait"},
            ],
        },
    ]


def test_what_is_empty_is_left_out() -> None:
    system, turns = written(
        said("system", Text(" ")),
        HI,
        said("assistant", Text(""), Thinking("unsigned")),
        said("user", Text("\n")),
        said("tool", ToolResult("1", (Text(""),), is_error=True)),
    )
    assert system == []
    assert turns == [
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "is_error": True}, {"type": "text", "text": "Hi"}],
        }
    ]


def test_nothing_to_answer_is_refused() -> None:
    with pytest.raises(Malformed, match="something other than instructions"):
        written(said("system", Text("s")), said("user", Text("")))


def test_reasoning_comes_back_unchanged_and_refusals_as_words() -> None:
    _, turns = written(HI, said("assistant", Thinking("Hm", "s"), Thinking("", "x", redacted=True), Refusal("No.")))
    assert turns[1]["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "No."},
    ]


def test_an_answer_to_be_continued_does_not_end_with_white_space() -> None:
    assert written(HI, said("assistant", Text("It is \n")))[1][1] == {"role": "assistant", "content": "It is"}
    assert written(HI, said("assistant", Text("It is ")), HI)[1][1] == {"role": "assistant", "content": "It is "}


def test_marks_for_the_cache_stay_where_they_were() -> None:
    _, turns = written(
        said("user", Text("Hi", MARK)),
        said("assistant", ToolCall("1", "f", "", cache_control=MARK)),
        said("tool", ToolResult("1", (Text("a", MARK),), cache_control=MARK)),
    )
    text = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    assert turns[0]["content"] == [text]
    assert [turn["content"][0]["cache_control"]["type"] for turn in turns] == ["ephemeral"] * 3  # type: ignore[index]
    assert turns[2]["content"][0]["content"] == [{**text, "text": "a"}]  # type: ignore[index]


def test_ids_are_made_fit_alike_in_call_and_result() -> None:
    _, turns = written(
        HI, said("assistant", ToolCall("functions.f:0", "f", "{}")), said("tool", ToolResult("functions.f:0", ()))
    )
    assert turns[1]["content"][0]["id"] == turns[2]["content"][0]["tool_use_id"] == "functions_f_0"  # type: ignore[index]


@pytest.mark.parametrize("arguments", ["{", "7", "null", '{"a":}'])
def test_arguments_that_are_no_object_are_named(arguments: str) -> None:
    with pytest.raises(Malformed, match="arguments of the call of 'f' must be a JSON object") as caught:
        written(HI, said("assistant", Text("a"), ToolCall("1", "f", arguments)))
    assert caught.value.param == "messages[1].content[1]"


@pytest.mark.parametrize(
    ("conversation", "roles", "hoisted"),
    [
        ("us", "us", ""),
        ("usa", "usa", ""),
        ("usua", "usa", ""),
        ("uasu", "uaus", ""),
        ("uas", "ua", "s"),
        ("uasa", "ua", "s"),
        ("sus", "us", "s"),
        ("ussa", "usa", ""),
    ],
)
def test_instructions_in_between_stand_behind_a_users_turn_or_in_the_system_prompt(
    conversation: str, roles: str, hoisted: str
) -> None:
    kinds: dict[str, Role] = {"u": "user", "a": "assistant", "s": "system"}
    messages = [said(kinds[letter], Text(letter)) for letter in conversation]
    system, turns = written(*messages, system_turns=True)
    assert ("".join(str(turn["role"])[0] for turn in turns), "".join(system)) == (roles, hoisted)
    system, turns = written(*messages)
    assert "".join(system) == "s" * conversation.count("s")
    assert "s" not in "".join(str(turn["role"])[0] for turn in turns)


@pytest.mark.parametrize(
    ("role", "part", "words"),
    [
        ("system", Image(url="https://x"), "a system message can hold text only"),
        ("user", ToolCall("1", "f", ""), "a user message cannot hold toolcall here"),
        ("user", Audio("aGk=", "wav"), "a user message cannot hold audio here"),
        ("assistant", Image(url="https://x"), "an assistant message cannot hold image here"),
    ],
)
def test_a_part_that_a_role_cannot_have_is_named(role: Role, part: Part, words: str) -> None:
    with pytest.raises(Unsupported, match=words) as caught:
        written(said(role, part))
    assert (caught.value.param or "").startswith("messages[0]")
