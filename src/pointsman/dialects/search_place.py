"""Where the user of a search is, ``user_location``, as Anthropic's and OpenAI's tools have it alike.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool#localization,
https://platform.openai.com/docs/guides/tools-web-search#user-location.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["read_place", "write_place"]


def read_place(location: Mapping[str, str | None] | None) -> dict[str, str]:
    """``city``, ``region``, ``country`` and ``timezone``, as far as they are said."""
    return {name: said for name, said in (location or {}).items() if said and name != "type"}


def write_place(place: Mapping[str, str]) -> dict[str, str] | None:
    """The field; None where nothing is known."""
    return {"type": "approximate", **place} if place else None
