"""Which messages of a conversation are to be marked, whatever form they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pointsman.core.handling import CacheMark

__all__ = ["MARKS_MAX", "control_of", "message_marks", "room_for_messages", "tool_mark"]

MARKS_MAX: Final = 4
"""What Anthropic, and so Bedrock, takes in one request."""
_EPHEMERAL: Final = msgspec.Raw(b'{"type":"ephemeral"}')


def control_of(mark: CacheMark) -> msgspec.Raw:
    """What a mark says; Anthropic's usual five minutes where the operator says nothing."""
    return _EPHEMERAL if mark.control is None else mark.control


def tool_mark(marks: Sequence[CacheMark]) -> CacheMark | None:
    """The one that stands behind the tools, if there is one."""
    return next((mark for mark in marks if mark.on_tools), None)


def room_for_messages(marks: Sequence[CacheMark], used: int) -> int:
    """How many messages may be marked where the request has ``used`` marks; one is kept for the tools."""
    return MARKS_MAX - used - (tool_mark(marks) is not None)


def message_marks(marks: Sequence[CacheMark], roles: Sequence[str]) -> Iterator[tuple[int, msgspec.Raw]]:
    """The places among messages with these ``roles`` that are meant, in the operator's order, and what is put there."""
    for mark in marks:
        if mark.on_tools:
            continue
        for place in _places(mark, roles):
            yield place, control_of(mark)


def _places(mark: CacheMark, roles: Sequence[str]) -> Sequence[int]:
    if mark.index is None:
        return [place for place, role in enumerate(roles) if role == mark.role]
    place = mark.index + len(roles) if mark.index < 0 else mark.index
    return [place] if 0 <= place < len(roles) else []
