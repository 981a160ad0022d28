"""Tool calls of a conversation and their results, for dialects in which calls may have no ids.

Providers that want ids want them to match. So a call without one gets one from its place, the same in every turn of the
conversation; a result finds its call by id, else by the tool's name, else by its turn.
"""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.core.content import ToolCall, ToolResult

__all__ = ["OpenCalls"]


class OpenCalls:
    """The tool calls so far that no result has come for; ``given`` are the ids that clients gave."""

    def __init__(self, given: Iterable[str]) -> None:
        self._given = frozenset(given)
        self._open: list[tuple[str, str]] = []

    def made_id(self, message: int, position: int) -> str:
        """An id for the call at a place, which no other call has."""
        made = f"call_{message}_{position}"
        while made in self._given:
            made += "_"
        return made

    def add(self, call: ToolCall) -> None:
        """A call that waits for its result."""
        self._open.append((call.id, call.name))

    def answered(self, call_id: str | None, name: str | None, made_id: str) -> ToolResult:
        """The result, without its parts, of a call that is now answered; ``made_id`` is for one that answers none."""
        found = next((call for call in self._open if call[0] == call_id), None)
        if found is None and (call_id is None or name is not None):
            found = next((call for call in self._open if name is None or call[1] == name), None)
        if found is None:
            return ToolResult(call_id or made_id, (), name)
        self._open.remove(found)
        return ToolResult(found[0], (), name or found[1])
