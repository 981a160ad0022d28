"""Errors of watsonx.ai: ``{"errors": [{"code": …, "message": …}], "trace": …, "status_code": …}``.

Source: https://cloud.ibm.com/apidocs/watsonx-ai#errors. In a stream the same stands in an event of its own.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import UpstreamFailed
from pointsman.wire.upstream_errors import fit_to_repeat, said_text, status_in, upstream_failure

__all__ = ["read_error", "read_stream_error"]

_CONTEXT_WORDS: Final = re.compile(
    r"cannot exceed the total tokens limit|(?:maximum|exceeds the) context length|context length exceeded",
    re.IGNORECASE,
)
_MODEL_CODES: Final = frozenset({"model_not_found", "model_not_supported"})
_CODE_CHARACTERS_MAX: Final = 80


class _Error(msgspec.Struct):
    code: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Shape(msgspec.Struct):
    errors: list[_Error] | None = None
    status_code: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode: Final = msgspec.json.Decoder(_Shape).decode


def read_error(status: int, body: bytes) -> UpstreamFailed:
    """What an error answer means; a body that is not of this dialect is quoted, shortened."""
    shape = _shape(body)
    errors = (shape.errors or []) if shape is not None else []
    first = errors[0] if errors else _Error()
    message = fit_to_repeat(said_text(first.message) or body.decode("utf-8", "replace"))
    code: str | None = said_text(first.code)[:_CODE_CHARACTERS_MAX] or None
    hint: str | None = None
    if status in {401, 403}:
        hint = "The upstream refused the credentials configured for this deployment."
    elif status < 500 and _CONTEXT_WORDS.search(message):
        status, code, hint = 400, "context_length_exceeded", "Shorten the prompt."
    elif status == 404 or code in _MODEL_CODES:
        status, code = 404, "model_not_found"
    return upstream_failure(
        status, message or f"watsonx.ai answered with status {status} and said no more.", code=code, hint=hint
    )


def read_stream_error(frame: bytes) -> UpstreamFailed | None:
    """The error that the data of an event is; None: it is none."""
    shape = _shape(frame)
    return read_error(status_in(shape.status_code), frame) if shape is not None and shape.errors else None


def _shape(body: bytes) -> _Shape | None:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
