"""What the OpenAI family has in common: the fields needed before routing, and the shape of an error.

Source: https://platform.openai.com/docs/api-reference (chat/create, completions/create, embeddings/create).
:func:`read_ask` is on the path of every request, so it decodes seven small fields and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from pointsman.core.errors import GatewayError, Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.wire.json_fields import decode_field, read_fields
from pointsman.wire.limits import MODEL_NAME_BYTES_MAX

__all__ = [
    "CHOICES_MAX",
    "OpenAIDialect",
    "demand_messages",
    "demand_model_name",
    "read_ask",
    "read_model",
    "read_stop",
    "write_error",
    "write_stream_error",
]

CHOICES_MAX: Final = 128
"""OpenAI's bound on ``n``."""

_UNBOUNDED: Final = -1
"""``max_tokens`` of -1 means "no bound" to llama.cpp, LM Studio and Ollama, whose examples use it."""

_SURELY_SHORT: Final = MODEL_NAME_BYTES_MAX // 4
"""Characters that fit :data:`MODEL_NAME_BYTES_MAX` whatever they are."""

_SHORTEST_MESSAGES_BYTES: Final = 16
"""No array with a message in it is this short, so a longer one need not be decoded to know that it has one."""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ErrorBody(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str


class _TracedErrorBody(_ErrorBody):
    litellm_call_id: str


_Choices = Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)]
_Limit = Annotated[int, msgspec.Meta(ge=_UNBOUNDED)]

_encode: Final = msgspec.json.Encoder().encode
_text: Final = msgspec.json.Decoder(str).decode
_optional_text: Final = msgspec.json.Decoder(str | None).decode
_optional_flag: Final = msgspec.json.Decoder(bool | None).decode
_optional_limit: Final = msgspec.json.Decoder(_Limit | None).decode
_optional_choices: Final = msgspec.json.Decoder(_Choices | None).decode
_optional_stream_options: Final = msgspec.json.Decoder(_StreamOptions | None).decode
_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode

# Attribute access on an Enum class costs more than the rest of a comparison.
_CHAT: Final = Operation.CHAT
_COMPLETION: Final = Operation.COMPLETION

_TRUE: Final = msgspec.Raw(b"true")
_FALSE: Final = msgspec.Raw(b"false")
_NULL: Final = msgspec.Raw(b"null")
_BRACKET: Final = ord("[")
_QUOTE: Final = ord('"')


def read_ask(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    """As much of a request as routing has to know; everything else is left as raw JSON.

    A model in the path (``/openai/deployments/{model}/…``) wins over the body's, as with Azure.

    Raises:
        Malformed: the body is no JSON object, lacks its content, or one of the fields read has a wrong type.
    """
    fields = read_fields(body)
    model = read_model(fields, path_model)
    ask = Ask(operation, model, fields)
    if operation is _CHAT:
        demand_messages(fields)
        _read_generation(fields, ask)
    elif operation is _COMPLETION:
        _demand_text(fields, "prompt")
        _read_generation(fields, ask)
        ask.choices *= _prompts(fields["prompt"])
    else:
        _demand_text(fields, "input")
    if "user" in fields:
        ask.end_user = decode_field("user", fields["user"], _optional_text) or None
    return ask


def read_model(fields: Mapping[str, msgspec.Raw], path_model: str | None) -> str:
    """The model that a request names; one in the path wins over the body's.

    Raises:
        Malformed: there is none, or no model can have such a name.
    """
    if path_model is None:
        raw = fields.get("model")
        if raw is None:
            raise Malformed("model is required.", param="model")
        model = decode_field("model", raw, _text)
    else:
        model = path_model
    if len(model) > _SURELY_SHORT or not model or not model.isprintable():
        demand_model_name(model)
    return model


def demand_messages(fields: dict[str, msgspec.Raw]) -> None:
    """Refuse a chat without messages.

    Raises:
        Malformed: there are none, or something else.
    """
    raw = fields.get("messages")
    if raw is None:
        raise Malformed("messages is required.", param="messages")
    if memoryview(raw)[0] != _BRACKET:
        if raw == _NULL:
            raise Malformed("messages is required.", param="messages")
        raise Malformed("messages must be an array of messages.", param="messages")
    if len(raw) < _SHORTEST_MESSAGES_BYTES and not decode_field("messages", raw, _items):
        raise Malformed("messages must not be empty.", param="messages")


def demand_model_name(model: str) -> None:
    """Refuse names that no model can have, since names travel on into headers, metrics and logs.

    Raises:
        Malformed: it is empty, too long, or has characters that do not print.
    """
    if not model:
        raise Malformed("model must not be empty.", param="model")
    if len(model) > MODEL_NAME_BYTES_MAX or len(model.encode("utf-8", "replace")) > MODEL_NAME_BYTES_MAX:
        raise Malformed(f"model must not be longer than {MODEL_NAME_BYTES_MAX} bytes.", param="model")
    if not model.isprintable():
        raise Malformed("model must not have control characters.", param="model")


def read_stop(stop: str | list[str] | None) -> tuple[str, ...] | None:
    """The texts that end an answer; None for none.

    Raises:
        Malformed: one of them is empty.
    """
    if stop is None:
        return None
    texts = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if not all(texts):
        raise Malformed("stop must not hold an empty string.", param="stop")
    return texts or None


def write_error(error: GatewayError, call_id: str = "") -> bytes:
    """The body of an error answer; ``call_id`` goes with it under LiteLLM's name where there is one."""
    return _encode({"error": _error_body(error, call_id)})


def write_stream_error(error: GatewayError) -> bytes:
    """An error in a stream that has begun, and the end of that stream."""
    return b"data: " + write_error(error) + b"\n\ndata: [DONE]\n\n"


class OpenAIDialect:
    """See :class:`pointsman.core.exchange.ClientDialect`."""

    __slots__ = ()

    stream_type = b"text/event-stream; charset=utf-8"
    keepalive = b": keepalive\n\n"
    overloaded_status = 503
    unknown_model_status = 400

    read_ask = staticmethod(read_ask)
    write_error = staticmethod(write_error)


def _error_body(error: GatewayError, call_id: str) -> _ErrorBody:
    message = error.told().encode("utf-8", "replace").decode()
    if call_id:
        return _TracedErrorBody(message, error.kind, error.param, error.code, call_id)
    return _ErrorBody(message, error.kind, error.param, error.code)


def _read_generation(fields: dict[str, msgspec.Raw], ask: Ask) -> None:
    raw = fields.get("stream")
    if raw is not None and raw != _FALSE:
        ask.stream = raw == _TRUE or decode_field("stream", raw, _optional_flag) or False
    if "stream_options" in fields:
        options = decode_field("stream_options", fields["stream_options"], _optional_stream_options)
        ask.include_usage = options is not None and bool(options.include_usage)
    if "max_tokens" in fields:
        ask.output_limit = _limit("max_tokens", fields)
    if "max_completion_tokens" in fields:
        limit = _limit("max_completion_tokens", fields)
        ask.output_limit = ask.output_limit if limit is None else limit
    if "n" in fields:
        ask.choices = decode_field("n", fields["n"], _optional_choices) or 1
    if "best_of" in fields:
        ask.choices = max(ask.choices, decode_field("best_of", fields["best_of"], _optional_choices) or 1)


def _limit(name: str, fields: dict[str, msgspec.Raw]) -> int | None:
    limit = decode_field(name, fields[name], _optional_limit)
    return None if limit == _UNBOUNDED else limit


def _prompts(raw: msgspec.Raw) -> int:
    """How many prompts a completion has: one text, one array of tokens, or an array of either."""
    if memoryview(raw)[0] != _BRACKET:
        return 1
    items = decode_field("prompt", raw, _items)
    return len(items) if memoryview(items[0])[0] in b'["' else 1


def _demand_text(fields: dict[str, msgspec.Raw], name: str) -> None:
    raw = fields.get(name)
    if raw is None or raw == _NULL:
        raise Malformed(f"{name} is required.", param=name)
    first = memoryview(raw)[0]
    if first not in (_QUOTE, _BRACKET):
        raise Malformed(f"{name} must be a string or an array.", param=name)
    if first == _BRACKET and len(raw) < _SHORTEST_MESSAGES_BYTES and not decode_field(name, raw, _items):
        raise Malformed(f"{name} must not be empty.", param=name)
