from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, EmbeddingCall, Reasoning, ResponseFormat, Sampling, Tool, ToolChoice
from pointsman.core.content import Message, Text
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.gemini.embeddings import write_embedding_request
from pointsman.dialects.gemini.knobs import refuse_or_drop, refuse_or_drop_embedding
from pointsman.dialects.gemini.requests import path_of, write_request
from pointsman.dialects.gemini.types import GeminiTarget

OLD, NEW = GeminiTarget("gemini-2.5-flash"), GeminiTarget("gemini-3-flash")
HI = (Message("user", (Text("Hi"),)),)
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}')
GEMINI_SCHEMA = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def written(target: GeminiTarget = NEW, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_request(Call("m", HI, **fields), target))
    assert found.pop("contents") == CONTENTS
    return found


def test_the_least_request() -> None:
    assert written() == {}


def test_the_path_has_the_model_and_the_verb() -> None:
    assert path_of(NEW, "generateContent") == b"/models/gemini-3-flash:generateContent"
    assert path_of(GeminiTarget("tuned/ä?:x"), "streamGenerateContent", stream=True) == (
        b"/models/tuned/%C3%A4%3F%3Ax:streamGenerateContent?alt=sse"
    )


def test_the_knobs() -> None:
    sampling = Sampling(
        temperature=0.5, top_p=0.1, top_k=3, seed=7, stop=("x",), presence_penalty=1, frequency_penalty=2,
        max_tokens=9, n=2, logprobs=True, top_logprobs=4,
    )  # fmt: skip
    assert written(sampling=sampling) == {
        "generationConfig": {
            "temperature": 0.5, "topP": 0.1, "topK": 3, "seed": 7, "stopSequences": ["x"], "presencePenalty": 1,
            "frequencyPenalty": 2, "maxOutputTokens": 9, "candidateCount": 2, "responseLogprobs": True, "logprobs": 4,
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (ResponseFormat("text"), None),
        (ResponseFormat("json_object"), {"responseMimeType": "application/json"}),
        (
            ResponseFormat("json_schema", "n", SCHEMA),
            {"responseMimeType": "application/json", "responseSchema": GEMINI_SCHEMA},
        ),
    ],
)
def test_the_shape_of_the_answer(shape: ResponseFormat, expected: object) -> None:
    assert written(response_format=shape).get("generationConfig") == expected


def test_schemas_may_go_untouched() -> None:
    target = GeminiTarget("m", json_schemas=True)
    found = written(
        target, response_format=ResponseFormat("json_schema", "n", SCHEMA), tools=(Tool("f", None, SCHEMA),)
    )
    assert found["generationConfig"]["responseJsonSchema"] == json.loads(bytes(SCHEMA))
    assert found["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == json.loads(bytes(SCHEMA))


@pytest.mark.parametrize(
    ("target", "reasoning", "expected"),
    [
        (OLD, Reasoning(effort="none"), {"includeThoughts": False, "thinkingBudget": 0}),
        (OLD, Reasoning(enabled=False), {"includeThoughts": False, "thinkingBudget": 0}),
        (OLD, Reasoning(effort="low"), {"includeThoughts": True, "thinkingBudget": 1024}),
        (OLD, Reasoning(effort="max"), {"includeThoughts": True, "thinkingBudget": 24576}),
        (OLD, Reasoning(budget_tokens=77), {"includeThoughts": True, "thinkingBudget": 77}),
        (OLD, Reasoning(enabled=True), {"includeThoughts": True, "thinkingBudget": -1}),
        (NEW, Reasoning(effort="none"), {"includeThoughts": False, "thinkingLevel": "minimal"}),
        (GeminiTarget("gemini-3-pro"), Reasoning(enabled=False), {"includeThoughts": False, "thinkingLevel": "low"}),
        (NEW, Reasoning(effort="medium"), {"includeThoughts": True, "thinkingLevel": "medium"}),
        (NEW, Reasoning(effort="xhigh"), {"includeThoughts": True, "thinkingLevel": "high"}),
        (NEW, Reasoning(budget_tokens=2000), {"includeThoughts": True, "thinkingLevel": "medium"}),
        (NEW, Reasoning(budget_tokens=99999), {"includeThoughts": True, "thinkingLevel": "high"}),
        (NEW, Reasoning(enabled=True), {"includeThoughts": True}),
        (
            GeminiTarget("gemini-2.5-pro", thinks_in_levels=True),
            Reasoning(effort="low"),
            {"includeThoughts": True, "thinkingLevel": "low"},
        ),
    ],
)
def test_how_hard_to_think(target: GeminiTarget, reasoning: Reasoning, expected: object) -> None:
    assert written(target, reasoning=reasoning)["generationConfig"]["thinkingConfig"] == expected


def test_tools() -> None:
    native = Tool("googleSearch", native=raw('{"googleSearch":{}}'), dialect="gemini")
    bare = Tool("g", None, raw('{"type":"object","properties":{}}'))
    assert written(tools=(Tool("f", "d", SCHEMA), native, bare))["tools"] == [
        {"functionDeclarations": [{"name": "f", "description": "d", "parameters": GEMINI_SCHEMA}, {"name": "g"}]},
        {"googleSearch": {}},
    ]
    for act in (lambda call: write_request(call, NEW), refuse_or_drop):
        with pytest.raises(Unsupported, match="'web_search'"):
            act(Call("m", HI, tools=(Tool("web_search", native=raw("{}"), dialect="anthropic"),)))


@pytest.mark.parametrize(
    ("choice", "strict", "expected"),
    [
        (None, False, None),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice("auto"), False, {"mode": "AUTO"}),
        (ToolChoice("auto"), True, {"mode": "VALIDATED"}),
        (ToolChoice("none"), True, {"mode": "NONE"}),
        (ToolChoice("required"), True, {"mode": "ANY"}),
        (ToolChoice("named", "f"), False, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_which_tool_to_call(choice: ToolChoice | None, strict: bool, expected: object) -> None:
    found = written(tools=(Tool("f", strict=strict or None),), tool_choice=choice)
    assert found.get("toolConfig", {}).get("functionCallingConfig") == expected


def test_geminis_own_fields_come_back_and_the_rest_does_not() -> None:
    extra = {
        "safetySettings": raw("[]"),
        "cachedContent": raw('"x"'),
        "generationConfig": raw('{"speechConfig":{},"topK":1}'),
        "toolConfig": raw('{"retrievalConfig":{}}'),
        "keep_alive": raw("5"),
    }
    found = written(extra=extra, sampling=Sampling(top_k=2), tools=(Tool("f"),), tool_choice=ToolChoice("none"))
    assert found["safetySettings"] == []
    assert found["cachedContent"] == "x"
    assert found["generationConfig"] == {"speechConfig": {}, "topK": 2}
    assert found["toolConfig"] == {"retrievalConfig": {}, "functionCallingConfig": {"mode": "NONE"}}
    assert "keep_alive" not in found
    with pytest.raises(Malformed) as caught:
        written(extra={"generationConfig": raw("[]")})
    assert caught.value.param == "generationConfig"


def test_embeddings_are_asked_for_in_a_batch() -> None:
    call = EmbeddingCall("m", ("a", "b"), dimensions=3, extra={"taskType": raw('"X"'), "user": raw('"u"')})
    one = {"model": "models/up", "taskType": "X", "outputDimensionality": 3}
    assert json.loads(write_embedding_request(call, GeminiTarget("up"))) == {
        "requests": [{**one, "content": {"parts": [{"text": text}]}} for text in ("a", "b")]
    }
    for act in (refuse_or_drop_embedding, lambda one: write_embedding_request(one, NEW)):
        with pytest.raises(Unsupported, match="token ids"):
            act(EmbeddingCall("m", ((1, 2),)))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"sampling": Sampling(min_p=0.1)}, "min_p"),
        ({"sampling": Sampling(logit_bias=raw('{"1":2}'))}, "logit_bias"),
        ({"extra": {"repeat_penalty": raw("1")}}, "repeat_penalty"),
    ],
)
def test_what_gemini_does_not_know_is_refused_or_dropped(fields: dict[str, Any], param: str) -> None:
    call = Call("m", HI, **fields)
    with pytest.raises(Unsupported, match=param) as caught:
        refuse_or_drop(call)
    assert caught.value.param == param
    assert refuse_or_drop(call, drop_params=True) == Call("m", HI)
    assert refuse_or_drop(call, additional=(param,)) == Call("m", HI)


def test_hints_are_passed_over() -> None:
    call = Call("m", HI, sampling=Sampling(logit_bias=raw("{}")), extra={"metadata": raw("{}"), "labels": raw("{}")})
    assert refuse_or_drop(call) is call


def test_anything_can_be_dropped_in_any_case() -> None:
    call = Call(
        "m",
        HI,
        sampling=Sampling(max_tokens=1, top_k=2),
        tools=(Tool("f"),),
        tool_choice=ToolChoice("auto"),
        parallel_tool_calls=False,
        response_format=ResponseFormat("text"),
        reasoning=Reasoning(effort="low"),
    )
    names = ("max_completion_tokens", "top_k", "tools", "tool_choice", "parallel_tool_calls", "response_format")
    assert refuse_or_drop(call, additional=(*names, "reasoning_effort")) == Call("m", HI)


def test_embedding_knobs() -> None:
    call = EmbeddingCall("m", ("a",), dimensions=3, extra={"x": raw("1"), "title": raw('"t"')})
    with pytest.raises(Unsupported, match="x"):
        refuse_or_drop_embedding(call)
    kept = EmbeddingCall("m", ("a",), extra={"title": raw('"t"')})
    assert refuse_or_drop_embedding(call, drop_params=True, additional=("dimensions",)) == kept
