from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import (
    Call,
    CompletionCall,
    EmbeddingCall,
    Reasoning,
    ResponseFormat,
    Sampling,
    Tool,
    ToolChoice,
)
from pointsman.core.content import Message, Text
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.ollama.requests import (
    asked_num_ctx,
    write_completion_request,
    write_embedding_request,
    write_request,
)
from pointsman.dialects.ollama.types import OllamaTarget

TARGET = OllamaTarget("llama3.2:latest")
MESSAGES = (Message("user", (Text("Hi"),)),)
TOOLS = (Tool("f", "does f", msgspec.Raw(b'{"type":"object"}')), Tool("g"))


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def chat(target: OllamaTarget = TARGET, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(write_request(Call("m", MESSAGES, **fields), target))
    return body


def completion(target: OllamaTarget = TARGET, **fields: Any) -> dict[str, Any]:
    fields = {"prompts": ("Hi",), **fields}
    body: dict[str, Any] = json.loads(write_completion_request(CompletionCall("m", **fields), target))
    return body


def embedding(target: OllamaTarget = TARGET, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(write_embedding_request(EmbeddingCall("m", **fields), target))
    return body


def test_little_said_is_little_written() -> None:
    assert chat() == {
        "model": "llama3.2:latest",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
        "truncate": False,
    }


def test_stream_is_always_said_since_ollamas_default_is_true() -> None:
    assert chat(stream=True)["stream"] is True and chat()["stream"] is False
    assert completion(stream=True)["stream"] is True and completion()["stream"] is False


def test_truncation_is_always_switched_off_and_shift_is_never_sent() -> None:
    for body in (chat(), completion(), embedding(inputs=("a",))):
        assert body["truncate"] is False and "shift" not in body


def test_every_sampling_knob_has_its_place() -> None:
    sampling = Sampling(
        temperature=0.0, top_p=0.5, top_k=3, min_p=0.1, seed=0, stop=("x", "y"), presence_penalty=0.2,
        frequency_penalty=0.3, max_tokens=9, n=1, logprobs=True, top_logprobs=2,
    )  # fmt: skip
    body = chat(sampling=sampling)
    assert body["options"] == {
        "temperature": 0.0, "top_p": 0.5, "top_k": 3, "min_p": 0.1, "seed": 0, "stop": ["x", "y"],
        "presence_penalty": 0.2, "frequency_penalty": 0.3, "num_predict": 9,
    }  # fmt: skip
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)


def test_alternatives_without_log_probabilities_are_not_asked_for() -> None:
    body = chat(sampling=Sampling(logprobs=False, top_logprobs=2))
    assert body["logprobs"] is False and "top_logprobs" not in body


def test_the_gateways_context_window_wins_over_the_clients() -> None:
    extra = {"num_ctx": raw(99), "options": raw({"num_ctx": 98})}
    assert chat(OllamaTarget("m", num_ctx=8192), extra=extra)["options"]["num_ctx"] == 8192
    assert chat(extra=extra)["options"]["num_ctx"] == 99


def test_options_are_taken_from_the_object_then_the_top_level_then_openais_fields() -> None:
    extra = {"options": raw({"temperature": 1, "num_keep": 1, "typical_p": 0.1}), "num_keep": raw(2)}
    body = chat(extra=extra, sampling=Sampling(temperature=0.5))
    assert body["options"] == {"temperature": 0.5, "num_keep": 2, "typical_p": 0.1}


def test_options_that_are_no_object_are_refused() -> None:
    with pytest.raises(Malformed) as caught:
        chat(extra={"options": raw([1])})
    assert caught.value.param == "options"
    assert "options" not in chat(extra={"options": raw(None)})


def test_keep_alive_is_at_the_top_and_the_clients_wins() -> None:
    target = OllamaTarget("m", keep_alive=raw("1h"))
    assert chat(target)["keep_alive"] == "1h"
    assert chat(target, extra={"keep_alive": raw(0)})["keep_alive"] == 0
    assert embedding(target, inputs=("a",))["keep_alive"] == "1h"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (ResponseFormat("text"), None),
        (ResponseFormat("json_object"), "json"),
        (ResponseFormat("json_schema", "x", raw({"type": "object"}), strict=True), {"type": "object"}),
        (ResponseFormat("json_schema", "x"), "json"),
    ],
)
def test_a_response_format_becomes_a_format(shape: ResponseFormat, expected: object) -> None:
    assert chat(response_format=shape).get("format") == expected


def test_ollamas_own_format_and_think_are_passed_on() -> None:
    body = chat(extra={"format": raw("json"), "think": raw("high")})
    assert (body["format"], body["think"]) == ("json", "high")


GPT_OSS = OllamaTarget("hf.co/x/gpt-oss:20b")
DEEP = OllamaTarget("m", think_levels=("high", "max"))
SWITCH = OllamaTarget("gpt-oss", think_levels=())


@pytest.mark.parametrize(
    ("target", "reasoning", "expected"),
    [
        (TARGET, Reasoning(effort="none"), False),
        (TARGET, Reasoning(enabled=False), False),
        (TARGET, Reasoning(effort="low", enabled=False), True),
        (TARGET, Reasoning(effort="low"), True),
        (TARGET, Reasoning(effort="high"), True),
        (TARGET, Reasoning(enabled=True), True),
        (TARGET, Reasoning(budget_tokens=100), True),
        (GPT_OSS, Reasoning(effort="none"), False),
        (GPT_OSS, Reasoning(effort="minimal"), "low"),
        (GPT_OSS, Reasoning(effort="low"), "low"),
        (GPT_OSS, Reasoning(effort="medium"), "medium"),
        (GPT_OSS, Reasoning(effort="xhigh"), "high"),
        (GPT_OSS, Reasoning(enabled=True), True),
        (GPT_OSS, Reasoning(budget_tokens=1024), "low"),
        (GPT_OSS, Reasoning(budget_tokens=4096), "medium"),
        (GPT_OSS, Reasoning(budget_tokens=4097), "high"),
        (GPT_OSS, Reasoning(effort="unheard-of"), True),
        (DEEP, Reasoning(effort="low"), "high"),
        (DEEP, Reasoning(effort="xhigh"), "high"),
        (DEEP, Reasoning(effort="ultra"), "max"),
        (OllamaTarget("m", think_levels=("odd",)), Reasoning(effort="low"), True),
        (SWITCH, Reasoning(effort="low"), True),
    ],
)
def test_reasoning_becomes_think_in_the_words_the_model_knows(
    target: OllamaTarget, reasoning: Reasoning, expected: object
) -> None:
    assert chat(target, reasoning=reasoning)["think"] == expected


def test_nothing_said_about_reasoning_leaves_it_to_the_model() -> None:
    assert "think" not in chat()


def test_tools_are_written_whole_and_left_out_where_none_may_be_called() -> None:
    nothing = {"type": "object", "properties": {}}
    assert chat(tools=TOOLS)["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "does f", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "g", "description": "", "parameters": nothing}},
    ]
    assert "tools" in chat(tools=TOOLS, tool_choice=ToolChoice("auto"))
    assert "tools" not in chat(tools=TOOLS, tool_choice=ToolChoice("none"))


def test_a_completion_is_one_prompt_without_thinking() -> None:
    assert completion(suffix="!") == {
        "model": "llama3.2:latest",
        "prompt": "Hi",
        "suffix": "!",
        "stream": False,
        "think": False,
        "truncate": False,
    }


def test_a_completions_own_words_of_ollama_are_passed_on() -> None:
    extra = {name: raw(name) for name in ("raw", "system", "template", "format", "think")}
    body = completion(extra=extra)
    assert {name: body[name] for name in extra} == {name: name for name in extra}


def test_several_prompts_are_refused() -> None:
    with pytest.raises(Unsupported) as caught:
        completion(prompts=("a", "b"))
    assert caught.value.param == "prompt"


def test_embeddings_are_asked_for_in_one_request() -> None:
    assert embedding(OllamaTarget("m", num_ctx=512), inputs=("a", "b"), dimensions=8) == {
        "model": "m",
        "input": ["a", "b"],
        "dimensions": 8,
        "truncate": False,
        "options": {"num_ctx": 512},
    }


def test_token_ids_are_refused() -> None:
    with pytest.raises(Unsupported) as caught:
        embedding(inputs=((1, 2),))
    assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, None),
        ({"num_ctx": 5}, 5),
        ({"options": {"num_ctx": 6}}, 6),
        ({"num_ctx": 5, "options": {"num_ctx": 6}}, 5),
        ({"options": {}}, None),
        ({"options": None}, None),
    ],
)
def test_the_window_a_client_asks_for_is_found(extra: dict[str, object], expected: int | None) -> None:
    assert asked_num_ctx(Call("m", MESSAGES, extra={name: raw(value) for name, value in extra.items()})) == expected


@pytest.mark.parametrize(
    ("extra", "param"),
    [({"num_ctx": "5"}, "num_ctx"), ({"options": {"num_ctx": 1.5}}, "options.num_ctx"), ({"options": 1}, "options")],
)
def test_a_window_that_is_no_number_is_refused(extra: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        asked_num_ctx(Call("m", MESSAGES, extra={name: raw(value) for name, value in extra.items()}))
    assert caught.value.param == param
