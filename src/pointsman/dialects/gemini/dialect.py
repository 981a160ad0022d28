"""The near side of the Gemini API: what must be known of a request before choosing where it goes.

The path says the model, and by its verb whether to stream: ``/v1beta/models/{model}:streamGenerateContent``. Since
Google's SDK takes every line without ``data:`` for a piece of JSON, silence is broken by an empty line and not by a
comment. See :class:`pointsman.core.exchange.ClientDialect`.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.gemini.errors import write_error
from pointsman.dialects.gemini.names import with_camel_names
from pointsman.dialects.openai_fields import CHOICES_MAX, demand_model_name
from pointsman.wire.json_fields import decode_field, read_fields

__all__ = [
    "GeminiArrayStreamDialect",
    "GeminiBatchEmbedDialect",
    "GeminiChatDialect",
    "GeminiEmbedDialect",
    "GeminiStreamDialect",
]

_Choices = Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)]


class _Config(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    candidate_count: _Choices | None = None


_text: Final = msgspec.json.Decoder(str).decode
_optional_config: Final = msgspec.json.Decoder(_Config | None).decode

_MODELS: Final = "models/"
_EVENT_STREAM: Final = b"text/event-stream"
_SILENCE: Final = b"\r\n"
_EMPTY: Final = frozenset({b"null", b"[]", b"{}", b'""'})


def _read_ask(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    """The model of the path wins over one in the body, which only embedding requests have."""
    fields = read_fields(with_camel_names(body))
    model = path_model
    if model is None and "model" in fields:
        model = decode_field("model", fields["model"], _text)
    if model is None:
        raise Malformed("The path must name a model.", param="model")
    model = model.removeprefix(_MODELS)
    demand_model_name(model)
    return Ask(operation, model, fields, include_usage=True)


def _read_chat(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    ask = _read_ask(body, operation, path_model)
    _demand(ask, "contents")
    if "generationConfig" in ask.fields:
        config = decode_field("generationConfig", ask.fields["generationConfig"], _optional_config) or _Config()
        ask.choices = config.candidate_count or 1
        limit = config.max_output_tokens
        ask.output_limit = limit if limit is not None and limit > 0 else None
    return ask


def _read_stream(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    ask = _read_chat(body, operation, path_model)
    ask.stream = True
    return ask


def _read_embed(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    ask = _read_ask(body, operation, path_model)
    _demand(ask, "content")
    return ask


def _read_batch(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    ask = _read_ask(body, operation, path_model)
    _demand(ask, "requests")
    return ask


def _demand(ask: Ask, name: str) -> None:
    raw = ask.fields.get(name)
    if raw is None or (len(raw) < 5 and bytes(raw) in _EMPTY):
        raise Malformed(f"{name} must not be empty.", param=name)


class _GeminiDialect:
    """What does not stream needs no more than this."""

    __slots__ = ()

    stream_type = b"application/json"
    keepalive = b""
    overloaded_status = 503
    unknown_model_status = 404

    write_error = staticmethod(write_error)


class GeminiChatDialect(_GeminiDialect):
    """``generateContent``."""

    __slots__ = ()

    name = "gemini_chat"
    stream_type = _EVENT_STREAM
    keepalive = _SILENCE
    overloaded_status = 503
    unknown_model_status = 404

    read_ask = staticmethod(_read_chat)


class GeminiStreamDialect(_GeminiDialect):
    """``streamGenerateContent`` with ``alt=sse``."""

    __slots__ = ()

    name = "gemini_stream"
    stream_type = _EVENT_STREAM
    keepalive = _SILENCE
    overloaded_status = 503
    unknown_model_status = 404

    read_ask = staticmethod(_read_stream)


class GeminiArrayStreamDialect(_GeminiDialect):
    """``streamGenerateContent`` without ``alt=sse``: one JSON array, in which white space may stand anywhere."""

    __slots__ = ()

    name = "gemini_array_stream"
    keepalive = _SILENCE
    overloaded_status = 503
    unknown_model_status = 404

    read_ask = staticmethod(_read_stream)


class GeminiEmbedDialect(_GeminiDialect):
    """``embedContent``."""

    __slots__ = ()

    name = "gemini_embed"

    read_ask = staticmethod(_read_embed)


class GeminiBatchEmbedDialect(_GeminiDialect):
    """``batchEmbedContents``."""

    __slots__ = ()

    name = "gemini_batch_embed"

    read_ask = staticmethod(_read_batch)
