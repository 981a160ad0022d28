from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken, Overloaded, Rejected, UpstreamFailed
from pointsman.dialects.openai_chat.errors import read_error, read_stream_error, write_error


def read(status: int, body: object) -> tuple[int, str, str, str | None]:
    error = read_error(status, body if isinstance(body, bytes) else json.dumps(body).encode())
    return error.status, error.code, error.message, error.param


def behind_router(raw: object) -> object:
    """How OpenRouter tells what one of its providers said."""
    return {"error": {"message": "Failed", "code": 400, "metadata": {"provider_name": "Acme", "raw": raw}}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            400,
            {"error": {"message": "Bad n.", "type": "invalid_request_error", "param": "n", "code": "bad_n"}},
            (400, "bad_n", "Bad n.", "n"),
        ),
        (400, {"error": {"message": "Bad.", "code": 400, "param": None}}, (400, "upstream_rejected", "Bad.", None)),
        (400, {"error": "plain words"}, (400, "upstream_rejected", "plain words", None)),
        (400, {"object": "error", "message": "old vLLM", "code": 40001}, (400, "upstream_rejected", "old vLLM", None)),
        (422, {"detail": "FastAPI"}, (422, "upstream_rejected", "FastAPI", None)),
        (422, {"detail": [{"loc": ["a"]}]}, (422, "upstream_rejected", '[{"loc": ["a"]}]', None)),
        (404, {"error": {"message": "No model `x`"}}, (404, "model_not_found", "No model `x`", None)),
        (404, {"error": {"message": "Not here"}}, (404, "upstream_rejected", "Not here", None)),
        (429, {"error": {"message": "Slow down", "code": "too_fast"}}, (429, "too_fast", "Slow down", None)),
        (503, {"error": {"message": "Loading", "code": 503}}, (503, "upstream_overloaded", "Loading", None)),
        (500, b"", (502, "upstream_broken", "The upstream answered with status 500 and said no more.", None)),
        (502, b"<html><title>502 Bad Gateway</title></html>", (502, "upstream_broken", "502 Bad Gateway", None)),
        (400, b"\xff\xfe", (400, "upstream_rejected", "\ufffd\ufffd", None)),
        (400, {"error": {"message": 7}}, (400, "upstream_rejected", "7", None)),
        (400, behind_router('{"error":{"message":"Bad tool"}}'), (400, "upstream_rejected", "Failed: Bad tool", None)),
        (400, behind_router("Bad tool"), (400, "upstream_rejected", "Failed: Bad tool", None)),
        (400, behind_router('{"type":"x"}'), (400, "upstream_rejected", 'Failed: {"type":"x"}', None)),
        (400, behind_router({"no": "text"}), (400, "upstream_rejected", "Failed", None)),
        (400, behind_router("maximum context length"),
         (400, "context_length_exceeded", "Failed: maximum context length", None)),
        (400, {"error": {"message": "Failed", "metadata": 7}}, (400, "upstream_rejected", "Failed", None)),
        (400, {"object": "error", "type": "BadRequest", "param": None, "code": 400,  # SGLang 0.5.23
               "message": "The input (9 tokens) is longer than the model's context length (8 tokens)."},
         (400, "context_length_exceeded",
          "The input (9 tokens) is longer than the model's context length (8 tokens).", None)),
    ],
)  # fmt: skip
def test_each_shape_of_an_error_is_read(status: int, body: object, expected: tuple[int, str, str, str | None]) -> None:
    assert read(status, body) == expected


@pytest.mark.parametrize(
    "error",
    [
        {"message": "too long", "code": "context_length_exceeded"},
        {"code": 400, "message": "request (351 tokens) exceeds", "type": "exceed_context_size_error"},
        {"message": "This model's maximum context length is 4096 tokens, however you requested 5000", "code": 400},
        {"message": "The decoder prompt (length 9) is longer than the maximum model length of 8."},
    ],
)
@pytest.mark.parametrize("status", [400, 413])
def test_a_prompt_that_is_too_long_is_told_the_same_way_whoever_says_it(status: int, error: dict[str, object]) -> None:
    assert read(status, {"error": error})[:2] == (400, "context_length_exceeded")


@pytest.mark.parametrize("medium", ["image", "audio"])
def test_what_a_model_of_llama_cpp_cannot_take_in_is_the_clients_to_mend(medium: str) -> None:
    message = f"{medium} input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    error = read_error(500, json.dumps({"error": {"code": 500, "message": message, "type": "server_error"}}).encode())
    assert isinstance(error, Rejected)
    assert (error.status, error.code) == (400, "unsupported_parameter")
    assert error.told().startswith(f"{message}. Choose a model")


def test_the_class_follows_the_status() -> None:
    assert isinstance(read_error(400, b""), Rejected)
    assert isinstance(read_error(529, b""), Overloaded)
    assert isinstance(read_error(500, b""), Broken)


def test_a_refused_key_is_not_repeated_and_is_said_to_be_the_gateways() -> None:
    key = "sk" + "-proj-abcdef123456"
    error = read_error(401, json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}).encode())
    assert key not in write_error(error).decode()
    assert "configured for this deployment" in error.told()


@given(st.integers(0, 600), st.binary(max_size=100))
def test_any_answer_is_an_error_that_can_be_told(status: int, body: bytes) -> None:
    assert json.loads(write_error(read_error(status, body)))["error"]["message"]


@pytest.mark.parametrize(
    ("told", "kind", "status"),
    [
        ({"message": "The server had an error", "type": "server_error", "code": None}, Broken, 502),
        ({"message": "Slow", "type": "requests", "code": "rate_limit_exceeded"}, Overloaded, 429),
        ({"message": "Slow", "code": "429"}, Overloaded, 429),
        ({"message": "Busy", "code": 503}, Overloaded, 503),
        ({"message": "Too long", "code": 400}, Rejected, 400),
        ({"message": "odd", "code": "1300"}, Broken, 502),
        ({"message": "odd", "code": []}, Broken, 502),
    ],
)
def test_an_error_in_a_stream_may_have_its_status_in_it(told: object, kind: type[UpstreamFailed], status: int) -> None:
    error = read_stream_error(json.dumps({"error": told}).encode())
    assert type(error) is kind and error.status == status
