from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from pointsman.core.call import Call
from pointsman.core.content import Message, Text, ToolCall
from pointsman.core.errors import Broken
from pointsman.core.reply import Choice, Reply
from pointsman.core.usage import Usage
from pointsman.dialects.openai_chat.replies import read_reply, write_reply
from tests.support.answers import choice_of

CALL = Call("named-so", (Message("user", (Text("Hi"),)),))

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
texts = words | st.just("")
tokens = st.lists(
    st.fixed_dictionaries(
        {"token": texts, "logprob": st.floats(-9, 0), "bytes": st.none(), "top_logprobs": st.just([])}
    ),
    min_size=1,
    max_size=2,
).map(lambda found: (msgspec.Raw(msgspec.json.encode(found)),))
counts = st.integers(0, 9999)
usages = st.builds(Usage, counts, counts, counts, counts, counts, counts, counts, source=st.just("measured"))


@st.composite
def choices(draw: st.DrawFn, index: int) -> Choice:
    names = draw(st.lists(words, max_size=2, unique=True))
    calls = tuple(ToolCall(f"call_{name}", name, draw(texts)) for name in names)
    thinking = draw(texts)
    signature = draw(st.none() | words) if thinking else None
    return choice_of(
        index=index,
        text=draw(texts),
        thinking=thinking,
        signature=signature,
        signer=None if signature is None else "anthropic",
        refusal=draw(st.none() | words),
        tool_calls=calls,
        finish_reason=draw(st.sampled_from(["length", "content_filter", "tool_calls" if calls else "stop"])),
        logprobs=draw(st.just(()) | tokens),
    )


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    number = draw(st.integers(1, 3))
    return Reply(
        id=draw(words),
        model=CALL.model,
        created=draw(st.integers(0, 2**40)),
        choices=tuple(draw(choices(index)) for index in range(number)),
        usage=draw(usages),
    )


@given(replies())
def test_what_is_written_is_read_back(reply: Reply) -> None:
    assert read_reply(write_reply(reply, CALL)) == reply


@given(replies())
def test_the_official_sdk_can_read_what_is_written(reply: Reply) -> None:
    found = ChatCompletion.model_validate_json(write_reply(reply, CALL), strict=True)
    assert found.model == "named-so" and found.usage is not None
    assert [choice.message.content or "" for choice in found.choices] == [choice.text for choice in reply.choices]


@pytest.mark.parametrize(
    ("choice", "content"),
    [
        (choice_of(text="Hi"), "Hi"),
        (Choice(), ""),
        (choice_of(tool_calls=(ToolCall("1", "f", "{}"),)), None),
        (choice_of(text="Hi", tool_calls=(ToolCall("1", "f", "{}"),)), "Hi"),
        (choice_of(refusal="No"), None),
    ],
)
def test_content_is_null_only_where_something_stands_in_for_it(choice: Choice, content: str | None) -> None:
    body = json.loads(write_reply(Reply("1", "m", 0, (choice,)), CALL))
    assert body["choices"][0]["message"]["content"] == content


def test_a_choice_whose_end_is_not_known_has_stopped() -> None:
    assert json.loads(write_reply(Reply("1", "m", 0, (Choice(),)), CALL))["choices"][0]["finish_reason"] == "stop"


def test_the_answer_of_another_server_is_read() -> None:
    body = b"""{"id":"x","created":1.5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,
        "reasoning":"Hm","function_call":{"name":"f","arguments":"{}"}},"finish_reason":"function_call"}]}"""
    choice = read_reply(body).choices[0]
    assert (choice.thinking, choice.finish_reason) == ("Hm", "tool_calls")
    assert [(call.name, call.arguments) for call in choice.tool_calls] == [("f", "{}")]


def test_an_answer_that_never_said_why_it_ended_has_stopped() -> None:
    assert read_reply(b'{"choices":[{"message":{"content":"Hi"}}]}').choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"choices":[]}', b"[]", b'{"choices":[{"message":1}]}', b"\xff"]
)
def test_what_is_no_answer_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read_reply(body)


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(Broken, match="out of memory"):
        read_reply(b'{"error":{"message":"out of memory"}}')
