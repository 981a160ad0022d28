"""What watsonx.ai's errors mean."""

from __future__ import annotations

import json

import pytest

from pointsman.core.errors import Broken, Overloaded, Rejected
from pointsman.dialects.watsonx.errors import read_error, read_stream_error


def body(code: str, message: str, status: int | None = None) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}], "trace": "t", "status_code": status}).encode()


@pytest.mark.parametrize(
    ("status", "code", "message", "told"),
    [
        (401, "authentication_token_expired", "expired", (401, "authentication_token_expired")),
        (403, "token_quota_reached", "no tokens left", (403, "token_quota_reached")),
        (404, "model_not_supported", "Model 'x' is not supported", (404, "model_not_found")),
        (400, "invalid", "tokens 9 cannot exceed the total tokens limit 8", (400, "context_length_exceeded")),
        (400, "json_validation_error", "temperature: must be a number", (400, "json_validation_error")),
    ],
)
def test_an_error_keeps_its_words_and_its_status(status: int, code: str, message: str, told: tuple[int, str]) -> None:
    error = read_error(status, body(code, message))
    assert isinstance(error, Rejected) and (error.status, error.code) == told
    assert message in error.message


def test_too_much_and_broken_are_told_apart() -> None:
    assert isinstance(read_error(429, body("rate_limit_reached_requests", "slow down")), Overloaded)
    assert isinstance(read_error(500, body("internal", "oh")), Broken)


@pytest.mark.parametrize("other", [b"", b"<html><title>Bad gateway</title></html>", b'{"errors":7}', b"\xff", b"[]"])
def test_whatever_else_comes_is_read_too(other: bytes) -> None:
    assert read_error(502, other).message
    assert read_stream_error(other) is None


def test_an_error_in_a_stream_is_known_from_a_chunk() -> None:
    error = read_stream_error(body("internal", "it went away", 503))
    assert isinstance(error, Overloaded) and "it went away" in error.message
    assert isinstance(read_stream_error(body("internal", "it went away")), Broken)
    assert read_stream_error(b'{"choices":[{"delta":{"content":"\\"errors\\""}}]}') is None
    assert read_stream_error(b'{"errors":[]}') is None
