"""The near half of the Responses dialect: what must be known of a request before choosing where it goes.

Source: https://platform.openai.com/docs/api-reference/responses/create.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_fields import read_model
from pointsman.dialects.openai_responses.errors import write_error
from pointsman.wire.json_fields import decode_field, read_fields

__all__ = ["ResponsesDialect", "read_ask"]

_UNBOUNDED: Final = -1
"""``max_output_tokens`` of -1 means "no bound", as ``max_tokens`` does to local servers."""

_Limit = Annotated[int, msgspec.Meta(ge=_UNBOUNDED)]

_optional_text: Final = msgspec.json.Decoder(str | None).decode
_optional_flag: Final = msgspec.json.Decoder(bool | None).decode
_optional_limit: Final = msgspec.json.Decoder(_Limit | None).decode

_NULL: Final = msgspec.Raw(b"null")
_CONTINUING: Final = ("previous_response_id", "conversation", "prompt")
"""Fields that have something for the model to read, so that the input may be missing."""


def read_ask(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    """As much of a request as routing has to know; everything else is left as raw JSON.

    The last event of a stream always has the usage, so it is always asked for. A model in the path wins over the
    body's.

    Raises:
        Malformed: the body is no JSON object, lacks its content, or one of the fields read has a wrong type.
    """
    fields = read_fields(body)
    model = read_model(fields, path_model)
    _demand_input(fields)
    ask = Ask(operation, model, fields, include_usage=True)
    if "stream" in fields:
        ask.stream = decode_field("stream", fields["stream"], _optional_flag) or False
    if "max_output_tokens" in fields:
        limit = decode_field("max_output_tokens", fields["max_output_tokens"], _optional_limit)
        ask.output_limit = None if limit == _UNBOUNDED else limit
    if "user" in fields:
        ask.end_user = decode_field("user", fields["user"], _optional_text) or None
    return ask


def _demand_input(fields: dict[str, msgspec.Raw]) -> None:
    raw = fields.get("input", _NULL)
    if raw != _NULL:
        if memoryview(raw)[0] not in b'"[':
            raise Malformed("input must be a string or an array.", param="input")
    elif all(fields.get(name, _NULL) == _NULL for name in _CONTINUING):
        raise Malformed("input is required.", param="input")


class ResponsesDialect:
    """See :class:`pointsman.core.exchange.ClientDialect`."""

    __slots__ = ()

    name = "openai_responses"
    stream_type = b"text/event-stream; charset=utf-8"
    keepalive = b": keepalive\n\n"
    overloaded_status = 503
    unknown_model_status = 400

    read_ask = staticmethod(read_ask)
    write_error = staticmethod(write_error)
