"""Images, audio, moderations and rerank, client side: what has to be known of a request before it goes anywhere.

Sources: https://platform.openai.com/docs/api-reference (images, audio, moderations); for rerank, which OpenAI has
not, https://docs.cohere.com/reference/rerank and https://api.jina.ai/redoc#tag/rerank.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_extras.forms import read_form_ask
from pointsman.dialects.openai_fields import CHOICES_MAX, read_model, write_error
from pointsman.wire.json_fields import decode_field, read_fields
from pointsman.wire.multipart import opening_boundary

__all__ = ["EXTRAS", "ExtrasDialect"]

EXTRAS: Final = (
    Operation.IMAGE,
    Operation.IMAGE_EDIT,
    Operation.IMAGE_VARIATION,
    Operation.SPEECH,
    Operation.TRANSCRIPTION,
    Operation.TRANSLATION,
    Operation.MODERATION,
    Operation.RERANK,
)
"""The operations that are asked for in this dialect."""

_FORMS: Final = frozenset(
    {Operation.IMAGE_EDIT, Operation.IMAGE_VARIATION, Operation.TRANSCRIPTION, Operation.TRANSLATION}
)
_JSON_TOO: Final = frozenset({Operation.IMAGE_EDIT})
"""OpenAI takes an edit as JSON as well, with references to images in place of files."""

_MODERATION_MODEL: Final = msgspec.Raw(b'"omni-moderation-latest"')
"""OpenAI's own when a request names none."""

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Choices = Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)]

_text: Final = msgspec.json.Decoder(_Text).decode
_texts: Final = msgspec.json.Decoder(Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)]).decode
_text_or_texts: Final = msgspec.json.Decoder(_Text | Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)]).decode
_text_or_object: Final = msgspec.json.Decoder(_Text | dict[str, msgspec.Raw]).decode
_optional_text: Final = msgspec.json.Decoder(str | None).decode
_optional_flag: Final = msgspec.json.Decoder(bool | None).decode
_optional_choices: Final = msgspec.json.Decoder(_Choices | None).decode

_REQUIRED: Final = {
    Operation.IMAGE: (("prompt", _text),),
    Operation.IMAGE_EDIT: (("prompt", _text),),
    Operation.SPEECH: (("input", _text),),
    Operation.MODERATION: (("input", _text_or_texts),),
    Operation.RERANK: (("query", _text_or_object), ("documents", _texts)),
}


class ExtrasDialect:
    """See :class:`pointsman.core.exchange.ClientDialect`; streams here cannot hold a comment at any place."""

    __slots__ = ()

    stream_type = b"text/event-stream"
    keepalive = b""
    overloaded_status = 503
    unknown_model_status = 400

    def read_ask(self, body: bytes, operation: Operation, path_model: str | None) -> Ask:
        """See the protocol."""
        if operation in _FORMS and not (operation in _JSON_TOO and opening_boundary(body) is None and body[:1] == b"{"):
            return read_form_ask(body, operation, path_model)
        return _read_json_ask(body, operation, path_model)

    write_error = staticmethod(write_error)


def _read_json_ask(body: bytes, operation: Operation, path_model: str | None) -> Ask:
    fields = read_fields(body)
    if operation is Operation.MODERATION and path_model is None:
        fields.setdefault("model", _MODERATION_MODEL)
    ask = Ask(operation, read_model(fields, path_model), fields)
    for name, decode in _REQUIRED[operation]:
        if name not in fields:
            raise Malformed(f"{name} is required.", param=name)
        decode_field(name, fields[name], decode)
    if operation is Operation.SPEECH:
        ask.stream = True
    elif "stream" in fields:
        ask.stream = decode_field("stream", fields["stream"], _optional_flag) or False
    if "n" in fields:
        ask.choices = decode_field("n", fields["n"], _optional_choices) or 1
    if "user" in fields:
        ask.end_user = decode_field("user", fields["user"], _optional_text) or None
    return ask
