"""Marks in the body of a request that is relayed: a chat of OpenAI's form, or one of Anthropic's Messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.core.handling import CacheMark
from pointsman.providers.cache_marks.budget import (
    MARKS_MAX,
    control_of,
    message_marks,
    room_for_messages,
    tool_mark,
)

__all__ = ["marked_body"]

_Fields = dict[str, msgspec.Raw]


class _Kind(msgspec.Struct):
    type: str = ""


class _Role(msgspec.Struct):
    role: str = ""


_decode_fields: Final = msgspec.json.Decoder(_Fields).decode
_decode_list: Final = msgspec.json.Decoder(list[_Fields]).decode
_decode_kinds: Final = msgspec.json.Decoder(list[_Kind]).decode
_decode_roles: Final = msgspec.json.Decoder(list[_Role]).decode
_encode: Final = msgspec.json.Encoder().encode

_MARK: Final = "cache_control"
_NULL: Final = msgspec.Raw(b"null")
_UNMARKED: Final = frozenset({"thinking", "redacted_thinking"})
_TEXT: Final = msgspec.Raw(b'"text"')


def marked_body(body: bytes, marks: Sequence[CacheMark], *, of_anthropic: bool) -> bytes:
    """The body with the operator's marks; one that cannot be read is the upstream's to refuse, as it is.

    ``of_anthropic``: the instructions stand apart from the messages, and tools may be marked.
    """
    try:
        fields = _decode_fields(body)
        if "messages" not in fields:
            return body
        request = _Request(fields, of_anthropic=of_anthropic)
        request.mark(marks)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return body
    return _encode(request.written())


class _Request:
    """``system`` is a message like the others here, with the contents alone."""

    def __init__(self, fields: _Fields, *, of_anthropic: bool) -> None:
        self._fields = fields
        self._of_anthropic = of_anthropic
        raw = fields["messages"]
        self._messages = _decode_list(raw)
        self._roles = [one.role for one in _decode_roles(raw)]
        self._system: _Fields = {}
        if of_anthropic and fields.get("system", _NULL) != _NULL:
            self._system = {"content": fields["system"]}
        self._tools = _decode_list(fields["tools"]) if fields.get("tools", _NULL) != _NULL else []
        everything = (*self._messages, self._system)
        self._used = sum(map(_marks_in, everything)) + sum(map(_is_marked_tool, self._tools)) + _is_marked(fields)

    def mark(self, marks: Sequence[CacheMark]) -> None:
        """Set the marks for which there is room."""
        room = room_for_messages(marks, self._used)
        on_system = [mark for mark in marks if self._system and mark.role == "system" and mark.index is None]
        targets = [(self._system, control_of(mark)) for mark in on_system[:1]]
        targets += [(self._messages[place], control) for place, control in message_marks(marks, self._roles)]
        for message, control in targets:
            if room > 0 and not _marks_in(message) and _mark(message, control):
                room -= 1
                self._used += 1
        last = tool_mark(marks) if self._of_anthropic else None
        if last is not None and self._tools and self._used < MARKS_MAX and not _is_marked(self._tools[-1]):
            self._tools[-1][_MARK] = control_of(last)

    def written(self) -> _Fields:
        """The fields, in their order."""
        changed = {"messages": msgspec.Raw(_encode(self._messages))}
        if self._system:
            changed["system"] = self._system["content"]
        if self._tools:
            changed["tools"] = msgspec.Raw(_encode(self._tools))
        return {**self._fields, **changed}


def _is_marked(fields: _Fields) -> bool:
    return fields.get(_MARK, _NULL) != _NULL


def _is_marked_tool(tool: _Fields) -> bool:
    function = tool.get("function", _NULL)
    return _is_marked(tool) or (function != _NULL and _is_marked(_decode_fields(function)))


def _marks_in(message: _Fields) -> int:
    lists = (message.get(name, _NULL) for name in ("content", "tool_calls"))
    inside = (block for raw in lists if bytes(raw).startswith(b"[") for block in _decode_list(raw))
    return _is_marked(message) + sum(map(_is_marked, inside))


def _mark(message: _Fields, control: msgspec.Raw) -> bool:
    """Mark the last block that may be, a text being one; False: there is none."""
    content = message.get("content", _NULL)
    if bytes(content).startswith(b'"'):
        if not msgspec.json.decode(content, type=str).strip():
            return False
        message["content"] = msgspec.Raw(_encode([{"type": _TEXT, "text": content, _MARK: control}]))
        return True
    if not bytes(content).startswith(b"["):
        return False
    blocks, kinds = _decode_list(content), _decode_kinds(content)
    for place in reversed(range(len(blocks))):
        if kinds[place].type not in _UNMARKED:
            blocks[place][_MARK] = control
            message["content"] = msgspec.Raw(_encode(blocks))
            return True
    return False
