from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types.shared import ErrorResponse
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import (
    Blocked,
    Broken,
    BudgetExceeded,
    Forbidden,
    GatewayError,
    LimitReached,
    Malformed,
    NotFound,
    Overloaded,
    Rejected,
    StorageUnavailable,
    TimedOut,
    Unauthenticated,
    Unreachable,
)
from pointsman.dialects.anthropic_messages.errors import read_error, read_stream_error, write_error, write_stream_error


def body(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Malformed("m"), "invalid_request_error"),
        (Blocked("m"), "invalid_request_error"),
        (Unauthenticated("m"), "authentication_error"),
        (Rejected("m", status=402), "billing_error"),
        (BudgetExceeded("m"), "billing_error"),
        (Forbidden("m"), "permission_error"),
        (NotFound("m"), "not_found_error"),
        (TimedOut("m"), "timeout_error"),
        (Rejected("m", status=422), "invalid_request_error"),
        (LimitReached("m"), "rate_limit_error"),
        (Overloaded("m"), "rate_limit_error"),
        (Overloaded("m", status=503), "overloaded_error"),
        (Unreachable("m"), "api_error"),
        (StorageUnavailable("m"), "api_error"),
        (Broken("m"), "api_error"),
        (Broken("m", status=504), "timeout_error"),
        (GatewayError("m"), "api_error"),
    ],
)
def test_each_error_has_anthropics_name_and_the_official_sdk_can_read_it(error: GatewayError, kind: str) -> None:
    found = ErrorResponse.model_validate_json(write_error(error, "call-1"), strict=True)
    assert (found.error.type, found.error.message, found.request_id) == (kind, "m", "call-1")


def test_a_body_that_is_too_large_has_its_own_name() -> None:
    assert json.loads(write_error(Malformed("m", status=413)))["error"]["type"] == "request_too_large"


def test_the_hint_is_told_and_half_a_character_does_no_harm() -> None:
    found: Any = json.loads(write_error(Malformed("m \ud800.", hint="Do this.")))
    assert found["error"]["message"] == "m ?. Do this." and found["request_id"] is None


def test_a_prompt_that_is_too_long_is_told_in_the_words_that_clients_look_for() -> None:
    error = Rejected("The window has 4096 tokens.", code="context_length_exceeded")
    told = json.loads(write_error(error))["error"]["message"]
    assert told == "prompt is too long: The window has 4096 tokens."
    error = Rejected("Prompt is too long: 5 > 4", code="context_length_exceeded")
    assert json.loads(write_error(error))["error"]["message"] == "Prompt is too long: 5 > 4"


def test_an_error_in_a_stream_is_an_event() -> None:
    assert write_stream_error(Broken("m")) == b"event: error\ndata: " + write_error(Broken("m")) + b"\n\n"


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "given_body", "expected"),
    [
        (400, body("invalid_request_error", "Bad."), (400, "upstream_rejected", "Bad.")),
        (401, body("authentication_error", "invalid x-api-key"), (401, "upstream_rejected", "invalid x-api-key.")),
        (402, body("billing_error", "Pay."), (402, "billing_error", "Pay.")),
        (404, body("not_found_error", "model: claude-x"), (404, "model_not_found", "model: claude-x")),
        (404, body("not_found_error", "Not here"), (404, "upstream_rejected", "Not here")),
        (413, body("request_too_large", "Too large"), (413, "request_too_large", "Too large")),
        (429, body("rate_limit_error", "Slow"), (429, "upstream_overloaded", "Slow")),
        (500, body("api_error", "Oh"), (502, "upstream_broken", "Oh")),
        (529, body("overloaded_error", "Overloaded"), (503, "upstream_overloaded", "Overloaded")),
        (502, b"<html><title>502 Bad Gateway</title></html>", (502, "upstream_broken", "502 Bad Gateway")),
        (400, b'{"message":"from a gateway"}', (400, "upstream_rejected", "from a gateway")),
        (400, b'{"error":"plain"}', (400, "upstream_rejected", '{"error":"plain"}')),
        (400, b'{"error":{"type":7}}', (400, "upstream_rejected", '{"error":{"type":7}}')),
        (500, b"", (502, "upstream_broken", "The upstream answered with status 500 and said no more.")),
    ],
)
def test_each_shape_of_an_error_is_read(status: int, given_body: bytes, expected: tuple[int, str, str]) -> None:
    error = read_error(status, given_body)
    assert (error.status, error.code, error.message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 208310 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    ],
)
@pytest.mark.parametrize("status", [400, 413])
def test_a_prompt_that_is_too_long_is_told_the_same_way_whoever_says_it(status: int, message: str) -> None:
    error = read_error(status, body("invalid_request_error", message))
    assert (error.status, error.code) == (400, "context_length_exceeded")


def test_in_a_stream_the_type_stands_in_for_the_status() -> None:
    assert isinstance(read_stream_error(body("overloaded_error", "m")), Overloaded)
    assert isinstance(read_stream_error(body("invalid_request_error", "m")), Rejected)
    assert isinstance(read_stream_error(body("api_error", "m")), Broken)
    assert isinstance(read_stream_error(body("novel_error", "m")), Broken)


def test_a_refused_key_is_not_repeated_and_is_said_to_be_the_gateways() -> None:
    key = "sk" + "-ant-abcdef123456"
    error = read_error(401, body("authentication_error", f"invalid key {key}"))
    assert key not in write_error(error).decode()
    assert "configured for this deployment" in error.told()


@given(st.integers(0, 600), st.binary(max_size=100))
def test_any_answer_is_an_error_that_can_be_told(status: int, answer: bytes) -> None:
    assert json.loads(write_error(read_error(status, answer)))["error"]["message"]
    assert json.loads(write_error(read_stream_error(answer)))["error"]["message"]
