"""Errors in Google's shape: ``{"error": {"code", "message", "status", "details"}}``.

Source: https://ai.google.dev/gemini-api/docs/troubleshooting, https://google.aip.dev/193 (``ErrorInfo``, ``RetryInfo``,
``RequestInfo``). Asked for a stream without ``alt=sse``, Gemini puts the object into an array.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import GatewayError, UpstreamFailed
from pointsman.wire.upstream_errors import fit_to_repeat, status_in, upstream_failure

__all__ = ["read_error", "read_stream_error", "write_error"]

_TYPES: Final = "type.googleapis.com/google.rpc."
_DOMAIN: Final = "pointsman"

_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    504: "DEADLINE_EXCEEDED",
}
_CONTEXT_WORDS: Final = re.compile(r"token count.*exceeds the maximum number of tokens", re.IGNORECASE | re.DOTALL)
_NOT_IN_REASONS: Final = re.compile(r"[^A-Z0-9_]")
_SECONDS: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class _Detail(msgspec.Struct, rename={"type": "@type", "retry_delay": "retryDelay"}):
    type: str = ""
    reason: str | None = None
    retry_delay: str | None = None


class _Fields(msgspec.Struct):
    code: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: str | None = None
    status: str | None = None
    details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Shape(msgspec.Struct):
    error: _Fields


_decode_shape: Final = msgspec.json.Decoder(_Shape | list[_Shape]).decode
_decode_details: Final = msgspec.json.Decoder(list[_Detail]).decode
_encode: Final = msgspec.json.Encoder().encode


def read_error(status: int, body: bytes, model: str = "") -> UpstreamFailed:
    """What an error answer means.

    Args:
        status: The HTTP status.
        body: The body; what is not of this dialect is quoted, shortened.
        model: Gemini's name for the model, for the hint.
    """
    fields = _read(body)
    message = fit_to_repeat((fields and fields.message) or body.decode("utf-8", "replace"))
    details = [] if fields is None else _read_details(fields)
    code: str | None = None
    hint: str | None = None
    if any(detail.reason == "API_KEY_INVALID" for detail in details):
        status = 401
    if status in {401, 403}:
        hint = "The upstream refused the credentials configured for this deployment."
    elif status < 500 and _CONTEXT_WORDS.search(message):
        code, hint = "context_length_exceeded", "Shorten the prompt."
    elif status == 404:
        code = "model_not_found"
        hint = f"Is {model} the name of a model that this key may use?" if model else None
    told = message or f"Gemini answered with status {status} and said no more."
    failure = upstream_failure(status, told, code=code, hint=hint)
    delays = [match for detail in details if (match := _SECONDS.fullmatch(detail.retry_delay or ""))]
    if delays:
        failure.retry_after = float(delays[0][1])
    return failure


def read_stream_error(body: bytes, model: str = "") -> UpstreamFailed:
    """What an error in a stream means: its ``code`` is the status that it would have had as an answer."""
    fields = _read(body)
    return read_error(status_in(msgspec.UNSET if fields is None else fields.code), body, model)


def write_error(error: GatewayError, call_id: str = "") -> bytes:
    """The body of an error answer. The code becomes the ``reason``; the call's id goes with it where there is one."""
    details: list[dict[str, object]] = [
        {"@type": _TYPES + "ErrorInfo", "reason": _reason(error.code), "domain": _DOMAIN}
    ]
    if error.retry_after is not None:
        details.append({"@type": _TYPES + "RetryInfo", "retryDelay": f"{max(error.retry_after, 0):.3f}s"})
    if call_id:
        details.append({"@type": _TYPES + "RequestInfo", "requestId": call_id})
    message = error.told().encode("utf-8", "replace").decode()
    word = _STATUSES.get(error.status, "UNAVAILABLE" if error.status > 500 else "FAILED_PRECONDITION")
    return _encode({"error": {"code": error.status, "message": message, "status": word, "details": details}})


def _read(body: bytes) -> _Fields | None:
    try:
        shape = _decode_shape(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    shapes: list[_Shape] = shape if isinstance(shape, list) else [shape]
    return shapes[0].error if shapes else None


def _read_details(fields: _Fields) -> list[_Detail]:
    """The details, as far as they are of the usual kinds."""
    if not isinstance(fields.details, msgspec.Raw):
        return []
    try:
        return _decode_details(fields.details)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _reason(code: str) -> str:
    """A code as Google wants reasons (https://google.aip.dev/193): capitals, digits and ``_``, and a letter first."""
    reason = _NOT_IN_REASONS.sub("_", code.upper())
    return reason if reason[:1].isalpha() else f"CODE_{reason}"
