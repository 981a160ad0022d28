"""The near side of Ollama's native API: what must be known of a request before choosing where it goes.

A stream is the default here, and an answer always ends with its counts. See
:class:`pointsman.core.exchange.ClientDialect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.ollama.client_errors import write_error
from pointsman.dialects.ollama.client_loads import OllamaRoute, read_load
from pointsman.dialects.openai_fields import read_model
from pointsman.wire.json_fields import decode_field, read_fields

__all__ = ["OllamaChatDialect", "OllamaEmbedDialect", "OllamaGenerateDialect"]

_optional_flag: Final = msgspec.json.Decoder(bool | None).decode
_optional_number: Final = msgspec.json.Decoder(int | float | None).decode
_optional_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode

_SAYS_NOTHING: Final = frozenset({b"null", b"false", b'""'})
_OF_COMPLETIONS: Final = ("raw", "template", "suffix")


def _read_chat(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    ask = _read_model(body, operation, path_model)
    if _is_load(ask, "chat"):
        return ask
    messages = ask.fields.get("messages")
    if messages is not None and memoryview(messages)[0] not in b"[n":
        raise Malformed("messages must be an array of messages.", param="messages")
    _read_generation(ask)
    return ask


def _read_generate(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    """A prompt is a chat of one turn, unless it is to be taken as it stands, or filled in."""
    ask = _read_model(body, operation, path_model)
    if _is_load(ask, "generate"):
        return ask
    as_it_stands = any(bytes(ask.fields[name]) not in _SAYS_NOTHING for name in _OF_COMPLETIONS if name in ask.fields)
    if as_it_stands:
        ask.operation = Operation.OLLAMA_COMPLETION
    _read_generation(ask)
    return ask


def _read_embed(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    """Of both embedding routes; neither streams."""
    ask = _read_model(body, operation, path_model)
    _is_load(ask, "embed" if operation is Operation.OLLAMA_EMBED else "embeddings")
    return ask


def _is_load(ask: Ask, route: OllamaRoute) -> bool:
    """Whether the request has no content, and so asks for the model to be loaded or unloaded."""
    load = read_load(ask, route)
    if load is None:
        return False
    ask.operation = Operation.OLLAMA_LOAD
    ask.notes = load
    return True


class _OllamaDialect:
    __slots__ = ()

    stream_type = b"application/x-ndjson"
    keepalive = b" "
    """White space may stand before the object of a line (RFC 8259, section 2), while a line without one is an error to
    clients. So this becomes a part of the line that comes next."""
    overloaded_status = 503
    unknown_model_status = 404

    write_error = staticmethod(write_error)


class OllamaChatDialect(_OllamaDialect):
    """``/api/chat``."""

    __slots__ = ()

    name = "ollama_chat"

    read_ask = staticmethod(_read_chat)


class OllamaGenerateDialect(_OllamaDialect):
    """``/api/generate``: a chat or a completion, which its fields decide."""

    __slots__ = ()

    name = "ollama_generate"

    read_ask = staticmethod(_read_generate)


class OllamaEmbedDialect(_OllamaDialect):
    """``/api/embed`` and the older ``/api/embeddings``."""

    __slots__ = ()

    name = "ollama_embed"

    read_ask = staticmethod(_read_embed)


def _read_model(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    fields = read_fields(body)
    return Ask(operation, read_model(fields, path_model), fields, include_usage=True)


def _read_generation(ask: Ask) -> None:
    fields = ask.fields
    stream = decode_field("stream", fields["stream"], _optional_flag) if "stream" in fields else None
    ask.stream = stream is not False
    if "options" in fields:
        options = decode_field("options", fields["options"], _optional_fields) or {}
        ask.output_limit = _limit("options.num_predict", options.get("num_predict"))
    if ask.output_limit is None:
        ask.output_limit = _top_level_limit(fields)


def _top_level_limit(fields: Mapping[str, msgspec.Raw]) -> int | None:
    """Where Ollama does not look for it, but :mod:`.client_options` does."""
    names = ("num_predict", "max_completion_tokens", "max_tokens")
    limits = (_limit(name, fields.get(name)) for name in names)
    return next((limit for limit in limits if limit is not None), None)


def _limit(name: str, raw: msgspec.Raw | None) -> int | None:
    """A bound on the answer; below 1 means none."""
    number = None if raw is None else decode_field(name, raw, _optional_number)
    limit = 0 if number is None else int(number)
    return limit if limit > 0 else None
