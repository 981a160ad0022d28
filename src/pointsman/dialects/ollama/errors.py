"""Ollama's errors: ``{"error": "text"}``, or a proxied runner's object, as text or as itself."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pointsman.core.errors import UpstreamFailed
from pointsman.wire.upstream_errors import fit_to_repeat, upstream_failure

__all__ = ["read_error"]

_CONTEXT_WORDS: Final = (
    "context length",
    "context size",
    "exceed_context_size",
    "context window",
)
_MODEL_NOT_FOUND: Final = re.compile(r"\bmodel\b.*\bnot found\b|\btry pulling it first\b", re.IGNORECASE | re.DOTALL)
_MAY_BE_LENGTH: Final = frozenset({400, 413, 500, 502})
"""Versions of Ollama differ in the status for a prompt that is too long; 502 stands for a line in a stream."""

_CLIENTS_FAULT: Final = re.compile(
    r"\Aoption \".*\" must be of type |\Ainvalid format: |\Ainvalid JSON schema in format\Z", re.DOTALL
)
"""What Ollama answers with 500 although only another request can mend it (``api/types.go``, ``llm/server.go``)."""

_NESTED_MAX: Final = 4


class _Shape(msgspec.Struct):
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_shape: Final = msgspec.json.Decoder(_Shape).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


def read_error(status: int, body: bytes, model: str = "") -> UpstreamFailed:
    """What an error answer, or an error line in a stream (then ``status`` is 502), means.

    Args:
        status: The HTTP status.
        body: The body; empty when Ollama's check of the Host header refuses.
        model: Ollama's name for the model, for the hint.
    """
    message = fit_to_repeat(_message(body))
    lower = message.lower()
    code: str | None = None
    hint: str | None = None
    if any(words in lower for words in _CONTEXT_WORDS) and status in _MAY_BE_LENGTH:
        status, code = 400, "context_length_exceeded"
        hint = "Shorten the prompt, or let the operator raise num_ctx."
    elif status == 404 and (not message or _MODEL_NOT_FOUND.search(message)):
        code = "model_not_found"
        message = message or f"Ollama does not have the model {model}.".replace(" .", ".")
        hint = f"Pull it with: ollama pull {model}" if model else None
    elif status == 400 and ("does not support" in lower or "is not supported for this model" in lower):
        code, hint = "unsupported_parameter", _capability_hint(lower)
    elif status == 500 and _CLIENTS_FAULT.search(message):
        status, code = 400, "invalid_value"
    else:
        hint = _hint(status)
    told = message or f"Ollama answered with status {status} and said no more."
    return upstream_failure(status, told, code=code, hint=hint)


def _message(body: bytes) -> str:
    """The innermost text; a runner's error arrives as JSON inside the text of Ollama's."""
    text = body.decode("utf-8", "replace")
    for _ in range(_NESTED_MAX):
        try:
            shape = _decode_shape(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return text
        raw = shape.error if isinstance(shape.error, msgspec.Raw) else shape.message
        if not isinstance(raw, msgspec.Raw):
            return text
        try:
            text = _decode_text(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            text = bytes(raw).decode("utf-8", "replace")
    return text


def _capability_hint(lower: str) -> str | None:
    if "tools" in lower:
        return "Choose a model with the capability tools, or send the request without tools."
    if "thinking" in lower or "think value" in lower:
        return "Send reasoning_effort: none, or choose a model with the capability thinking."
    if "chat" in lower or "generate" in lower:
        return "It may be an embedding model: use /v1/embeddings."
    if "insert" in lower:
        return "Send the request without suffix, or choose a model with the capability insert."
    return None


def _hint(status: int) -> str | None:
    if status == 403:
        return "Ollama refuses requests for host names that it does not know; set OLLAMA_HOST or OLLAMA_ORIGINS there."
    if status == 401:
        return "Sign in on the Ollama host with: ollama signin"
    return None
