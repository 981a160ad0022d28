"""Errors in Anthropic's shape: written for clients, read from upstreams.

Source: https://platform.claude.com/docs/en/api/errors.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import BudgetExceeded, GatewayError, Overloaded, UpstreamFailed
from pointsman.wire.upstream_errors import fit_to_repeat, said_text, upstream_failure

__all__ = ["read_error", "read_stream_error", "status_of", "write_error", "write_stream_error"]

_encode: Final = msgspec.json.Encoder().encode

_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error in a stream, which has no status of its own, would have had for one."""

_TOO_LONG: Final = "prompt is too long"
"""How Anthropic begins to say it; clients that shorten their conversation look for these words."""

_CONTEXT_WORDS: Final = (_TOO_LONG, "exceed context limit", "exceeds the context window", "context window exceeded")
_CODE_CHARACTERS_MAX: Final = 80


class _Detail(msgspec.Struct):
    type: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Shape(msgspec.Struct):
    """An error body; gateways before the API answer with ``error`` as text, or ``message`` at the top."""

    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    request_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_shape: Final = msgspec.json.Decoder(_Shape).decode
_decode_detail: Final = msgspec.json.Decoder(_Detail).decode


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_error(error: GatewayError, call_id: str = "") -> bytes:
    """The body of an error answer; ``call_id`` is what Anthropic calls ``request_id``, unless an upstream gave one."""
    message = error.told().encode("utf-8", "replace").decode()
    if error.code == "context_length_exceeded" and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    detail = {"type": _type(error), "message": message}
    return _encode({"type": "error", "error": detail, "request_id": error.request_id or call_id or None})


def write_stream_error(error: GatewayError) -> bytes:
    """An error in a stream that has begun, and the end of that stream."""
    return b"event: error\ndata: %b\n\n" % write_error(error)


def _type(error: GatewayError) -> str:
    if isinstance(error, BudgetExceeded):
        return "billing_error"
    if isinstance(error, Overloaded) and error.status != 429:
        return "overloaded_error"
    return _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_error(status: int, body: bytes) -> UpstreamFailed:
    """What an upstream's error answer means; a body that is not of this dialect is quoted, shortened.

    Text of the upstream is passed on without anything that looks like a credential.
    """
    kind, told, request_id = _taken_apart(body)
    message = fit_to_repeat(told)
    code: str | None = None
    if status < 500 and any(words in message.lower() for words in _CONTEXT_WORDS):
        status, code = 400, "context_length_exceeded"
    elif status == 404 and message.lower().startswith("model"):
        code = "model_not_found"
    elif status in {402, 413}:
        code = kind[:_CODE_CHARACTERS_MAX] or None
    failure = upstream_failure(
        status,
        message or f"The upstream answered with status {status} and said no more.",
        code=code,
        hint="The upstream refused the credentials configured for this deployment." if status == 401 else None,
    )
    failure.request_id = fit_to_repeat(request_id[:_CODE_CHARACTERS_MAX]) or None
    return failure


def read_stream_error(body: bytes) -> UpstreamFailed:
    """What an error in a stream, or in an answer with status 200, means: its type stands in for the status."""
    return read_error(status_of(body), body)


def status_of(body: bytes) -> int:
    """The status that an error has whose answer began with another: 500 where its type is not known."""
    return _STATUSES.get(_taken_apart(body)[0], 500)


def _taken_apart(body: bytes) -> tuple[str, str, str]:
    """The type, the message (the body itself where it has none), and the upstream's id of the request."""
    text = body.decode("utf-8", "replace")
    try:
        shape = _decode_shape(body)
        if not isinstance(shape.error, msgspec.Raw):
            return "", said_text(shape.message) or text, ""
        detail = _decode_detail(shape.error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", text, ""
    return said_text(detail.type), said_text(detail.message) or text, said_text(shape.request_id)
