from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken, Overloaded, Rejected, UpstreamFailed
from pointsman.dialects.ollama.errors import read_error


def read(status: int, text: object, model: str = "x:1b") -> UpstreamFailed:
    return read_error(status, text if isinstance(text, bytes) else json.dumps({"error": text}).encode(), model)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, "model 'x:1b' not found"),
        (404, 'model "x:1b" not found, try pulling it first'),
        (404, b""),
    ],
)
def test_a_missing_model_comes_with_the_command_that_pulls_it(status: int, text: object) -> None:
    error = read(status, text)
    assert (type(error), error.status, error.code) == (Rejected, 404, "model_not_found")
    assert error.told().endswith("Pull it with: ollama pull x:1b")


def test_without_the_models_name_there_is_no_command() -> None:
    assert read(404, b"", "").told() == "Ollama does not have the model."
    assert read(404, "no route", "").code == "upstream_rejected"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x does not support tools", "without tools"),
        ('"x" does not support thinking', "reasoning_effort: none"),
        ('think value "low" is one that "x" does not support', "reasoning_effort: none"),
        ('think value "high" is not supported for this model', "reasoning_effort: none"),
        ('"x" does not support chat', "/v1/embeddings"),
        ('"x" does not support generate', "/v1/embeddings"),
        ("x does not support insert", "without suffix"),
    ],
)
def test_what_a_model_cannot_do_comes_with_a_way_out(text: str, words: str) -> None:
    error = read(400, text)
    assert (type(error), error.status, error.code) == (Rejected, 400, "unsupported_parameter")
    assert words in error.told()


def test_an_inability_that_is_not_known_comes_without_advice() -> None:
    assert read(400, "x does not support dancing").hint is None


RUNNERS = {"code": 400, "message": "request (351 tokens) exceeds the available context size (256 tokens)"}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "the prompt is longer than the context length currently available"),
        (400, "the input length exceeds the context length"),
        (500, "the input length exceeds the context length"),
        (502, "the prompt is longer than the context length"),
        (400, json.dumps({"error": RUNNERS})),
        (400, RUNNERS),
        (413, json.dumps({"type": "exceed_context_size_error", "message": "exceed_context_size"})),
    ],
)
def test_a_prompt_that_is_too_long_is_told_the_same_way_whoever_says_it(status: int, text: object) -> None:
    error = read(status, text)
    assert (type(error), error.status, error.code) == (Rejected, 400, "context_length_exceeded")


def test_the_numbers_of_the_runner_are_told() -> None:
    assert "351 tokens" in read(400, json.dumps({"error": RUNNERS})).message


@pytest.mark.parametrize(
    ("status", "text", "kind", "told"),
    [
        (503, "server busy, please try again.  maximum pending requests exceeded", Overloaded, 503),
        (429, "too fast", Overloaded, 429),
        (500, "llama runner process has terminated", Broken, 502),
        (403, b"", Rejected, 403),
        (401, "unauthorized", Rejected, 401),
        (499, "request canceled", Rejected, 499),
        (301, b"", Broken, 502),
    ],
)
def test_the_class_follows_the_status(status: int, text: object, kind: type[UpstreamFailed], told: int) -> None:
    error = read(status, text)
    assert (type(error), error.status) == (kind, told)
    assert error.message


def test_an_empty_refusal_is_explained() -> None:
    assert "OLLAMA_HOST" in read(403, b"").told()
    assert "ollama signin" in read(401, "unauthorized").told()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":7}', "7"),
        (b'{"message":"m"}', "m"),
        (b'{"other":1}', '{"other":1}'),
        (b"<html><title>Bad</title></html>", "Bad"),
        (b"\xff", "\ufffd"),
    ],
)
def test_a_body_of_another_shape_is_quoted(body: bytes, message: str) -> None:
    assert read(400, body).message == message


def test_errors_within_errors_have_an_end() -> None:
    text = "innermost"
    for _ in range(20):
        text = json.dumps({"error": text})
    assert read(400, text).message


@given(st.integers(0, 600), st.binary(max_size=100))
def test_any_answer_is_an_error_that_can_be_told(status: int, body: bytes) -> None:
    assert read_error(status, body).told()


@pytest.mark.parametrize(
    "text",
    [
        'option "temperature" must be of type float32',
        'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object',
        "invalid JSON schema in format",
    ],
)
def test_what_only_the_client_can_mend_is_no_failure_of_ollama(text: str) -> None:
    error = read(500, text)
    assert (type(error), error.status, error.code) == (Rejected, 400, "invalid_value")
    assert text in error.told()
    assert isinstance(read(500, f"llama runner: {text}"), Broken)
