from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.ollama.client_requests import read_chat_request, read_generate_request
from pointsman.dialects.ollama.dialect import OllamaChatDialect, OllamaEmbedDialect, OllamaGenerateDialect

DIALECTS: list[ClientDialect] = [OllamaChatDialect(), OllamaGenerateDialect(), OllamaEmbedDialect()]
ROUTES = {
    OllamaChatDialect: Operation.OLLAMA_CHAT,
    OllamaGenerateDialect: Operation.OLLAMA_GENERATE,
    OllamaEmbedDialect: Operation.OLLAMA_EMBED,
}
HI = [{"role": "user", "content": "Hi"}]


def ask(dialect: Any = OllamaChatDialect, **fields: object) -> Ask:
    body = json.dumps({"model": "m", **fields}).encode()
    found = dialect.read_ask(body, ROUTES[dialect], None)
    assert isinstance(found, Ask)
    return found


def test_a_stream_with_counts_is_the_default() -> None:
    found = ask(messages=HI)
    assert (found.model, found.stream, found.include_usage, found.choices) == ("m", True, True, 1)
    assert ask(messages=HI, stream=False).stream is False
    assert ask(messages=HI, stream=None).stream is True


def test_embeddings_never_stream() -> None:
    assert ask(OllamaEmbedDialect, input="a").stream is False


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"options": None}, None),
        ({"options": {"num_predict": 9}}, 9),
        ({"options": {"num_predict": 9.0}}, 9),
        ({"options": {"num_predict": -1}}, None),
        ({"options": {"num_predict": None}, "max_tokens": 7}, 7),
        ({"num_predict": 8}, 8),
    ],
)
def test_the_bound_is_the_one_that_counts_later(fields: dict[str, object], expected: int | None) -> None:
    assert ask(messages=HI, **fields).output_limit == expected
    body = json.dumps({"model": "m", "messages": HI, **fields}).encode()
    assert read_chat_request(body).sampling.max_tokens == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Operation.OLLAMA_GENERATE),
        ({"raw": False, "template": "", "suffix": None}, Operation.OLLAMA_GENERATE),
        ({"raw": True}, Operation.OLLAMA_COMPLETION),
        ({"template": "{{.Prompt}}"}, Operation.OLLAMA_COMPLETION),
        ({"suffix": "end"}, Operation.OLLAMA_COMPLETION),
    ],
)
def test_what_generate_is_asked_for(fields: dict[str, object], expected: Operation) -> None:
    assert ask(OllamaGenerateDialect, prompt="Hi", **fields).operation is expected
    call = read_generate_request(json.dumps({"model": "m", "prompt": "Hi", **fields}).encode())
    assert hasattr(call, "messages") == (expected is Operation.OLLAMA_GENERATE)


def test_a_model_in_the_path_wins() -> None:
    assert OllamaChatDialect.read_ask(b'{"model":"m"}', Operation.CHAT, "other").model == "other"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": HI, "stream": "yes"}, "stream"),
        ({"messages": HI, "options": [1]}, "options"),
        ({"messages": HI, "options": {"num_predict": "many"}}, "options.num_predict"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        ask(**fields)
    assert caught.value.param == param


@given(st.binary(max_size=60))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for dialect in DIALECTS:
        with pytest.raises(Malformed):
            dialect.read_ask(body, Operation.CHAT, None)
