"""What of a client's request Gemini is told, and under which names."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.call import Call, EmbeddingCall, Reasoning, Tool
from pointsman.core.content import Message, Text
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment
from pointsman.providers.translated import GeminiEmbeddingFar, GeminiFar

DEPLOYMENT = Deployment("d", "m", "gemini", "models/gemini-2.5-flash", "gemini/gemini-2.5-flash", "https://x", None)
HI = (Message("user", (Text("Hi"),)),)


def path_of(deployment: Deployment, verb: str) -> bytes:
    return verb.encode()


def sent(call: Call, deployment: Deployment = DEPLOYMENT) -> Any:
    return json.loads(GeminiFar(path_of).write(call, deployment).body)


def test_a_stream_has_a_path_of_its_own() -> None:
    far = GeminiFar(path_of)
    assert far.write(Call("m", HI), DEPLOYMENT).path == b"generateContent"
    assert far.write(Call("m", HI, stream=True), DEPLOYMENT).path == b"streamGenerateContent?alt=sse"


def test_litellms_names_are_geminis() -> None:
    extra = {
        "safety_settings": msgspec.Raw(b"[1]"),
        "cached_content": msgspec.Raw(b'"c"'),
        "modalities": msgspec.Raw(b'["text"]'),
    }
    body = sent(Call("m", HI, extra=extra))
    assert (body["safetySettings"], body["cachedContent"]) == ([1], "c")
    assert "modalities" not in body


def test_a_search_is_a_tool_of_googles() -> None:
    body = sent(Call("m", HI, extra={"web_search_options": msgspec.Raw(b"{}")}))
    assert body["tools"] == [{"googleSearch": {}}]


def test_a_native_tool_of_another_dialect_is_the_function_that_it_also_is() -> None:
    native = Tool(
        "f", parameters=msgspec.Raw(b'{"type":"object"}'), native=msgspec.Raw(b"{}"), dialect="openai_responses"
    )
    assert sent(Call("m", HI, tools=(native,)))["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    with pytest.raises(Unsupported, match="only its own provider knows"):
        sent(Call("m", HI, tools=(msgspec.structs.replace(native, parameters=None),)))


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    plain = msgspec.structs.replace(DEPLOYMENT, capabilities=frozenset({"tools"}))
    assert "generationConfig" not in sent(Call("m", HI, reasoning=Reasoning("none")), plain)
    with pytest.raises(Unsupported, match="reasoning_effort"):
        sent(Call("m", HI, reasoning=Reasoning("low")), plain)
    dropping = msgspec.structs.replace(plain, drop_params=True)
    assert "generationConfig" not in sent(Call("m", HI, reasoning=Reasoning("low")), dropping)


def test_texts_are_embedded_without_what_only_chats_have() -> None:
    extra = {"task_type": msgspec.Raw(b'"CLUSTERING"'), "safety_settings": msgspec.Raw(b"[1]")}
    outbound = GeminiEmbeddingFar(path_of).write(EmbeddingCall("m", ("a",), extra=extra), DEPLOYMENT)
    assert outbound.path == b"batchEmbedContents"
    assert json.loads(outbound.body)["requests"] == [
        {"model": "models/gemini-2.5-flash", "content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"}
    ]
    with pytest.raises(Unsupported, match="token ids"):
        GeminiEmbeddingFar(path_of).write(EmbeddingCall("m", ((1, 2),)), DEPLOYMENT)
