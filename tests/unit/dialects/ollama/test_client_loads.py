from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Operation
from pointsman.dialects.ollama.client_grammar import violations
from pointsman.dialects.ollama.client_loads import LoadRequest, OllamaRoute, read_load, write_load
from pointsman.dialects.ollama.dialect import OllamaChatDialect, OllamaEmbedDialect, OllamaGenerateDialect
from tests.unit.dialects.ollama.client_samples import STAMP, SetClock

ROUTES: dict[type, tuple[Operation, OllamaRoute]] = {
    OllamaChatDialect: (Operation.OLLAMA_CHAT, "chat"),
    OllamaGenerateDialect: (Operation.OLLAMA_GENERATE, "generate"),
    OllamaEmbedDialect: (Operation.OLLAMA_EMBED, "embed"),
}


def load(dialect: Any = OllamaChatDialect, **fields: object) -> LoadRequest | None:
    body = json.dumps({"model": "m", **fields}).encode()
    operation, route = ROUTES[dialect]
    ask = dialect.read_ask(body, operation, None)
    found = read_load(ask, route)
    assert (ask.operation, ask.notes) == ((operation, None) if found is None else (Operation.OLLAMA_LOAD, found))
    assert found is None or not ask.stream
    return found


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (OllamaChatDialect, {}),
        (OllamaChatDialect, {"messages": None}),
        (OllamaChatDialect, {"messages": []}),
        (OllamaGenerateDialect, {}),
        (OllamaGenerateDialect, {"prompt": "", "images": []}),
        (OllamaEmbedDialect, {"input": ""}),
        (OllamaEmbedDialect, {"input": []}),
        (OllamaEmbedDialect, {"prompt": ""}),
    ],
)
def test_no_content_means_load(dialect: Any, fields: dict[str, object]) -> None:
    assert load(dialect, **fields) == LoadRequest("m", ROUTES[dialect][1])


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (OllamaChatDialect, {"messages": [{"role": "user", "content": ""}]}),
        (OllamaGenerateDialect, {"prompt": " "}),
        (OllamaGenerateDialect, {"prompt": "", "images": ["aGk="]}),
        (OllamaEmbedDialect, {"input": [""]}),
    ],
)
def test_content_means_none(dialect: Any, fields: dict[str, object]) -> None:
    assert load(dialect, **fields, keep_alive=0) is None


@pytest.mark.parametrize("keep_alive", [0, 0.0, "0", "0s", "0m0s", "-0h", "0.0ms"])
def test_no_time_means_unload(keep_alive: object) -> None:
    raw = msgspec.Raw(json.dumps(keep_alive).encode())
    assert load(keep_alive=keep_alive) == LoadRequest("m", "chat", unload=True, keep_alive=raw)


@pytest.mark.parametrize("keep_alive", [-1, 5, "5m", "10s", "0h1m", "00h05m", "-1"])
def test_any_time_means_load(keep_alive: object) -> None:
    raw = msgspec.Raw(json.dumps(keep_alive).encode())
    assert load(keep_alive=keep_alive) == LoadRequest("m", "chat", keep_alive=raw)


def test_a_null_time_is_not_said() -> None:
    assert load(keep_alive=None) == LoadRequest("m", "chat")


@pytest.mark.parametrize("keep_alive", [[], {}, True, ""])
def test_a_time_that_is_none_is_refused(keep_alive: object) -> None:
    with pytest.raises(Malformed) as caught:
        load(keep_alive=keep_alive)
    assert caught.value.param == "keep_alive"


HEAD = {"model": "m", "created_at": STAMP}


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("chat", {**HEAD, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}),
        ("generate", {**HEAD, "response": "", "done": True, "done_reason": "load"}),
        ("embed", {"model": "m", "embeddings": []}),
        ("embeddings", {"embedding": []}),
    ],
)
def test_the_answer(route: OllamaRoute, expected: object) -> None:
    assert json.loads(write_load(LoadRequest("m", route), SetClock())) == expected


def test_the_answer_is_a_good_stream_too() -> None:
    body = write_load(LoadRequest("m", "generate", unload=True))
    assert violations(body) == []
    assert json.loads(body)["done_reason"] == "unload"
