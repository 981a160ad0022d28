from __future__ import annotations

import json

import msgspec
import pytest

from pointsman.core.content import Audio, File, Image, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.openai_responses.items import read_input, write_input

NO_CUSTOMS: frozenset[str] = frozenset()
CALL = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "a", "output": "done"}


def read(*items: object) -> tuple[Message, ...]:
    return read_input([msgspec.Raw(json.dumps(item).encode()) for item in items])


def part(**fields: object) -> Part:
    (message,) = read({"role": "user", "content": [fields]})
    return message.parts[0]


def said(text: str) -> dict[str, object]:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def thought(text: str, signature: str | None = None) -> dict[str, object]:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": signature}


def written(*messages: Message, customs: frozenset[str] = NO_CUSTOMS) -> list[object]:
    found: list[object] = json.loads(msgspec.json.encode(write_input(messages, customs)))
    return found


def assistant(*parts: Part) -> Message:
    return Message("assistant", parts)


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
def test_a_message_may_be_a_text_and_without_a_type(role: str) -> None:
    assert read({"role": role, "content": "Hi"}) == read({"type": "message", "role": role, "content": "Hi"})
    assert read({"role": role, "content": "Hi"})[0].parts == (Text("Hi"),)


def test_each_kind_of_part_is_read() -> None:
    assert part(type="input_text", text="x") == part(type="output_text", text="x", annotations=[]) == Text("x")
    assert part(type="refusal", refusal="No") == Refusal("No")
    assert part(type="input_audio", input_audio={"data": "aGk=", "format": "wav"}) == Audio("aGk=", "wav")
    assert part(type="input_image", image_url="https://x/y", detail="low") == Image(url="https://x/y", detail="low")
    assert part(type="input_image", image_url="data:image/png;base64,aGk") == Image(data="aGk=", media_type="image/png")
    assert part(type="input_file", file_id="f") == File(file_id="f")
    assert part(type="input_file", file_url="https://x/y") == File(url="https://x/y")
    assert part(type="input_file", file_data="aGk=", filename="a.pdf") == File(data="aGk=", filename="a.pdf")
    document = part(type="input_file", file_data="data:application/pdf;base64,aGk=")
    assert document == File(data="aGk=", media_type="application/pdf")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"type": "input_image"}, ".image_url"),
        ({"type": "input_image", "image_url": "ftp://x"}, ".image_url"),
        ({"type": "input_image", "image_url": "data:text/plain;base64,aGk="}, ".image_url"),
        ({"type": "input_image", "image_url": "data:image/png;base64,%"}, ".image_url"),
        ({"type": "input_image", "image_url": 1}, ".image_url"),
        ({"type": "input_image", "file_id": "f"}, ".file_id"),
        ({"type": "input_file"}, ""),
        ({"type": "input_file", "file_url": "x"}, ".file_url"),
        ({"type": "input_file", "file_data": "%"}, ".file_data"),
        ({"type": "input_audio", "input_audio": {"data": "%", "format": "wav"}}, ".input_audio.data"),
    ],
)
def test_what_is_wrong_with_a_part_is_named_with_its_path(fields: dict[str, object], place: str) -> None:
    with pytest.raises((Malformed, Unsupported)) as caught:
        read(
            {"role": "user", "content": "Hi"},
            {"role": "user", "content": [{"type": "input_text", "text": "x"}, fields]},
        )
    assert caught.value.param == f"input[1].content[1]{place}"


def test_one_turn_of_the_model_is_one_message() -> None:
    other = {**CALL, "call_id": "b"}
    found = read(thought("Hm", "s"), said("Hi"), CALL, other, RESULT, {**RESULT, "call_id": "b"}, said("Done"))
    assert found == (
        assistant(Thinking("Hm", "s"), Text("Hi"), ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")),
        Message("tool", (ToolResult("a", (Text("done"),)),)),
        Message("tool", (ToolResult("b", (Text("done"),)),)),
        assistant(Text("Done")),
    )


def test_words_that_follow_words_are_another_turn() -> None:
    assert read(said("a"), said("b")) == (assistant(Text("a")), assistant(Text("b")))
    assert read(said("a"), thought("b"), said("c")) == (assistant(Text("a")), assistant(Thinking("b"), Text("c")))


def test_words_between_a_call_and_its_result_do_not_part_them() -> None:
    assert read(CALL, said("x"), RESULT)[0] == assistant(ToolCall("a", "f", "{}"), Text("x"))


def test_reasoning_is_itself_or_its_summary_or_only_a_signature() -> None:
    shown = {**thought("a"), "content": [{"type": "reasoning_text", "text": "A"}]}
    paragraphs = {"type": "reasoning", "summary": [{"type": "summary_text", "text": text} for text in "ab"]}
    assert read(shown)[0].parts == (Thinking("A"),)
    assert read(paragraphs)[0].parts == (Thinking("a\n\nb"),)
    assert read(thought("", "s"))[0].parts == (Thinking("", "s", redacted=True),)
    assert read(thought("")) == ()


def test_the_input_of_a_custom_tool_is_wrapped() -> None:
    custom = {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": 'x"', "status": "completed"}
    result = {"type": "custom_tool_call_output", "call_id": "a", "output": "done"}
    assert read(custom, result) == (
        assistant(ToolCall("a", "patch", '{"input":"x\\""}')),
        Message("tool", (ToolResult("a", (Text("done"),)),)),
    )


def test_a_result_may_have_parts() -> None:
    output = [
        {"type": "input_text", "text": "x"},
        {"type": "input_image", "image_url": "https://x/y"},
        {"type": "input_file", "file_id": "f"},
    ]
    (message,) = read({**RESULT, "output": output})
    assert message.parts == (ToolResult("a", (Text("x"), Image(url="https://x/y"), File(file_id="f"))),)
    with pytest.raises(Malformed) as caught:
        read({**RESULT, "output": [{"type": "input_image", "image_url": "x"}]})
    assert caught.value.param == "input[0].output[0].image_url"


def test_a_message_of_nothing_is_none_of_the_model() -> None:
    assert read({"role": "assistant", "content": []}) == ()
    assert read({"role": "user", "content": []}) == (Message("user", ()),)


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_turn_is_written_as_its_items() -> None:
    assert written(
        Message("user", (Text("Hi"), Image(data="aGk=", media_type="image/png", detail="low"))),
        assistant(Thinking("Hm", "s"), Text("a"), Refusal("b"), ToolCall("a", "f", "{}"), ToolCall("b", "patch", "x")),
        Message("tool", (ToolResult("a", ()), ToolResult("b", (Text("x"), File(file_id="f"))))),
    ) == [
        {
            "type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Hi"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
            ],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "s"},
        {
            "type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "a", "annotations": []}, {"type": "refusal", "refusal": "b"},
            ],
        },
        CALL,
        {"type": "function_call", "call_id": "b", "name": "patch", "arguments": "x"},
        {"type": "function_call_output", "call_id": "a", "output": ""},
        {
            "type": "function_call_output", "call_id": "b", "output": [
                {"type": "input_text", "text": "x"}, {"type": "input_file", "file_id": "f"},
            ],
        },
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", ['{"input":"x"}', "x"])
def test_a_custom_tool_is_written_with_its_bare_input(arguments: str) -> None:
    items = written(
        assistant(ToolCall("a", "patch", arguments)),
        Message("tool", (ToolResult("a", (Text("done"),)),)),
        customs=frozenset({"patch"}),
    )
    assert items == [
        {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
    ]


def test_reasoning_without_a_signature_is_left_out() -> None:
    assert written(assistant(Thinking("Hm"))) == []
    assert written(assistant(Thinking("", "s", redacted=True))) == [
        {"type": "reasoning", "summary": [], "encrypted_content": "s"}
    ]


def test_sounds_and_documents_are_written() -> None:
    (item,) = written(
        Message("user", (Audio("aGk=", "wav"), File(data="aGk=", media_type="a/b", filename="n"), File(text="t")))
    )
    assert isinstance(item, dict)
    assert item["content"] == [
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "input_file", "file_data": "data:a/b;base64,aGk=", "filename": "n"},
        {"type": "input_text", "text": "t"},
    ]
    result = ToolResult("a", (Image(url="https://x/y"), File(text="t")))
    assert written(Message("tool", (result,))) == [
        {**RESULT, "output": [{"type": "input_image", "image_url": "https://x/y"}, {"type": "input_text", "text": "t"}]}
    ]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (assistant(Image(url="https://x/y")), "a message of the assistant cannot hold a part of kind image"),
        (Message("system", (Image(url="https://x/y"),)), "a message of the system cannot hold a part of kind image"),
        (Message("user", (Refusal("No"),)), "a message of the user cannot hold a part of kind refusal"),
    ],
)
def test_a_part_in_the_wrong_place_is_refused(message: Message, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        write_input([message], NO_CUSTOMS)
