from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.call import Call, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.content import Audio, File, Image, Message, Refusal, Text, Thinking, ToolCall, ToolResult
from pointsman.core.errors import GatewayError, Malformed, Unsupported
from pointsman.dialects.openai_chat.requests import read_request, write_request

MESSAGES = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]


def read(**fields: object) -> Call:
    return read_request(json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode())


def refusal(**fields: object) -> GatewayError:
    with pytest.raises((Malformed, Unsupported)) as caught:
        read(**fields)
    return caught.value


# ── Identity ─────────────────────────────────────────────────────────────────────────────────────────────────────

texts = st.text(st.characters(codec="utf-8"), max_size=6)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
raws = st.recursive(
    st.booleans() | st.integers(-9, 9) | texts, lambda inner: st.dictionaries(texts, inner), max_leaves=3
)
raw_values = raws.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
objects = st.dictionaries(texts, raws, max_size=2).map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
data = st.binary(min_size=1, max_size=6).map(lambda raw: base64.b64encode(raw).decode())

text = st.builds(Text, texts)
image = st.builds(
    Image, data=data, media_type=st.sampled_from(["image/png", "image/svg+xml"]), detail=st.none() | st.just("low")
) | st.builds(Image, url=words.map("https://host/".__add__), detail=st.none() | st.just("high"))
audio = st.builds(Audio, data, st.sampled_from(["wav", "mp3"]))
file = st.builds(File, data=data, filename=st.none() | words, media_type=st.none() | st.just("application/pdf")) | (
    st.builds(File, file_id=words)
)
call = st.builds(ToolCall, words, words, texts)
thinking = st.builds(Thinking, words) | st.builds(Thinking, words, words, signer=st.just("anthropic"))
result = st.builds(
    ToolResult, words, st.lists(st.builds(Text, words) | image, max_size=2).map(tuple), st.none() | words
)
said = st.lists(st.builds(Text, words) | st.builds(Refusal, words), max_size=2)
message = (
    st.builds(
        Message,
        st.sampled_from(["system", "developer"]),
        st.lists(text, min_size=1, max_size=2).map(tuple),
        st.none() | words,
    )
    | st.builds(
        Message,
        st.just("user"),
        st.lists(text | image | audio | file, min_size=1, max_size=3).map(tuple),
        st.none() | words,
    )
    | st.builds(
        lambda first, then, last, name: Message("assistant", (*first, *then, *last), name),
        st.lists(thinking, max_size=1),
        said,
        st.lists(call, max_size=2),
        st.none() | words,
    )
    | st.builds(lambda only: Message("tool", (only,)), result)
)
tool = st.builds(Tool, words, st.none() | texts, st.none() | objects, st.none() | st.booleans())
sampling = st.builds(
    Sampling,
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(-1, 100),
    min_p=st.none() | st.floats(0, 1),
    seed=st.none() | st.integers(-(2**63), 2**63),
    stop=st.none() | st.lists(words, min_size=1, max_size=3).map(tuple),
    presence_penalty=st.none() | st.floats(-2, 2),
    frequency_penalty=st.none() | st.floats(-2, 2),
    max_tokens=st.none() | st.integers(0, 10**6),
    n=st.none() | st.integers(1, 128),
    logprobs=st.none() | st.booleans(),
    top_logprobs=st.none() | st.integers(0, 20),
    logit_bias=st.none() | st.just(msgspec.Raw(b'{"50256":-100}')),
).map(lambda found: found if found.logprobs else msgspec.structs.replace(found, top_logprobs=None))
shape = st.builds(ResponseFormat, st.sampled_from(["text", "json_object"])) | st.builds(
    ResponseFormat, st.just("json_schema"), words, st.none() | objects, st.none() | st.booleans(), st.none() | words
)
efforts = st.none() | st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
reasoning = st.builds(Reasoning, efforts, st.none() | st.integers(0, 9999), st.none() | st.booleans()).map(
    lambda found: None if found == Reasoning() else found
)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    tools = tuple(draw(st.lists(tool, max_size=2, unique_by=lambda one: one.name)))
    words_for_all = ["auto", "none", "required"] if tools else ["auto", "none"]
    choices = [st.none(), st.builds(ToolChoice, st.sampled_from(words_for_all))]
    if tools:
        choices.append(st.builds(ToolChoice, st.just("named"), st.sampled_from(tools).map(lambda one: one.name)))
    stream = draw(st.booleans())
    return Call(
        model=draw(st.sampled_from(["m", "a/b:c"])),
        messages=tuple(draw(st.lists(message, min_size=1, max_size=3))),
        sampling=draw(sampling),
        tools=tools,
        tool_choice=draw(st.one_of(choices)),
        parallel_tool_calls=draw(st.none() | st.booleans()),
        response_format=draw(st.none() | shape),
        reasoning=draw(reasoning),
        stream=stream,
        include_usage=stream and draw(st.booleans()),
        user=draw(st.none() | words),
        extra=draw(st.dictionaries(words.map("x-".__add__), raw_values, max_size=2)),
    )


@settings(max_examples=60)
@given(calls())
def test_what_is_written_is_read_back(call: Call) -> None:
    assert read_request(write_request(call, call.model)) == call
    assert read_request(write_request(call, call.model, limit_field="max_completion_tokens")) == call


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_upstream_is_asked_for_usage_when_the_gateway_wants_it_and_only_in_streams() -> None:
    assert json.loads(write_request(read(stream=True), "up", include_usage=True)) == {
        "model": "up",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in json.loads(write_request(read(), "up", include_usage=True))
    asked = read(stream=True, stream_options={"include_usage": True})
    assert "stream_options" not in json.loads(write_request(asked, "up", include_usage=False))


def test_extra_fields_never_replace_what_the_gateway_writes() -> None:
    call = Call("m", (Message("user", (Text("Hi"),)),), extra={"model": msgspec.Raw(b'"other"')})
    assert json.loads(write_request(call, "up"))["model"] == "up"


def test_a_choice_without_a_name_is_written_as_none_of_the_tools() -> None:
    call = Call("m", (Message("user", (Text("Hi"),)),), tool_choice=ToolChoice("named"))
    assert json.loads(write_request(call, "up"))["tool_choice"] == {"type": "function", "function": {"name": ""}}


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_model_in_the_path_wins_and_may_be_the_only_one() -> None:
    body = json.dumps({"messages": MESSAGES}).encode()
    assert read_request(body, "azure").model == "azure"
    assert read_request(json.dumps({"model": "m", "messages": MESSAGES}).encode(), "azure").model == "azure"
    with pytest.raises(Malformed, match="model is required"):
        read_request(body)


def test_what_the_vocabulary_has_no_word_for_is_kept_as_it_was_written() -> None:
    call = read(keep_alive="5m", num_ctx=4096, metadata={"a": 1}, nothing=None)
    assert {name: bytes(raw) for name, raw in call.extra.items()} == {
        "keep_alive": b'"5m"',
        "num_ctx": b"4096",
        "metadata": b'{"a": 1}',
    }


def test_nulls_say_nothing() -> None:
    names = [
        "stream", "stream_options", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "presence_penalty",
        "frequency_penalty", "max_tokens", "max_completion_tokens", "n", "logprobs", "top_logprobs", "logit_bias",
        "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format",
        "reasoning_effort", "reasoning", "thinking", "user",
    ]  # fmt: skip
    assert read(**dict.fromkeys(names)) == read()


def test_the_newer_name_of_the_limit_wins_and_minus_one_means_none() -> None:
    assert read(max_tokens=5, max_completion_tokens=7).sampling.max_tokens == 7
    assert read(max_tokens=5).sampling.max_tokens == 5
    assert read(max_tokens=-1).sampling.max_tokens is None


@pytest.mark.parametrize(("stop", "expected"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([], None), (None, None)])
def test_stop_is_one_text_or_several(stop: object, expected: tuple[str, ...] | None) -> None:
    assert read(stop=stop).sampling.stop == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_effort": "low"}, Reasoning(effort="low")),
        ({"reasoning_effort": "none"}, Reasoning(effort="none")),
        ({"reasoning_effort": "default"}, None),
        ({"reasoning_effort": {"effort": "high", "summary": "auto"}}, Reasoning(effort="high")),
        ({"reasoning": {"effort": "high"}}, Reasoning(effort="high")),
        ({"reasoning": {"max_tokens": 100}}, Reasoning(budget_tokens=100)),
        ({"reasoning": {"enabled": True, "exclude": True}}, Reasoning(enabled=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Reasoning(budget_tokens=9, enabled=True)),
        ({"thinking": {"type": "disabled"}}, Reasoning(enabled=False)),
        ({"thinking": {"type": "adaptive"}}, Reasoning(enabled=True)),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, Reasoning(effort="low")),
        ({}, None),
    ],
)
def test_each_way_of_asking_for_reasoning_is_understood(fields: dict[str, object], expected: Reasoning | None) -> None:
    assert read(**fields).reasoning == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("named", "f")),
    ],
)
def test_each_form_of_tool_choice_is_understood(choice: object, expected: ToolChoice) -> None:
    call = read(tools=TOOLS, tool_choice=choice)
    assert call.tool_choice == expected
    assert [tool.name for tool in call.tools] == ["f", "g"]


def test_allowed_tools_leave_out_the_others() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": TOOLS[1:]}}
    call = read(tools=TOOLS, tool_choice=choice)
    assert (call.tools, call.tool_choice) == ((Tool("g"),), ToolChoice("required"))


def test_deprecated_functions_become_tools() -> None:
    functions = [{"name": "f", "parameters": {"type": "object"}}]
    call = read(functions=functions, function_call={"name": "f"})
    assert (call.tools, call.tool_choice) == (
        (Tool("f", parameters=msgspec.Raw(b'{"type": "object"}')),),
        ToolChoice("named", "f"),
    )
    assert read(functions=functions, function_call="none").tool_choice == ToolChoice("none")
    assert read(functions=functions).tool_choice is None


def test_parameters_of_null_are_none() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": None, "strict": True}}]
    assert read(tools=tools).tools == (Tool("f", strict=True),)


def test_characters_beyond_the_basic_plane_survive_as_escapes_and_as_themselves() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"\\ud83d\\ude00 \xf0\x9f\x98\x80"}]}'
    assert read_request(body).messages[0].parts == (Text("😀 😀"),)


@pytest.mark.parametrize(
    ("fields", "message", "param"),
    [
        ({"messages": []}, "messages must not be empty.", "messages"),
        ({"messages": "Hi"}, "messages must be an array, not a string.", "messages"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role is required.", "messages[0].role"),
        ({"messages": [{"role": "x"}]}, "messages[0].role has the unknown value 'x'.", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content is required.", "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": []}]},
            "messages[0].content must not be empty.",
            "messages[0].content",
        ),
        ({"temperature": 2.1}, "temperature must be at most 2.", "temperature"),
        ({"temperature": "hot"}, "temperature must be a number, not a string.", "temperature"),
        ({"top_p": -0.1}, "top_p must be at least 0.", "top_p"),
        ({"presence_penalty": 3}, "presence_penalty must be at most 2.", "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty must be at least -2.", "frequency_penalty"),
        ({"n": 0}, "n must be at least 1.", "n"),
        ({"top_logprobs": 21}, "top_logprobs must be at most 20.", "top_logprobs"),
        ({"seed": 1.5}, "seed must be an integer, not a number.", "seed"),
        ({"stop": [""]}, "stop must not hold an empty string.", "stop"),
        ({"stop": ""}, "stop must not hold an empty string.", "stop"),
        ({"logit_bias": []}, "logit_bias must be an object, not an array.", "logit_bias"),
        ({"reasoning_effort": "hard"}, "reasoning_effort has the unknown value 'hard'.", "reasoning_effort"),
        ({"tools": [{"type": "function"}]}, "tools[0].function is required.", "tools[0].function"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom is required.", "tools[0].custom"),
        ({"tools": [{}]}, "tools[0].function is required.", "tools[0].function"),
        (
            {"tools": [{"name": "f", "input_schema": []}]},
            "tools[0].input_schema must be an object.",
            "tools[0].input_schema",
        ),
        ({"tools": [{"function": {}}]}, "tools[0].function.name is required.", "tools[0].function.name"),
        ({"tool_choice": "any"}, "tool_choice has the unknown value 'any'.", "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice must name a function.", "tool_choice"),
        (
            {"tools": TOOLS, "tool_choice": {"function": {"name": "h"}}},
            "tool_choice names 'h', which is not in tools.",
            "tool_choice",
        ),
        ({"response_format": {}}, "response_format.type is required.", "response_format.type"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema is required.",
            "response_format.json_schema",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}},
            "response_format.json_schema.schema must be an object.",
            "response_format.json_schema.schema",
        ),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_rule(fields: dict[str, object], message: str, param: str) -> None:
    error = refusal(**fields)
    assert (error.message, error.param, error.status) == (message, param, 400)


@given(
    st.dictionaries(
        st.sampled_from(["messages", "tools", "stop", "tool_choice", "response_format", "reasoning", "stream_options"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["user", "text", "function", ""]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["role", "content", "type", "text", "image_url", "url", "function", "name"]), inner
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_any_object_is_read_or_refused_as_the_clients_fault(value: dict[str, object]) -> None:
    try:
        read_request(msgspec.json.encode({"model": "m", **value}))
    except (Malformed, Unsupported) as error:
        assert error.status == 400  # noqa: PT017 - both ends are fine
