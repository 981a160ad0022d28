"""OpenAI's search of the web as a tool, read into the common vocabulary.

Source: https://platform.openai.com/docs/guides/tools-web-search.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import WebSearch
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["read_search"]

_BEGINNING: Final = "web_search"


class _Filters(msgspec.Struct):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class _Wire(msgspec.Struct):
    type: str = ""
    search_context_size: str | None = None
    filters: _Filters | None = None
    user_location: dict[str, str | None] | None = None


_decode: Final = msgspec.json.Decoder(_Wire).decode


def read_search(raw: msgspec.Raw) -> WebSearch | None:
    """The search that a tool of OpenAI's is; None where it is another tool, or cannot be read."""
    try:
        wire = _decode(raw)
    except UNREADABLE:
        return None
    if not wire.type.startswith(_BEGINNING):
        return None
    filters = wire.filters or _Filters()
    place = {name: said for name, said in (wire.user_location or {}).items() if said and name != "type"}
    return WebSearch(
        wire.search_context_size,
        None,
        tuple(filters.allowed_domains or ()),
        tuple(filters.blocked_domains or ()),
        place,
    )
