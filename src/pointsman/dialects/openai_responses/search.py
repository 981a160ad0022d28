"""OpenAI's search of the web as a tool, to and from the common vocabulary.

Source: https://platform.openai.com/docs/guides/tools-web-search.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import WebSearch
from pointsman.dialects.search_place import read_place, write_place
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["SEARCH_NAME", "read_search", "write_search"]

SEARCH_NAME: Final = "web_search"
"""The type of the tool, by which a choice names it."""


class _Filters(msgspec.Struct):
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None


class _Wire(msgspec.Struct):
    type: str = ""
    search_context_size: str | None = None
    filters: _Filters | None = None
    user_location: dict[str, str | None] | None = None


_decode: Final = msgspec.json.Decoder(_Wire).decode
_encode: Final = msgspec.json.Encoder().encode


def read_search(raw: msgspec.Raw) -> WebSearch | None:
    """The search that a tool of OpenAI's is; None where it is another tool, or cannot be read."""
    try:
        wire = _decode(raw)
    except UNREADABLE:
        return None
    if not wire.type.startswith(SEARCH_NAME):
        return None
    filters = wire.filters or _Filters()
    return WebSearch(
        wire.search_context_size,
        None,
        tuple(filters.allowed_domains or ()),
        tuple(filters.blocked_domains or ()),
        read_place(wire.user_location),
    )


def write_search(search: WebSearch) -> msgspec.Raw:
    """The tool for a search; how often it may be used cannot be said in it."""
    filters = {"allowed_domains": search.allowed_domains, "blocked_domains": search.blocked_domains}
    said: dict[str, object] = {
        "search_context_size": search.context,
        "filters": {name: domains for name, domains in filters.items() if domains},
        "user_location": write_place(search.place),
    }
    return msgspec.Raw(_encode({"type": SEARCH_NAME} | {name: value for name, value in said.items() if value}))
