from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from ollama._types import ChatRequest, EmbeddingsRequest, EmbedRequest, GenerateRequest, Message, Options
from ollama._types import Tool as SdkTool

from pointsman.core.call import Call, CompletionCall, EmbeddingCall, Reasoning, ResponseFormat, Sampling, Tool
from pointsman.core.content import Image, Text
from pointsman.core.content import Message as OurMessage
from pointsman.core.errors import GatewayError, Malformed, Unsupported
from pointsman.dialects.ollama.client_requests import (
    read_chat_request,
    read_embed_request,
    read_embeddings_request,
    read_generate_request,
)
from pointsman.dialects.ollama.requests import write_embedding_request, write_request
from pointsman.dialects.ollama.types import OllamaTarget

HI = [{"role": "user", "content": "Hi"}]
PNG = "iVBORw0KGgo="


def chat(**fields: Any) -> Call:
    return read_chat_request(json.dumps({"model": "m", "messages": HI, **fields}).encode())


def generate(**fields: Any) -> Call | CompletionCall:
    return read_generate_request(json.dumps({"model": "m", "prompt": "Hi", **fields}).encode())


def embed(**fields: Any) -> EmbeddingCall:
    return read_embed_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def test_the_least_request_streams_and_counts() -> None:
    assert chat() == Call("m", (OurMessage("user", (Text("Hi"),)),), stream=True, include_usage=True)
    assert chat(stream=False).stream is False
    assert chat(stream=None).stream is True


def test_a_model_in_the_path_wins() -> None:
    assert read_chat_request(json.dumps({"model": "m", "messages": HI}).encode(), "other").model == "other"


def test_options_become_knobs_and_the_rest_is_kept_by_name() -> None:
    call = chat(
        options={
            "num_predict": 10.0, "temperature": 0, "top_p": 0.5, "top_k": 3, "min_p": 0.1, "seed": 7, "stop": ["a", ""],
            "presence_penalty": 1, "frequency_penalty": 2, "num_ctx": 8192, "repeat_penalty": 1.1, "use_mmap": None,
            "novel": [1], "numa": False,
        },
        keep_alive="5m",
        truncate=True,
        shift=False,
        logprobs=True,
        top_logprobs=2,
        user=None,
    )  # fmt: skip
    assert call.sampling == Sampling(
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        min_p=0.1,
        seed=7,
        stop=("a",),
        presence_penalty=1.0,
        frequency_penalty=2.0,
        max_tokens=10,
        logprobs=True,
        top_logprobs=2,
    )
    assert call.extra == {
        "keep_alive": raw('"5m"'),
        "num_ctx": raw("8192"),
        "repeat_penalty": raw("1.1"),
        "numa": raw("false"),
        "options": raw('{"novel":[1]}'),
    }


@pytest.mark.parametrize("limit", [-1, -2, 0, -1.0])
def test_a_bound_below_one_is_none(limit: float) -> None:
    assert chat(options={"num_predict": limit}).sampling.max_tokens is None


def test_chance_is_not_a_seed() -> None:
    assert chat(options={"seed": -1}).sampling.seed is None


def test_an_option_at_the_top_level_counts_where_options_says_nothing() -> None:
    call = chat(temperature=0.3, max_tokens=5, num_ctx=99, options={"top_p": 0.5, "temperature": None})
    assert call.sampling == Sampling(temperature=0.3, top_p=0.5, max_tokens=5)
    assert call.extra == {"num_ctx": raw("99")}
    both = chat(temperature=0.3, num_ctx=99, options={"temperature": 0.1, "num_ctx": 100})
    assert both.sampling.temperature == 0.1
    assert both.extra == {"num_ctx": raw("100")}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, None),
        ("", None),
        ("json", ResponseFormat("json_object")),
        ({"type": "object"}, ResponseFormat("json_schema", "response", raw('{"type": "object"}'))),
    ],
)
def test_the_format(said: object, expected: ResponseFormat | None) -> None:
    assert chat(format=said).response_format == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, None),
        (True, Reasoning(enabled=True)),
        (False, Reasoning(enabled=False)),
        ("high", Reasoning(effort="high")),
    ],
)
def test_how_hard_to_think(said: object, expected: Reasoning | None) -> None:
    assert chat(think=said).reasoning == expected


def test_tools_may_lack_everything_but_a_name() -> None:
    whole = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    bare = {"function": {"name": "g", "description": "", "parameters": None}}
    assert chat(tools=[whole, bare]).tools == (Tool("f", "d", raw('{"type": "object"}')), Tool("g"))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"format": "yaml"}, "format"),
        ({"format": 7}, "format"),
        ({"think": "wildly"}, "think"),
        ({"think": 7}, "think"),
        ({"options": []}, "options"),
        ({"options": {"temperature": "hot"}}, "options.temperature"),
        ({"options": {"stop": [7]}}, "options.stop[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        chat(**fields)
    assert caught.value.param == param


def test_a_prompt_is_a_chat_of_one_turn() -> None:
    call = generate(system="Be brief.", images=[PNG], context=[], raw=False, template="", options={"num_predict": 3})
    assert call == Call(
        "m",
        (
            OurMessage("system", (Text("Be brief."),)),
            OurMessage("user", (Text("Hi"), Image(data=PNG, media_type="image/png"))),
        ),
        sampling=Sampling(max_tokens=3),
        stream=True,
        include_usage=True,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"raw": True}, {"raw": raw("true")}),
        ({"template": "{{.Prompt}}", "system": "s"}, {"template": raw('"{{.Prompt}}"'), "system": raw('"s"')}),
        ({"suffix": "end", "think": False, "format": "json"}, {"think": raw("false"), "format": raw('"json"')}),
    ],
)
def test_what_the_template_is_not_for_is_a_completion(
    fields: dict[str, object], expected: dict[str, msgspec.Raw]
) -> None:
    suffix = fields.get("suffix")
    assert suffix is None or isinstance(suffix, str)
    assert generate(**fields) == CompletionCall(
        "m", ("Hi",), suffix=suffix, stream=True, include_usage=True, extra=expected
    )


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"prompt": ""}, Malformed, "prompt"),
        ({"context": [1, 2]}, Unsupported, "context"),
        ({"raw": True, "images": [PNG]}, Unsupported, "images"),
        ({"raw": True, "system": "s"}, Malformed, "raw"),
        ({"images": ["?"]}, Malformed, "images[0]"),
        ({"suffix": "s", "think": "wildly"}, Malformed, "think"),
        ({"prompt": 7}, Malformed, "prompt"),
    ],
)
def test_what_generate_cannot_do_is_named(fields: dict[str, object], error: type[GatewayError], param: str) -> None:
    with pytest.raises(error) as caught:
        generate(**fields)
    assert caught.value.param == param


def test_embeddings_of_both_kinds() -> None:
    assert embed(truncate=True, keep_alive=0, options={"num_ctx": 5}) == EmbeddingCall(
        "m", ("Hi",), extra={"keep_alive": raw("0"), "num_ctx": raw("5")}
    )
    assert embed(input=["a", "b"], dimensions=8) == EmbeddingCall("m", ("a", "b"), dimensions=8)
    assert read_embeddings_request(b'{"model":"m","prompt":"Hi"}') == EmbeddingCall("m", ("Hi",))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [1]}, "input[0]"),
        ({"dimensions": -1}, "dimensions"),
    ],
)
def test_what_cannot_be_embedded_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        embed(**fields)
    assert caught.value.param == param


def test_an_empty_prompt_cannot_be_embedded() -> None:
    with pytest.raises(Malformed, match="prompt must not be empty"):
        read_embeddings_request(b'{"model":"m"}')


def sdk(request: Any) -> bytes:
    return json.dumps(request.model_dump(exclude_none=True)).encode()


def test_what_the_official_sdk_sends_can_be_read() -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    tool = SdkTool(function=SdkTool.Function(name=weather.__name__, description="d"))
    asked = ChatRequest(
        model="m",
        messages=[Message(role="user", content="Hi")],
        tools=[tool],
        stream=True,
        think="low",
        options=Options(num_ctx=4096, temperature=0.5, stop=["x"]),
        keep_alive="10m",
        format="json",
    )
    call = read_chat_request(sdk(asked))
    assert call.tools[0].name == "weather"
    assert call.sampling == Sampling(temperature=0.5, stop=("x",))
    assert set(call.extra) == {"keep_alive", "num_ctx"}
    assert isinstance(read_generate_request(sdk(GenerateRequest(model="m", prompt="Hi", raw=True))), CompletionCall)
    assert read_embed_request(sdk(EmbedRequest(model="m", input=["a"]))).inputs == ("a",)
    assert read_embeddings_request(sdk(EmbeddingsRequest(model="m", prompt="a"))).inputs == ("a",)


def test_a_request_comes_to_ollama_as_the_client_wrote_it() -> None:
    sent = {
        "model": "up",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "Hi", "images": [PNG]},
            {
                "role": "assistant",
                "content": "",
                "thinking": "Hm",
                "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}, "id": "x"}],
            },
            {"role": "tool", "content": "r", "tool_name": "f", "tool_call_id": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "null"}}}],
        "stream": True,
        "format": {"type": "object"},
        "think": False,
        "options": {"repeat_penalty": 1.5, "temperature": 0.5, "num_predict": 9, "novel": 1},
        "keep_alive": "5m",
    }  # fmt: skip
    written = json.loads(write_request(read_chat_request(json.dumps(sent).encode()), OllamaTarget("up")))
    assert written == {**sent, "truncate": False}


def test_embeddings_come_to_ollama_as_the_client_wrote_them() -> None:
    sent = {"model": "up", "input": ["a", "b"], "dimensions": 3, "keep_alive": 5, "options": {"num_batch": 7}}
    written = json.loads(write_embedding_request(read_embed_request(json.dumps(sent).encode()), OllamaTarget("up")))
    assert written == {**sent, "truncate": False}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"model":"m","messages":7}', b"[" * 100_000])
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for read in (read_chat_request, read_generate_request, read_embed_request, read_embeddings_request):
        with pytest.raises(Malformed):
            read(body)
