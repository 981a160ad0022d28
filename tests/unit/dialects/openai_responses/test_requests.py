from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice, WebSearch
from pointsman.core.content import Message, Text
from pointsman.core.errors import GatewayError, Malformed, Unsupported
from pointsman.dialects.openai_responses.requests import (
    ResponseRequest,
    read_request,
    read_response_request,
    write_request,
)

HI = (Message("user", (Text("Hi"),)),)
SCHEMA = {"type": "object", "properties": {}}
FUNCTION = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}
CUSTOM = {
    "type": "custom",
    "name": "patch",
    "description": "Change files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"},
}
SEARCH = {"type": "web_search", "search_context_size": "low"}


def read(**fields: object) -> Call:
    return read_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def refusal(**fields: object) -> GatewayError:
    with pytest.raises((Malformed, Unsupported)) as caught:
        read(**fields)
    return caught.value


def written(call: Call, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_request(call, "up", **fields))
    return found


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_text_is_a_message_of_the_user() -> None:
    assert read() == Call("m", HI, include_usage=True)


def test_the_model_of_the_path_wins() -> None:
    assert read_request(b'{"model":"m","input":"Hi"}', "p").model == "p"
    with pytest.raises(Malformed, match=r"model is required\."):
        read_request(b'{"input":"Hi"}')


def test_instructions_come_before_the_conversation() -> None:
    history = (Message("user", (Text("a"),)), Message("assistant", (Text("b"),)))
    body = b'{"model":"m","instructions":"Be kind.","input":"Hi","previous_response_id":"resp_0"}'
    call = read_request(body, history=history)
    assert call.messages == (Message("system", (Text("Be kind."),)), *history, *HI)
    assert read_request(b'{"model":"m","instructions":"","input":"Hi"}', history=history).messages == (*history, *HI)


def test_a_conversation_may_go_on_without_input() -> None:
    assert read_request(b'{"model":"m"}', history=HI).messages == HI
    assert refusal(input=None).message == "input is required."
    assert refusal(input=[]).message == "input must not be empty."


def test_the_knobs_are_read() -> None:
    call = read(
        temperature=0.5, top_p=0.9, top_k=4, min_p=0.1, seed=3, stop="x", presence_penalty=1, frequency_penalty=-1,
        max_output_tokens=9, top_logprobs=2, parallel_tool_calls=False, stream=True, user="u",
    )  # fmt: skip
    assert call.sampling == Sampling(
        temperature=0.5, top_p=0.9, top_k=4, min_p=0.1, seed=3, stop=("x",), presence_penalty=1, frequency_penalty=-1,
        max_tokens=9, logprobs=True, top_logprobs=2,
    )  # fmt: skip
    assert (call.parallel_tool_calls, call.stream, call.user, call.extra) == (False, True, "u", {})
    assert read(max_output_tokens=-1).sampling == Sampling()


def test_log_probabilities_are_asked_for_by_including_them() -> None:
    assert read(include=["message.output_text.logprobs"]).sampling == Sampling(logprobs=True)
    assert read(include=["reasoning.encrypted_content"], top_logprobs=0).sampling == Sampling()


def test_only_an_effort_asks_for_reasoning() -> None:
    assert read(reasoning={"effort": "low", "summary": "auto"}).reasoning == Reasoning("low")
    assert read(reasoning={"effort": None, "summary": "auto"}).reasoning is None
    assert read(reasoning={"effort": "default"}).reasoning is None


def test_the_shape_of_the_text_is_read() -> None:
    assert read(text={"format": {"type": "text"}}).response_format == ResponseFormat("text")
    assert read(text={"format": {"type": "json_object"}}).response_format == ResponseFormat("json_object")
    shape = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True, "description": "d"}
    call = read(text={"format": shape, "verbosity": "low"})
    assert call.response_format == ResponseFormat(
        "json_schema", "n", msgspec.Raw(json.dumps(SCHEMA).encode()), strict=True, description="d"
    )
    assert call.extra == {"verbosity": raw("low")}


def test_what_is_for_the_server_is_not_sent_on_and_the_unknown_is() -> None:
    call = read(
        store=False, include=[], previous_response_id="resp_1", background=False, metadata={"a": "b"},
        truncation="disabled", stream_options={"include_obfuscation": False}, client_metadata={"x": 1},
        novel={"a": [1]}, service_tier="flex", prompt_cache_key="k", safety_identifier="s", conversation=None,
        max_tool_calls=None,
    )  # fmt: skip
    assert sorted(call.extra) == ["novel", "prompt_cache_key", "safety_identifier", "service_tier"]
    assert sorted(read(truncation="auto", max_tool_calls=3).extra) == ["max_tool_calls", "truncation"]


def test_functions_are_tools() -> None:
    assert read(tools=[FUNCTION]).tools == (Tool("f", "d", msgspec.Raw(json.dumps(SCHEMA).encode()), strict=False),)
    assert read(tools=[{"type": "function", "name": "f", "parameters": None}]).tools == (Tool("f"),)


def test_a_custom_tool_is_kept_whole_and_described_as_a_function_of_one_text() -> None:
    (tool,) = read(tools=[CUSTOM]).tools
    assert (tool.name, tool.dialect, tool.native) == (
        "patch",
        "openai_responses",
        msgspec.Raw(json.dumps(CUSTOM).encode()),
    )
    assert tool.description == "Change files.\n\nThe input must follow this lark grammar:\nstart: X"
    assert tool.parameters is not None
    assert json.loads(bytes(tool.parameters))["required"] == ["input"]
    for shape in ({"type": "text"}, None, 1):
        (plain,) = read(tools=[{"type": "custom", "name": "p", "format": shape}]).tools
        assert plain.description is None


def test_a_tool_of_the_provider_is_kept_whole_and_has_no_other_form() -> None:
    (tool,) = read(tools=[SEARCH]).tools
    native = msgspec.Raw(json.dumps(SEARCH).encode())
    assert tool == Tool("web_search", native=native, dialect="openai_responses", search=WebSearch("low"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("named", "f")),
        ({"type": "custom", "name": "patch"}, ToolChoice("named", "patch")),
        ({"type": "web_search"}, ToolChoice("named", "web_search")),
    ],
)
def test_the_choice_among_tools_is_read_and_written(choice: object, expected: ToolChoice) -> None:
    call = read(tools=[FUNCTION, CUSTOM, SEARCH], tool_choice=choice)
    assert call.tool_choice == expected
    assert written(call)["tool_choice"] == choice


def test_only_allowed_tools_are_left() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "patch"}]}
    call = read(tools=[FUNCTION, CUSTOM], tool_choice=allowed)
    assert [tool.name for tool in call.tools] == ["patch"] and call.tool_choice == ToolChoice("required")


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"input": 1}, "input", "must be"),
        ({"input": [1]}, "input[0]", "must be an object"),
        ({"input": [{"role": "x", "content": ""}]}, "input[0].role", "unknown value 'x'"),
        ({"input": [{"role": "user"}]}, "input[0].content", "is required"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "input[0].content[0].type", "unknown value 'x'"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "items of type 'item_reference'"),
        ({"input": [{"type": "x_call"}]}, "input[0].type", "items of type 'x_call'"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, "input[0].call_id", "is required"),
        ({"input": [{"type": "function_call_output", "call_id": "a", "output": 1}]}, "input[0].output", "must be"),
        ({"tools": [{"name": "f"}]}, "tools[0].type", "is required"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "is required"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name", "is required"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice", "not in tools"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "is required"),
        ({"tool_choice": "x"}, "tool_choice", "unknown value 'x'"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "is required"),
        ({"text": {"format": {"type": "json_schema", "schema": 1}}}, "text.format.schema", "must be an object"),
        ({"temperature": 3}, "temperature", "at most 2"),
        ({"stop": [""]}, "stop", "empty string"),
        ({"metadata": {"a": 1}}, "metadata[...]", "must be a string"),
        ({"reasoning": {"effort": "x"}}, "reasoning.effort", "unknown value"),
        ({"prompt": {"id": "x"}}, "prompt", "stored at OpenAI"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], param: str, words: str) -> None:
    found = refusal(**fields)
    assert found.param == param and words in found.message


def test_a_reference_to_an_item_has_a_way_out() -> None:
    assert "previous_response_id" in (refusal(input=[{"type": "item_reference", "id": "x"}]).hint or "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "role", "content", "name"]), inner)
    ),
    max_leaves=6,
)
known = st.sampled_from(
    ["input", "tools", "tool_choice", "text", "reasoning", "instructions", "conversation", "novel", "prompt"]
)


@given(st.dictionaries(known, json_values))
def test_any_object_is_read_or_refused_as_the_clients_fault(fields: dict[str, object]) -> None:
    body = json.dumps({"model": "m", **fields}).encode()
    for reader in (read_request, read_response_request):
        with contextlib.suppress(Malformed, Unsupported):
            reader(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_request(body)


# ── What is for the server ───────────────────────────────────────────────────────────────────────────────────────


def test_what_is_for_the_server_is_read() -> None:
    request = read_response_request(
        b'{"model":"m","input":[{"role":"user","content":"Hi"}],"previous_response_id":"resp_0","background":true,'
        b'"include":["reasoning.encrypted_content"],"metadata":{"a":"b"},"instructions":"x",'
        b'"reasoning":{"summary":"auto"}}'
    )
    assert request.id.startswith("resp_") and request.created_at > 1_700_000_000
    assert (request.previous_response_id, request.background, request.store) == ("resp_0", True, True)
    assert (request.include, request.metadata) == (("reasoning.encrypted_content",), {"a": "b"})
    assert (request.instructions, request.summary, len(request.input)) == ("x", "auto", 1)


def test_it_can_be_kept_and_taken_out_again() -> None:
    for value in ("Hi", [{"role": "user", "content": "Hi"}]):
        request = read_response_request(json.dumps({"model": "m", "input": value, "tools": [FUNCTION]}).encode())
        assert msgspec.json.decode(msgspec.json.encode(request), type=ResponseRequest) == request


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"conversation": "c", "previous_response_id": "r"}, "conversation"),
        ({"background": True, "store": False}, "background"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_response_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())
    assert caught.value.param == param


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_written_is_read_back() -> None:
    body = {
        "model": "up", "instructions": "Be kind.", "stream": True, "temperature": 0.5, "max_output_tokens": 9,
        "tools": [FUNCTION, CUSTOM, SEARCH], "tool_choice": "required", "parallel_tool_calls": False, "user": "u",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}, "verbosity": "low"},
        "reasoning": {"effort": "low"}, "novel": 1,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "s"},
            {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
        ],
    }  # fmt: skip
    call = read(**body)
    sent = write_request(call, "up")
    assert read_request(sent) == call
    found = json.loads(sent)
    assert [item["type"] for item in found["input"]] == [
        "message", "reasoning", "custom_tool_call", "custom_tool_call_output",
    ]  # fmt: skip
    assert (found["store"], found["include"]) == (False, ["reasoning.encrypted_content"])


def test_a_clients_own_wishes_go_along_where_it_speaks_this_dialect() -> None:
    body = (
        b'{"model":"m","input":"Hi","include":["a"],"metadata":{"k":"v"},"top_logprobs":1,'
        b'"reasoning":{"effort":"low","summary":"auto"}}'
    )
    found = written(read_request(body), request=read_response_request(body))
    assert found["include"] == ["a", "message.output_text.logprobs", "reasoning.encrypted_content"]
    assert (found["metadata"], found["reasoning"]) == ({"k": "v"}, {"effort": "low", "summary": "auto"})


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        (Reasoning(enabled=False), "none"),
        (Reasoning(budget_tokens=1000), "low"),
        (Reasoning(budget_tokens=5000), "medium"),
        (Reasoning(budget_tokens=50_000), "high"),
        (Reasoning("xhigh", budget_tokens=5), "xhigh"),
    ],
)
def test_every_way_of_asking_for_reasoning_becomes_an_effort(reasoning: Reasoning, effort: str) -> None:
    assert written(Call("m", HI, reasoning=reasoning))["reasoning"] == {"effort": effort}


def test_reasoning_that_is_only_switched_on_is_left_to_the_model() -> None:
    assert "reasoning" not in written(Call("m", HI, reasoning=Reasoning(enabled=True)))


def test_a_schema_without_a_name_gets_one() -> None:
    call = Call("m", HI, response_format=ResponseFormat("json_schema", schema=raw(SCHEMA)))
    assert written(call)["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}
    assert written(Call("m", HI, response_format=ResponseFormat("json_object")))["text"] == {
        "format": {"type": "json_object"}
    }


def test_a_bare_function_has_every_field_that_is_demanded() -> None:
    assert written(Call("m", HI, tools=(Tool("f"),)))["tools"] == [
        {"type": "function", "name": "f", "parameters": None, "strict": False}
    ]


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (Call("m", HI, sampling=Sampling(n=2)), "n"),
        (Call("m", HI, sampling=Sampling(logit_bias=raw({"1": 2}))), "logit_bias"),
        (Call("m", HI, tools=(Tool("bash", native=raw({}), dialect="anthropic"),)), "tools"),
    ],
)
def test_what_has_no_word_here_is_refused_by_name(call: Call, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        write_request(call, "up")
    assert caught.value.param == param
