"""The near half of the dialect as the story of a request knows it.

Source: https://platform.claude.com/docs/en/api/messages. :func:`read_ask` is on the path of every request, so it
decodes four small fields and nothing else; it serves the counting of tokens as well, whose body is the same.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.anthropic_messages.errors import write_error
from pointsman.dialects.anthropic_messages.tools import DIALECT
from pointsman.dialects.anthropic_messages.types import MetadataFields
from pointsman.dialects.openai_fields import demand_messages, read_model
from pointsman.wire.json_fields import decode_field, read_fields

__all__ = ["AnthropicDialect", "read_ask"]

_Limit = Annotated[int, msgspec.Meta(ge=0)]

_optional_flag: Final = msgspec.json.Decoder(bool | None).decode
_optional_limit: Final = msgspec.json.Decoder(_Limit | None).decode
_optional_metadata: Final = msgspec.json.Decoder(MetadataFields | None).decode


def read_ask(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    """As much of a request as routing has to know; everything else is left as raw JSON.

    Raises:
        Malformed: the body is no JSON object, lacks its content, or one of the fields read has a wrong type.
    """
    fields = read_fields(body)
    model = read_model(fields, path_model)
    demand_messages(fields)
    ask = Ask(operation, model, fields, include_usage=True)
    if "stream" in fields:
        ask.stream = decode_field("stream", fields["stream"], _optional_flag) or False
    if "max_tokens" in fields:
        ask.output_limit = decode_field("max_tokens", fields["max_tokens"], _optional_limit)
    if "metadata" in fields:
        metadata = decode_field("metadata", fields["metadata"], _optional_metadata)
        if "litellm_metadata" not in fields:  # it wins, as in LiteLLM, if it names an end user
            ask.end_user = (metadata.user_id or None) if metadata is not None else None
    return ask


class AnthropicDialect:
    """See :class:`pointsman.core.exchange.ClientDialect`."""

    __slots__ = ()

    name = DIALECT
    stream_type = b"text/event-stream; charset=utf-8"
    keepalive = b'event: ping\ndata: {"type":"ping"}\n\n'
    overloaded_status = 529
    unknown_model_status = 400

    read_ask = staticmethod(read_ask)
    write_error = staticmethod(write_error)
