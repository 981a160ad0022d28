"""Bedrock's errors, as answers and in the middle of a stream.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, "Errors", and
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import TimedOut, UpstreamFailed
from pointsman.dialects.bedrock_converse.types import ExceptionFrame
from pointsman.wire.upstream_errors import fit_to_repeat, said_text, upstream_failure

__all__ = ["is_about_expired_keys", "read_error", "read_exception"]

_STATUSES: Final = {
    "accessdeniedexception": 403,
    "internalserverexception": 500,
    "modelerrorexception": 424,
    "modelnotreadyexception": 429,
    "modelstreamerrorexception": 424,
    "modeltimeoutexception": 408,
    "resourcenotfoundexception": 404,
    "servicequotaexceededexception": 429,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
"""What an exception in a stream, which has no status of its own, would have had for one."""

_MODEL_FAILED: Final = 424
_MODEL_TIMED_OUT: Final = 408
_STATUS_MAX: Final = 599

_CONTEXT_WORDS: Final = (
    "input is too long",
    "prompt is too long",
    "too many input tokens",
    "exceeds the maximum number of input tokens",
    "exceed context limit",
    "context window",
    "maximum context length",
)
_QUOTA_WORDS: Final = ("too many requests", "too many tokens", "service quota")
_EXPIRED_WORDS: Final = ("security token included in the request is expired", "expired token", "expiredtoken")
_PRIVATE: Final = re.compile(r"\barn:aws[\w-]*:[^\s,;\"']+|\b(?:AKIA|ASIA)[A-Z0-9]{8,}")
"""Names the operator's account, roles and keys, which are no business of the client's."""

_CANONICAL: Final = "The Canonical String"
"""How AWS goes on to tell what it should have been signed, which has the session token in it."""


class _Detail(msgspec.Struct):
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    upper_message: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="Message")
    original_message: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="originalMessage")
    original_status: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="originalStatusCode")
    kind: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="__type")


_decode: Final = msgspec.json.Decoder(_Detail).decode
_decode_status: Final = msgspec.json.Decoder(int).decode


def read_error(status: int, body: bytes) -> UpstreamFailed:
    """What an error answer means; a body that is not of this dialect is quoted, shortened.

    The text is passed on without anything that looks like a credential or names the operator's resources.
    """
    detail = _taken_apart(body)
    told = (_message(detail) if detail is not None else "") or body.decode("utf-8", "replace")
    if detail is not None and status < 500:
        kind = said_text(detail.kind).rpartition("#")[2].partition(":")[0].lower()
        status = _STATUSES.get(kind, status)
    return _failure(status, told, None if detail is None else _original_status(detail))


def read_exception(frame: ExceptionFrame) -> UpstreamFailed:
    """What an exception in the middle of a stream means."""
    detail = _taken_apart(bytes(frame.detail)) if isinstance(frame.detail, msgspec.Raw) else None
    told = "" if detail is None else _message(detail)
    original = None if detail is None else _original_status(detail)
    return _failure(_STATUSES.get(frame.type.lower(), 500), told or frame.type, original)


def is_about_expired_keys(status: int, body: bytes) -> bool:
    """Whether an error answer says that the keys of the request are good no more."""
    return status in {400, 401, 403} and any(
        words in body[:4096].decode("utf-8", "replace").lower() for words in _EXPIRED_WORDS
    )


def _failure(status: int, told: str, original: int | None) -> UpstreamFailed:
    message = _PRIVATE.sub("[hidden]", fit_to_repeat(told.partition(_CANONICAL)[0]))
    lower = message.lower()
    code: str | None = None
    hint = None
    if status < 500 and any(words in lower for words in _CONTEXT_WORDS):
        status, code = 400, "context_length_exceeded"
    elif status == 400 and any(words in lower for words in _QUOTA_WORDS):
        status = 429
    elif status == _MODEL_FAILED:
        status = original if original is not None and original >= 400 else 502
    elif status == 404:
        code = "model_not_found"
    elif status in {401, 403}:
        hint = "AWS refused the credentials configured for this deployment, or they may not use this model."
    message = message or f"Bedrock answered with status {status} and said no more."
    if status == _MODEL_TIMED_OUT:
        return TimedOut(message)
    return upstream_failure(status, message, code=code, hint=hint)


def _taken_apart(body: bytes) -> _Detail | None:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _message(detail: _Detail) -> str:
    told = said_text(detail.message) or said_text(detail.upper_message)
    original = said_text(detail.original_message)
    return f"{told} {original}".strip() if original and original not in told else told


def _original_status(detail: _Detail) -> int | None:
    if not isinstance(detail.original_status, msgspec.Raw):
        return None
    try:
        status = _decode_status(detail.original_status)
    except msgspec.MsgspecError:
        return None
    return status if 400 <= status <= _STATUS_MAX else None
