from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken, Overloaded, Rejected, TimedOut, UpstreamFailed
from pointsman.dialects.bedrock_converse.errors import is_about_expired_keys, read_error, read_exception
from pointsman.dialects.bedrock_converse.types import ExceptionFrame


@pytest.mark.parametrize(
    ("status", "body", "kind", "expected", "code"),
    [
        (400, b'{"message":"Malformed input request"}', Rejected, 400, "upstream_rejected"),
        (400, b'{"message":"Input is too long for requested model."}', Rejected, 400, "context_length_exceeded"),
        (400, b'{"message":"Too many tokens, please wait"}', Overloaded, 429, "upstream_overloaded"),
        (400, b'{"__type":"com.amazon#ThrottlingException","message":"Slow"}', Overloaded, 429, "upstream_overloaded"),
        (403, b'{"Message":"You don\'t have access to the model"}', Rejected, 403, "upstream_rejected"),
        (404, b'{"message":"The provided model identifier is invalid."}', Rejected, 404, "model_not_found"),
        (408, b'{"message":"Model has timed out"}', TimedOut, 408, "upstream_timeout"),
        (424, b'{"message":"The model failed"}', Broken, 502, "upstream_broken"),
        (424, b'{"message":"x","originalStatusCode":400}', Rejected, 400, "upstream_rejected"),
        (429, b'{"message":"Too many requests"}', Overloaded, 429, "upstream_overloaded"),
        (500, b'{"message":"Internal"}', Broken, 502, "upstream_broken"),
        (503, b'{"message":"Unavailable"}', Overloaded, 503, "upstream_overloaded"),
        (502, b"<html><title>Bad gateway</title></html>", Broken, 502, "upstream_broken"),
        (403, b"", Rejected, 403, "upstream_rejected"),
    ],
)
def test_an_error_answer(status: int, body: bytes, kind: type[UpstreamFailed], expected: int, code: str) -> None:
    error = read_error(status, body)
    assert (type(error), error.status, error.code) == (kind, expected, code)
    assert error.message


@pytest.mark.parametrize("body", [b'{"detail":"No such tenant"}', b'{"error":{"message":"No such tenant"}}'])
def test_what_stands_between_is_quoted_whatever_its_form(body: bytes) -> None:
    assert "No such tenant" in read_error(400, body).message


@pytest.mark.parametrize(
    ("name", "detail", "kind", "status"),
    [
        ("throttlingException", b'{"message":"m"}', Overloaded, 429),
        ("serviceUnavailableException", b'{"message":"m"}', Overloaded, 503),
        ("validationException", b'{"message":"m"}', Rejected, 400),
        ("internalServerException", b'{"message":"m"}', Broken, 502),
        ("modelStreamErrorException", b'{"message":"m","originalMessage":"o"}', Broken, 502),
        ("modelStreamErrorException", b'{"message":"m","originalStatusCode":429}', Overloaded, 429),
        ("somethingNewException", b'{"message":"m"}', Broken, 502),
    ],
)
def test_an_exception_in_a_stream(name: str, detail: bytes, kind: type[UpstreamFailed], status: int) -> None:
    error = read_exception(ExceptionFrame(name, msgspec.Raw(detail)))
    assert (type(error), error.status, error.message[:1]) == (kind, status, "m")


def test_an_exception_without_words_has_its_name() -> None:
    assert "throttlingException" in read_exception(ExceptionFrame("throttlingException")).message


def test_the_operators_account_is_not_told() -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/gateway/me"
    error = read_error(403, b'{"message":"User: %b is not authorized to perform: bedrock:InvokeModel"}' % arn.encode())
    assert "123456789012" not in error.told() and "not authorized" in error.message and error.hint


def test_what_should_have_been_signed_is_not_told() -> None:
    told = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key.\n\nThe Canonical String for this request should have been\n'POST\n\nx-amz-security-token:IQoJb3Jp'"
    )
    error = read_error(403, msgspec.json.encode({"message": told + " ASIAQWERTYUIOP12"}))
    assert error.message.endswith("Secret Access Key.") and "IQoJ" not in error.told()
    assert "ASIA" not in read_error(403, b'{"message":"key ASIAQWERTYUIOP12 is bad"}').message


@given(st.integers(400, 599), st.binary(max_size=300))
def test_any_body_is_an_error(status: int, body: bytes) -> None:
    assert 400 <= read_error(status, body).status <= 599


def test_expired_keys_are_noticed() -> None:
    body = b'{"message":"The security token included in the request is expired"}'
    assert is_about_expired_keys(403, body)
    assert not is_about_expired_keys(403, b'{"message":"no access"}') and not is_about_expired_keys(500, body)
