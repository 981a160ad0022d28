"""Which of OpenAI's models know the bound on their answer under its newer name only."""

from __future__ import annotations

import json

import msgspec
import pytest

from pointsman.core.upstream import Deployment, Operation
from pointsman.dialects.openai_fields import read_ask
from pointsman.providers.lanes import LaneBook
from pointsman.providers.translated import has_newer_limit


def deployment(provider: str, model: str, base_model: str | None = None) -> Deployment:
    told = {} if base_model is None else {"base_model": msgspec.Raw(msgspec.json.encode(base_model))}
    return Deployment("d", "m", provider, model, f"{provider}/{model}", "https://x", None, told=told)


@pytest.mark.parametrize(
    ("provider", "model", "base_model", "newer"),
    [
        ("openai", "o1-mini", None, True),
        ("openai", "o3", None, True),
        ("openai", "gpt-5.1", None, True),
        ("openai", "gpt-6-astra", None, True),
        ("openai", "gpt-4o", None, False),
        ("openai", "o", None, False),
        ("azure", "gpt-35-turbo", None, False),
        ("azure", "gpt5_series/mine", None, True),
        ("azure", "mine", "azure/o4-mini", True),
        ("azure", "mine", "azure/gpt-4o", False),
        ("hosted_vllm", "o1-like", None, False),
    ],
)
def test_the_name_or_the_base_model_tells(provider: str, model: str, base_model: str | None, newer: bool) -> None:
    assert has_newer_limit(deployment(provider, model, base_model)) is newer


def test_the_express_lane_renames_it_in_chats_only() -> None:
    book, body = LaneBook({}), {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    chat = book.lane(Operation.CHAT, deployment("openai", "o3"))
    sent = json.loads(chat.write(read_ask(json.dumps(body).encode(), Operation.CHAT, None)).body)
    assert (sent.get("max_completion_tokens"), "max_tokens" in sent) == (5, False)
    text = json.dumps({"model": "m", "prompt": "hi", "max_tokens": 5}).encode()
    completion = book.lane(Operation.COMPLETION, deployment("openai", "o3"))
    sent = json.loads(completion.write(read_ask(text, Operation.COMPLETION, None)).body)
    assert sent["max_tokens"] == 5
