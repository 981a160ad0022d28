"""OpenAI's Realtime: what has to be understood of its events, https://platform.openai.com/docs/api-reference/realtime."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.core.errors import GatewayError, Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.core.usage import Usage
from pointsman.dialects.openai_fields import demand_model_name, write_error

__all__ = ["RealtimeDialect"]

_COUNT_MAX: Final = 2**53
_DONE: Final = '"response.done"'
_CREATED: Final = '"response.created"'
_Count = Annotated[int, msgspec.Meta(ge=0, le=_COUNT_MAX)]


class _Details(msgspec.Struct):
    cached_tokens: _Count | None = None
    audio_tokens: _Count | None = None


class _UsageWire(msgspec.Struct):
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    input_token_details: _Details | None = None
    output_token_details: _Details | None = None


class _Response(msgspec.Struct):
    usage: _UsageWire | None = None


class _Event(msgspec.Struct):
    type: str
    response: _Response | None = None


class _ErrorBody(msgspec.Struct):
    type: str
    code: str
    message: str
    param: str | None = None
    event_id: str | None = None


class _ErrorEvent(msgspec.Struct):
    event_id: str
    error: _ErrorBody
    type: str = "error"


_decode: Final = msgspec.json.Decoder(_Event).decode
_encode: Final = msgspec.json.Encoder().encode


class RealtimeDialect:
    """See :class:`pointsman.core.exchange.ClientDialect`, and :class:`pointsman.lifecycle.realtime.Tongue`."""

    __slots__ = ()

    stream_type = b""
    keepalive = b""
    overloaded_status = 503
    unknown_model_status = 400

    def read_ask(self, body: bytes, operation: Operation, path_model: str | None) -> Ask:
        """See the protocol; the model is that of the query."""
        if path_model is None:
            raise Malformed("model is required.", hint="Ask for /v1/realtime?model=…", param="model")
        demand_model_name(path_model)
        return Ask(operation, path_model, {}, stream=True)

    write_error = staticmethod(write_error)

    def begins(self, message: str | bytes) -> bool:
        """Whether the message tells that a response has begun."""
        if not isinstance(message, str) or _CREATED not in message:
            return False
        try:
            return _decode(message).type == "response.created"
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False

    def usage_of(self, message: str | bytes) -> Usage | None:
        """What a response used, if the message tells that one is done."""
        if not isinstance(message, str) or _DONE not in message:
            return None
        try:
            event = _decode(message)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        if event.type != "response.done":
            return None
        wire = event.response.usage if event.response is not None else None
        if wire is None:
            return Usage()
        inputs, outputs = wire.input_token_details or _Details(), wire.output_token_details or _Details()
        return Usage(
            prompt=wire.input_tokens or 0,
            completion=wire.output_tokens or 0,
            cached=inputs.cached_tokens or 0,
            audio_input=inputs.audio_tokens or 0,
            audio_output=outputs.audio_tokens or 0,
            source="measured",
        )

    def error_event(self, error: GatewayError, call_id: str) -> str:
        """An error as an event of a conversation."""
        body = _ErrorBody(error.kind, error.code, error.told(), error.param)
        return _encode(_ErrorEvent(f"event_{call_id}", body)).decode()
