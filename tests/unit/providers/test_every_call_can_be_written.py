"""Whatever a client may ask for is written for a service, or refused by name: nothing in between."""

from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import given, settings

from pointsman.core.call import Call
from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment
from pointsman.providers.fitting import fitting_for
from pointsman.providers.translated import CohereFar, FarSide, MistralFar, OpenAIChatFar
from tests.unit.dialects.openai_chat.test_requests import calls

_REASONS: Final = frozenset({"reasoning"})


def at(provider: str, model: str, capabilities: frozenset[str] = frozenset()) -> Deployment:
    return Deployment(
        id="d", group="public", provider=provider, model=model, litellm_model=f"{provider}/{model}",
        api_base="http://x", price=None, drop_params=True, capabilities=capabilities,
    )  # fmt: skip


def fitted(provider: str) -> tuple[FarSide, Deployment]:
    deployment = at(provider, "m", _REASONS)
    return OpenAIChatFar(fitting_for(deployment)), deployment


SERVICES: Final[dict[str, tuple[FarSide, Deployment]]] = {
    "mistral": (MistralFar(), at("mistral", "small")),
    "magistral": (MistralFar(), at("mistral", "magistral")),
    "cohere": (CohereFar(), at("cohere", "command")),
    "cohere reasoning": (CohereFar(), at("cohere", "command-reasoning")),
    **{name: fitted(name) for name in ("groq", "deepseek", "dashscope", "openrouter", "perplexity", "zai")},
}


@pytest.mark.parametrize("name", SERVICES)
@settings(max_examples=40)
@given(call=calls())
def test_a_body_or_a_reason(name: str, call: Call) -> None:
    far, deployment = SERVICES[name]
    named: str | None = None
    try:
        body = far.write(call, deployment).body
    except Unsupported as refused:
        named, body = refused.param, b""
    if not body:
        assert named
        return
    sent = json.loads(body)
    assert sent["model"] == deployment.model and isinstance(sent["messages"], list)
    assert bool(sent.get("stream")) == call.stream
    assert all(message["role"] != "developer" for message in sent["messages"]) or name == "openrouter"
