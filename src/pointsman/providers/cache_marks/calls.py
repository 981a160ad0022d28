"""Marks on a call, for upstreams whose dialect has a word for them and is written from a call."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import File, Image, Message, Part, Text, ToolCall, ToolResult
from pointsman.core.handling import CacheMark
from pointsman.core.upstream import Deployment
from pointsman.providers.cache_marks.budget import (
    MARKS_MAX,
    control_of,
    message_marks,
    room_for_messages,
    tool_mark,
)
from pointsman.providers.registry import find_provider

__all__ = ["marked_call", "marks_of_calls"]


def marks_of_calls(deployment: Deployment) -> tuple[CacheMark, ...]:
    """The deployment's marks, where its requests are written from calls in a dialect with a word for them."""
    provider = find_provider(deployment.provider) if deployment.handling.cache_marks else None
    return () if provider is None or provider.native is None else deployment.handling.cache_marks


def marked_call(call: Call, marks: Sequence[CacheMark], *, counts_system: bool) -> Call:
    """The call with the operator's marks.

    ``counts_system`` False: in the client's dialect the instructions are no message, so that indices begin behind them.
    """
    messages = list(call.messages)
    first = 0 if counts_system else next((n for n, one in enumerate(messages) if one.role != "system"), len(messages))
    used = sum(_marks_in(message) for message in messages)
    used += sum(tool.cache_control is not None for tool in call.tools)
    room = room_for_messages(marks, used)
    by_role = [mark for mark in marks if mark.index is None and mark.role == "system"] if first else []
    chosen = [*message_marks(by_role, [one.role for one in messages[:first]])]
    chosen += [(place + first, said) for place, said in message_marks(marks, [one.role for one in messages[first:]])]
    for place, control in chosen:
        marked = None if room <= 0 or _marks_in(messages[place]) else _marked(messages[place], control)
        if marked is not None:
            messages[place] = marked
            room -= 1
            used += 1
    tools, last = call.tools, tool_mark(marks)
    if last is not None and tools and used < MARKS_MAX and tools[-1].cache_control is None:
        tools = (*tools[:-1], msgspec.structs.replace(tools[-1], cache_control=control_of(last)))
    return msgspec.structs.replace(call, messages=tuple(messages), tools=tools)


def _marks_in(message: Message) -> int:
    return sum(getattr(part, "cache_control", None) is not None for part in message.parts)


def _marked(message: Message, control: msgspec.Raw) -> Message | None:
    """The message with its last part marked that may be; None: there is none."""
    parts = list(message.parts)
    for place in reversed(range(len(parts))):
        part = parts[place]
        if _may_be_marked(part):
            parts[place] = msgspec.structs.replace(part, cache_control=control)
            return msgspec.structs.replace(message, parts=tuple(parts))
    return None


def _may_be_marked(part: Part) -> bool:
    """Anthropic refuses a mark on nothing, and on reasoning."""
    if isinstance(part, Text):
        return bool(part.text.strip())
    return isinstance(part, Image | File | ToolCall | ToolResult)
