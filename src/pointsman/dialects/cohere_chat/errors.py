"""Cohere's errors: ``{"message": …, "id": …}``; the status says what kind. See https://docs.cohere.com/reference/errors."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import UpstreamFailed
from pointsman.wire.upstream_errors import fit_to_repeat, said_text, upstream_failure

__all__ = ["read_error"]

_BLOCKED_TOKEN: Final = 498
_CONTEXT_WORDS: Final = re.compile(r"too many tokens|exceeds the (?:maximum )?context|context length", re.IGNORECASE)
_OUTPUT_WORDS: Final = re.compile(r"\bmax[_ ]tokens must be\b", re.IGNORECASE)
_MODEL_WORDS: Final = re.compile(r"\bmodel\b.*\b(?:not found|does not exist)\b", re.IGNORECASE | re.DOTALL)


class _Shape(msgspec.Struct):
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_shape: Final = msgspec.json.Decoder(_Shape).decode


def read_error(status: int, body: bytes, model: str = "") -> UpstreamFailed:
    """What an error answer means.

    Args:
        status: The HTTP status.
        body: The body; what is not of this dialect is quoted, shortened.
        model: Cohere's name for the model, for the hint.
    """
    message = fit_to_repeat(_message(body))
    code: str | None = None
    hint: str | None = None
    if status == _BLOCKED_TOKEN:
        status = 401
    if status in {401, 403}:
        hint = "The upstream refused the credentials configured for this deployment."
    elif status < 500 and _OUTPUT_WORDS.search(message):
        hint = "Ask for a shorter answer with max_tokens."
    elif status < 500 and _CONTEXT_WORDS.search(message):
        status, code, hint = 400, "context_length_exceeded", "Shorten the prompt."
    elif status == 404 or (status < 500 and _MODEL_WORDS.search(message)):
        status, code = 404, "model_not_found"
        hint = f"Is {model} the name of a model that this key may use?" if model else None
    told = message or f"Cohere answered with status {status} and said no more."
    return upstream_failure(status, told, code=code, hint=hint)


def _message(body: bytes) -> str:
    try:
        shape = _decode_shape(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", "replace")
    return said_text(shape.message) or said_text(shape.error) or body.decode("utf-8", "replace")
