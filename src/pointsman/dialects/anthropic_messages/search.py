"""Anthropic's search of the web, to and from the common vocabulary.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool. How much is shown of what is
found has no word here; LiteLLM takes it for the number of searches, and so do we.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.core.call import WebSearch
from pointsman.dialects.search_place import read_place, write_place
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["SEARCH_NAME", "read_search", "write_search"]

SEARCH_NAME: Final = "web_search"
"""The name that the tool must have."""

_BEGINNING: Final = "web_search_"
_TYPE: Final = "web_search_20250305"
_USES: Final = MappingProxyType({"low": 1, "medium": 5, "high": 10})


class _Wire(msgspec.Struct):
    type: str = ""
    max_uses: int | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    user_location: dict[str, str | None] | None = None


_decode: Final = msgspec.json.Decoder(_Wire).decode
_encode: Final = msgspec.json.Encoder().encode


def read_search(raw: msgspec.Raw) -> WebSearch | None:
    """The search that a tool of Anthropic's is; None where it is another tool, or cannot be read."""
    try:
        wire = _decode(raw)
    except UNREADABLE:
        return None
    if not wire.type.startswith(_BEGINNING):
        return None
    place = read_place(wire.user_location)
    return WebSearch(None, wire.max_uses, tuple(wire.allowed_domains or ()), tuple(wire.blocked_domains or ()), place)


def write_search(search: WebSearch) -> msgspec.Raw:
    """The tool for a search."""
    fields: dict[str, object] = {"type": _TYPE, "name": SEARCH_NAME}
    uses = search.uses_max or _USES.get(search.context or "")
    said = {
        "max_uses": uses,
        "allowed_domains": search.allowed_domains,
        "blocked_domains": search.blocked_domains,
        "user_location": write_place(search.place),
    }
    return msgspec.Raw(_encode(fields | {name: value for name, value in said.items() if value}))
