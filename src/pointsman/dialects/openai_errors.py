"""Errors of upstreams in the shapes that servers of the OpenAI family give them."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Broken, Overloaded, UpstreamFailed
from pointsman.wire.upstream_errors import fit_to_repeat, said_text, status_in, upstream_failure

__all__ = ["given_up", "read_error", "read_stream_error"]

_CONTEXT_WORDS: Final = (
    "maximum context length",
    "context length exceeded",
    "exceeds the available context size",
    "exceed_context_size",
    "context_length_exceeded",
    "longer than the maximum model length",
    "longer than the model's context length",  # SGLang
    "cannot be greater than max_model_len",  # vLLM, of max_tokens
    "exceeds the model's maximum context",
    "maximum prompt length",  # xAI
    "prompt is too long",
    "`inputs` tokens + `max_new_tokens` must be",  # TGI
    "input is too long for requested model",
    "reduce the length of the messages",
)
_NO_EYES: Final = "Choose a model with the capability vision, or send the request without images."
_CONTENT_HINTS: Final = {
    "image input is not supported": _NO_EYES,
    "is not a multimodal model": _NO_EYES,  # vLLM
    "audio input is not supported": "Choose a model that takes audio, or send the request without it.",
}
"""llama.cpp answers such a request with 500, although nothing is broken."""
_NO_PATH: Final = b'{"detail":"Not Found"}'
"""What FastAPI says of a path that the program does not have; vLLM has only those that fit its model."""
_CODE_CHARACTERS_MAX: Final = 80
_TOO_MUCH: Final = "rate_limit"


class _Shape(msgspec.Struct):
    """An error object, or what surrounds it, in the forms that servers of this dialect use.

    OpenAI nests the fields under ``error``; vLLM before 0.10 had them at the top; FastAPI servers have ``detail``.
    ``code`` is a string, or the HTTP status as a number (llama.cpp). What a provider behind OpenRouter said is in
    ``metadata.raw`` (https://openrouter.ai/docs/api-reference/errors), mostly its whole body.
    """

    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    detail: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    type: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    param: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    metadata: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Metadata(msgspec.Struct):
    raw: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_shape: Final = msgspec.json.Decoder(_Shape).decode
_decode_metadata: Final = msgspec.json.Decoder(_Metadata).decode


def read_error(status: int, body: bytes) -> UpstreamFailed:
    """What an upstream's error answer means; a body that is not of this dialect is quoted, shortened.

    Text of the upstream is passed on without anything that looks like a credential.
    """
    shape = _innermost(body)
    message = fit_to_repeat(_message(shape, body) + _said_behind(shape))
    kind = said_text(shape.type) if shape else ""
    code = said_text(shape.code)[:_CODE_CHARACTERS_MAX] if shape else ""
    words = f"{kind} {code} {message}".lower()
    if status < 500 and any(phrase in words for phrase in _CONTEXT_WORDS):
        status, code = 400, "context_length_exceeded"
    hint = next((told for phrase, told in _CONTENT_HINTS.items() if phrase in words), None)
    if hint is not None and status in {400, 500}:
        status, code = 400, "unsupported_parameter"
    return upstream_failure(
        status,
        message or f"The upstream answered with status {status} and said no more.",
        code=code or _code_for(status, words),
        param=(said_text(shape.param)[:_CODE_CHARACTERS_MAX] or None) if shape else None,
        hint=hint or _hint(status, body),
    )


def read_stream_error(body: bytes) -> UpstreamFailed:
    """What an error in a stream, or under status 200, means.

    Many servers give the status that it would have had as its ``code``, and OpenAI a word for what was too much.
    """
    shape = _innermost(body)
    if shape is None:
        return read_error(Broken.default_status, body)
    status = status_in(shape.code)
    if status == Broken.default_status and _TOO_MUCH in f"{said_text(shape.type)} {said_text(shape.code)}":
        status = Overloaded.default_status
    return read_error(status, body)


def _innermost(body: bytes) -> _Shape | None:
    """The object that holds the message, or None where there is no such object."""
    shape = _shape(body)
    if shape is not None and isinstance(shape.error, msgspec.Raw):
        return _shape(shape.error) or shape
    return shape


def _shape(raw: bytes | msgspec.Raw) -> _Shape | None:
    try:
        return _decode_shape(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _message(shape: _Shape | None, body: bytes) -> str:
    if shape is not None:
        for raw in (shape.message, shape.detail, shape.error):
            if isinstance(raw, msgspec.Raw):
                return said_text(raw) or bytes(raw).decode("utf-8", "replace")
    return body.decode("utf-8", "replace")


def _said_behind(shape: _Shape | None) -> str:
    """What the provider behind a router said, to follow what the router says of it."""
    if shape is None or not isinstance(shape.metadata, msgspec.Raw):
        return ""
    try:
        raw = said_text(_decode_metadata(shape.metadata).raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return f": {_message(_innermost(raw.encode()), raw.encode())}" if raw else ""


def _code_for(status: int, words: str) -> str | None:
    if status == 404 and "model" in words:
        return "model_not_found"
    return None


def _hint(status: int, body: bytes) -> str | None:
    if status == 401:
        return "The upstream refused the credentials configured for this deployment."
    if status == 404 and body == _NO_PATH:
        return "The server has no such path: its model is not made for that, or api_base lacks its /v1."
    return None


def given_up() -> Broken:
    """The failure of an answer that its server ended before its time (``finish_reason`` ``abort``)."""
    return Broken("The upstream gave up the answer before it was complete (finish_reason abort).")
