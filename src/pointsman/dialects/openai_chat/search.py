"""OpenAI's search of the web in a chat: ``web_search_options``, to and from the common vocabulary.

Source: https://platform.openai.com/docs/api-reference/chat/create#chat-create-web_search_options.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import WebSearch
from pointsman.core.errors import Malformed

__all__ = ["SEARCH_FIELD", "read_search", "write_search"]

SEARCH_FIELD: Final = "web_search_options"


class _Location(msgspec.Struct):
    approximate: dict[str, str | None] | None = None


class _Wire(msgspec.Struct):
    search_context_size: str | None = None
    user_location: _Location | None = None


_decode: Final = msgspec.json.Decoder(_Wire).decode
_encode: Final = msgspec.json.Encoder().encode


def read_search(raw: msgspec.Raw) -> WebSearch:
    """The search that is asked for.

    Raises:
        Malformed: the field is of a wrong type.
    """
    try:
        wire = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed(f"{SEARCH_FIELD} cannot be read.", param=SEARCH_FIELD) from None
    said = wire.user_location.approximate if wire.user_location is not None else None
    return WebSearch(wire.search_context_size, place={name: value for name, value in (said or {}).items() if value})


def write_search(search: WebSearch) -> msgspec.Raw:
    """The field for a search; which pages it may find cannot be said in it."""
    fields: dict[str, object] = {}
    if search.context is not None:
        fields["search_context_size"] = search.context
    if search.place:
        fields["user_location"] = {"type": "approximate", "approximate": search.place}
    return msgspec.Raw(_encode(fields))
