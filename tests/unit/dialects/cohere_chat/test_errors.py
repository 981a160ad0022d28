"""What Cohere's errors mean."""

from __future__ import annotations

import json

import pytest

from pointsman.core.errors import Broken, Overloaded, Rejected
from pointsman.dialects.cohere_chat.errors import read_error


@pytest.mark.parametrize(
    ("status", "message", "kind", "expected", "code"),
    [
        (400, "invalid request: k must be positive", Rejected, 400, "upstream_rejected"),
        (400, "too many tokens: total number of tokens cannot exceed 4081", Rejected, 400, "context_length_exceeded"),
        (400, "too many tokens: max tokens must be less than or equal to 4096", Rejected, 400, "upstream_rejected"),
        (401, "invalid api token", Rejected, 401, "upstream_rejected"),
        (404, "model 'nope' not found", Rejected, 404, "model_not_found"),
        (429, "You are past the per minute request limit", Overloaded, 429, "upstream_overloaded"),
        (498, "invalid token", Rejected, 401, "upstream_rejected"),
        (500, "internal server error", Broken, 502, "upstream_broken"),
        (503, "try later", Overloaded, 503, "upstream_overloaded"),
    ],
)
def test_the_status_and_the_words_tell_what_happened(
    status: int, message: str, kind: type[Exception], expected: int, code: str
) -> None:
    error = read_error(status, json.dumps({"id": "1", "message": message}).encode(), "nope")
    assert isinstance(error, kind) and (error.status, error.code) == (expected, code)
    assert message in error.message


@pytest.mark.parametrize("body", [b"<html><title>Bad gateway</title></html>", b"", b'{"message":7}', b"\xff"])
def test_a_body_of_another_kind_is_quoted(body: bytes) -> None:
    error = read_error(502, body)
    assert isinstance(error, Broken) and error.message and "<" not in error.message
