"""Tools that stand in a namespace, which no other dialect has: their names there, and flat ones for everybody else.

Source: https://platform.openai.com/docs/api-reference/responses/create (tools of type ``namespace``; ``namespace`` of a
call). Codex puts the tools of its MCP servers and of its sub-agents into namespaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

from pointsman.core.call import Tool

__all__ = ["flat_name", "groups_of"]

_CHARACTERS_MAX: Final = 64
"""What OpenAI and most others allow for the name of a function."""

_DIGEST_CHARACTERS: Final = 8


def flat_name(namespace: str | None, name: str) -> str:
    """The name outside of its namespace: always the same, and as good as never another's."""
    if not namespace:
        return name
    flat = f"{namespace}__{name}"
    if len(flat) <= _CHARACTERS_MAX:
        return flat
    digest = sha256(flat.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{flat[: _CHARACTERS_MAX - _DIGEST_CHARACTERS - 1]}_{digest}"


def groups_of(tools: Iterable[Tool]) -> Mapping[str, tuple[str, str]]:
    """The namespace of each tool that stands in one, and its name there, by its flat name."""
    return {tool.name: tool.group for tool in tools if tool.group is not None}
