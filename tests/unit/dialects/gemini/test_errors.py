from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import (
    Broken,
    BudgetExceeded,
    Forbidden,
    GatewayError,
    LimitReached,
    Malformed,
    NotFound,
    Overloaded,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unreachable,
    UpstreamFailed,
)
from pointsman.dialects.gemini.errors import read_error, read_stream_error, write_error


def body(code: int, message: str, status: str = "X", details: object = None) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "status": status, "details": details}}).encode()


KEY = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
RETRY = [{"@type": "t", "links": []}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13.5s"}]
LONG = "The input token count (1500000) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize(
    ("status", "answer", "kind", "expected_status", "code"),
    [
        (400, body(400, "Invalid value"), Rejected, 400, "upstream_rejected"),
        (400, body(400, "API key not valid.", details=KEY), Rejected, 401, "upstream_rejected"),
        (400, body(400, LONG), Rejected, 400, "context_length_exceeded"),
        (403, body(403, "no"), Rejected, 403, "upstream_rejected"),
        (404, body(404, "models/x is not found"), Rejected, 404, "model_not_found"),
        (429, body(429, "quota"), Overloaded, 429, "upstream_overloaded"),
        (503, body(503, "The model is overloaded."), Overloaded, 503, "upstream_overloaded"),
        (500, body(500, "internal"), Broken, 502, "upstream_broken"),
        (502, b"<html><title>Bad Gateway</title></html>", Broken, 502, "upstream_broken"),
    ],
)
def test_what_an_error_means(
    status: int, answer: bytes, kind: type[UpstreamFailed], expected_status: int, code: str
) -> None:
    for form in (answer, b"[" + answer + b"]"):
        error = read_error(status, form, "up")
        assert isinstance(error, kind)
        assert (error.status, error.code) == (expected_status, code)


def test_the_words_and_the_time_to_wait() -> None:
    error = read_error(429, body(429, "Quota exceeded for ?key=abcdef", details=RETRY))
    assert error.retry_after == 13.5
    assert error.message == "Quota exceeded for ?key=[hidden]"
    assert read_error(500, b"").message == "Gemini answered with status 500 and said no more."
    assert read_error(429, body(429, "x", details="odd")).retry_after is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed("m"), "INVALID_ARGUMENT"),
        (Unauthenticated("m"), "UNAUTHENTICATED"),
        (Forbidden("m"), "PERMISSION_DENIED"),
        (NotFound("m"), "NOT_FOUND"),
        (TimedOut("m"), "DEADLINE_EXCEEDED"),
        (BudgetExceeded("m"), "FAILED_PRECONDITION"),
        (LimitReached("m"), "RESOURCE_EXHAUSTED"),
        (Unreachable("m"), "UNAVAILABLE"),
        (Broken("m"), "UNAVAILABLE"),
        (GatewayError("m"), "INTERNAL"),
    ],
)
def test_the_word_for_each_status(error: GatewayError, status: str) -> None:
    found = json.loads(write_error(error))["error"]
    assert (found["code"], found["status"]) == (error.status, status)


def test_details_tell_the_code_the_wait_and_the_call() -> None:
    error = LimitReached("Slow \ud83d.", hint="Wait.", retry_after=2)
    assert json.loads(write_error(error, "id")) == {
        "error": {
            "code": 429,
            "message": "Slow ?. Wait.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "RATE_LIMIT_EXCEEDED",
                    "domain": "pointsman",
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.000s"},
                {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "id"},
            ],
        }
    }
    assert read_error(429, write_error(error)).retry_after == 2.0


@pytest.mark.parametrize(
    ("code", "reason"),
    [("1300", "CODE_1300"), ("quota.exceeded-now", "QUOTA_EXCEEDED_NOW"), ("ß", "SS"), ("é", "CODE__")],
)
def test_a_code_of_an_upstream_becomes_a_reason_as_google_writes_them(code: str, reason: str) -> None:
    error = Overloaded("Slow.", code=code)
    assert json.loads(write_error(error))["error"]["details"][0]["reason"] == reason


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        (body(503, "The model is overloaded."), Overloaded, 503),
        (body(429, "quota"), Overloaded, 429),
        (body(500, "Internal"), Broken, 502),
        (body(3, "odd"), Broken, 502),
        (b"{}", Broken, 502),
    ],
)
def test_an_error_in_a_stream_has_its_status_in_it(answer: bytes, kind: type[UpstreamFailed], status: int) -> None:
    error = read_stream_error(answer)
    assert type(error) is kind and error.status == status


@given(st.binary(max_size=100))
def test_any_body_is_an_error(answer: bytes) -> None:
    assert read_error(400, answer).message
