from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from pointsman.core.call import Call, Tool
from pointsman.core.content import Message, Text, ToolCall
from pointsman.core.errors import Broken, BudgetExceeded, GatewayError, LimitReached, Malformed, Rejected, TimedOut
from pointsman.core.reply import Reply
from pointsman.core.usage import Usage
from pointsman.dialects.custom_tools import wrap_input
from pointsman.dialects.openai_responses.keeping import failed_response
from pointsman.dialects.openai_responses.replies import read_reply, write_reply
from pointsman.dialects.openai_responses.requests import read_response_request
from pointsman.dialects.openai_responses.response import ResponseRequest
from tests.support.answers import choice_of

CUSTOM = Tool("patch", None, msgspec.Raw(b"{}"), native=msgspec.Raw(b"{}"), dialect="openai_responses")
CALL = Call("named-so", (Message("user", (Text("Hi"),)),), tools=(CUSTOM,))

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
texts = st.just("") | words
counts = st.integers(0, 2**40)
usages = st.builds(Usage, counts, counts, counts, counts, counts, source=st.just("measured"))
TOKENS = (msgspec.Raw(b'[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[]}]'),)


class FixedClock:
    def wall(self) -> float:
        return 7.9

    def monotonic(self) -> float:
        return 0.0


def request_of(**fields: object) -> ResponseRequest:
    body = json.dumps({"model": "named-so", "input": "Hi", **fields}).encode()
    return read_response_request(body, new_id=lambda prefix: f"{prefix}1", clock=FixedClock())


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    names = draw(st.lists(words | st.just("patch"), max_size=2, unique=True))
    calls = tuple(
        ToolCall(f"call_{name}", name, wrap_input(draw(texts)) if name == "patch" else draw(words)) for name in names
    )
    thinking, text = draw(texts), draw(texts)
    signature = draw(st.none() | words) if thinking else None
    choice = choice_of(
        text=text,
        thinking=thinking,
        signature=signature,
        signer=None if signature is None else "openai",
        refusal=draw(st.none() | words),
        tool_calls=calls,
        finish_reason=draw(st.sampled_from(["length", "content_filter", "tool_calls" if calls else "stop"])),
        logprobs=draw(st.sampled_from([(), TOKENS])) if text else (),
    )
    return Reply("resp_1", CALL.model, 7, (choice,), usage=draw(usages))


@given(replies())
def test_what_is_written_is_read_back(reply: Reply) -> None:
    assert read_reply(write_reply(reply, CALL, request_of())) == reply


@given(replies())
def test_the_official_sdk_can_read_what_is_written(reply: Reply) -> None:
    found = Response.model_validate_json(write_reply(reply, CALL, request_of()), strict=True)
    assert found.model == "named-so" and found.usage is not None
    assert found.output_text == reply.choices[0].text


def test_a_request_is_repeated_with_openais_values_for_what_it_did_not_say() -> None:
    body = json.loads(write_reply(Reply("x", "m", 1, (choice_of(text="Hi"),)), CALL, request_of()))
    usage = body.pop("usage")
    assert body.pop("completed_at") > body["created_at"]
    assert body == {
        "id": "resp_1", "object": "response", "created_at": 7, "status": "completed", "background": False,
        "conversation": None, "error": None, "incomplete_details": None, "instructions": None,
        "metadata": {}, "model": "named-so", "previous_response_id": None, "store": True, "max_output_tokens": None,
        "max_tool_calls": None, "parallel_tool_calls": True, "prompt_cache_key": None, "prompt_cache_retention": None,
        "safety_identifier": None, "service_tier": "default", "temperature": 1.0, "top_logprobs": 0, "top_p": 1.0,
        "presence_penalty": 0.0, "frequency_penalty": 0.0, "tool_choice": "auto", "tools": [],
        "truncation": "disabled", "user": None, "text": {"format": {"type": "text"}},
        "reasoning": {"effort": None, "summary": None},
        "output": [{
            "id": "msg_100", "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
        }],
    }  # fmt: skip
    assert usage == {
        "input_tokens": 0, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 0,
    }  # fmt: skip


def test_what_a_request_said_is_repeated() -> None:
    said: dict[str, Any] = {
        "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}], "tool_choice": "required",
        "temperature": 0.5, "top_p": 0.1, "max_output_tokens": 9, "truncation": "auto", "parallel_tool_calls": False,
        "metadata": {"a": "b"}, "instructions": "Be kind.", "previous_response_id": "resp_0", "store": False,
        "user": "u", "service_tier": "flex", "top_logprobs": 2, "prompt_cache_key": "k",
    }  # fmt: skip
    request = request_of(**said, text={"verbosity": "low", "format": None}, reasoning={"effort": "low"})
    body = json.loads(write_reply(Reply("x", "m", 1, (choice_of(text="Hi"),)), CALL, request))
    assert {name: body[name] for name in said} == said
    assert body["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert body["reasoning"] == {"effort": "low", "summary": None}


def test_a_conversation_is_repeated_as_an_object() -> None:
    for said in ("conv_1", {"id": "conv_1"}):
        body = json.loads(write_reply(Reply("x", "m", 1, ()), CALL, request_of(conversation=said)))
        assert body["conversation"] == {"id": "conv_1"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Broken("x"), "server_error"),
        (TimedOut("x"), "server_error"),
        (LimitReached("x", retry_after=1), "rate_limit_exceeded"),
        (BudgetExceeded("x"), "insufficient_quota"),
        (Malformed("x"), "invalid_prompt"),
        (Rejected("x", code="context_length_exceeded"), "context_length_exceeded"),
    ],
)
def test_a_response_that_failed_says_why_in_the_words_clients_know(error: GatewayError, code: str) -> None:
    body = json.loads(bytes(failed_response(request_of(background=True), "m", error, 0)[0]))
    assert (body["status"], body["background"], body["error"]["code"], body["usage"]) == ("failed", True, code, None)
    # The official client does not insist on the codes of its own list, and OpenAI itself sends others.
    assert Response.construct(**body).status == "failed"


def test_an_answer_without_choices_is_an_empty_message() -> None:
    assert json.loads(write_reply(Reply("x", "m", 1, ()), CALL, request_of()))["output"][0]["content"][0]["text"] == ""


def test_the_answer_of_another_server_is_read() -> None:
    body = b"""{"id":"x","created_at":1.5,"model":"m","status":"completed","output":[
        {"type":"reasoning","id":"r","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]},
        {"type":"file_search_call","id":"s","results":[]},
        {"type":"function_call","call_id":"a","name":"f","arguments":"{}"}]}"""
    choice = read_reply(body).choices[0]
    assert (choice.thinking, choice.finish_reason) == ("Hm", "tool_calls")
    assert choice.tool_calls == (ToolCall("a", "f", "{}"),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"output":1}',
        b"[]",
        b'{"status":"queued","output":[]}',
        b'{"output":[1]}',
        b'{"output":[{"type":"message","content":1}]}',
        b"\xff",
    ],
)
def test_what_is_no_answer_is_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read_reply(body)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failure_with_status_200_is_a_failure(status: str) -> None:
    error = b'{"code":"server_error","message":"out of memory"}' if status == "failed" else b"null"
    with pytest.raises(Broken, match="out of memory" if status == "failed" else "did not say why"):
        read_reply(b'{"status":"%b","output":[],"error":%b}' % (status.encode(), error))
    with pytest.raises(Broken, match="out of memory"):
        read_reply(b'{"error":{"message":"out of memory"}}')
