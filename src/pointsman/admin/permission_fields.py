"""Which of LiteLLM's ``permissions`` and ``object_permission`` may be kept unheeded, for nothing is lost by it.

What lets somebody use a thing that is not here (servers of MCP, agents, skills, tools of search), or grants more than
others have, is safe to leave ungiven. What narrows (lists of models, tools that are blocked, guardrails to be run) is
not. Source: LiteLLM 1.109.1, ``LiteLLM_ObjectPermissionBase`` and ``should_proceed_based_on_metadata``, which runs the
guardrails that ``permissions`` names.
"""

from __future__ import annotations

from typing import Final

__all__ = ["is_ignorable"]

_OF_ABSENT_THINGS: Final = frozenset({
    "agent_access_groups", "agents", "mcp_access_groups", "mcp_servers", "mcp_tool_permissions",
    "mcp_tool_search_enabled", "mcp_toolsets", "search_tools", "skills",
})  # fmt: skip
_GRANTS: Final = ("allow_", "get_spend_routes")


def is_ignorable(name: str, value: object) -> bool:
    """Whether the field, refused as a rule, says only what may be ignored; ``value`` is decoded JSON."""
    if not isinstance(value, dict):
        return False
    said = [one for one, its in value.items() if its not in (None, False, "", [], {})]
    if name == "object_permission":
        return all(one in _OF_ABSENT_THINGS for one in said)
    return name == "permissions" and all(str(one).startswith(_GRANTS) for one in said)
