"""What OpenAI is told of a request's ``metadata`` where the request is translated; see test_express_lane for relays."""

from __future__ import annotations

import json

import msgspec
import pytest

from pointsman.core.call import Call
from pointsman.core.content import Message, Text
from pointsman.core.upstream import Deployment
from pointsman.providers.translated import OpenAIChatFar
from pointsman.providers.translated.openai_responses import OpenAIResponsesFar

HI = (Message("user", (Text("Hi"),)),)


def deployment(base: str = "https://api.openai.com/v1") -> Deployment:
    return Deployment("d", "m", "openai", "gpt-4.1", "openai/gpt-4.1", base, None)


@pytest.mark.parametrize(
    ("store", "base", "left"),
    [
        (b"true", "https://api.openai.com/v1", {"team": "a"}),
        (b"false", "https://api.openai.com/v1", None),
        (None, "https://api.openai.com/v1", None),
        (None, "http://vllm.invalid/v1", {"team": "a", "n": 1}),
    ],
)
def test_a_chat_of_openais_is_told_it_only_beside_store(store: bytes | None, base: str, left: object) -> None:
    extra = {"metadata": msgspec.Raw(b'{"team":"a","n":1}')}
    if store is not None:
        extra["store"] = msgspec.Raw(store)
    outbound = OpenAIChatFar().write(Call("m", HI, extra=extra), deployment(base))
    assert json.loads(outbound.body).get("metadata") == left


@pytest.mark.parametrize(("raw", "left"), [(b'{"team":"a","n":1}', {"team": "a"}), (b'{"n":1}', None), (b"7", None)])
def test_the_responses_api_is_told_its_texts(raw: bytes, left: object) -> None:
    call = Call("m", HI, extra={"metadata": msgspec.Raw(raw)})
    assert json.loads(OpenAIResponsesFar().write(call, deployment()).body).get("metadata") == left
