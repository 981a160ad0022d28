"""What rules can see of a request: who asks for what, how much it is, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["NO_CONTENT", "Content", "Facts", "content_of"]

_CONVERSATION: Final = ("messages", "contents", "input", "prompt", "images", "system", "instructions")
_TOOL_FIELDS: Final = ("tools", "functions")
_SHAPES: Final = ("response_format", "text", "format", "generationConfig", "generation_config", "output_config")
_EMPTY: Final = frozenset({b"null", b"[]", b'""'})
_PICTURES: Final = (b'"image_url"', b'"input_image"', b'"image"', b'"inlineData"', b'"inline_data"')
"""How a picture is announced by OpenAI, Responses, Anthropic and Gemini, as a key or as a type.

Quotes within a text are escaped, so that what a prompt says of pictures is not taken for one.
"""
_SCHEMAS: Final = (b'"json_schema"', b'"responseSchema"', b'"responseJsonSchema"', b'"response_schema"')
_FENCE: Final = b"```"
_TURNS: Final = ("messages", "contents", "input")
_ASKING: Final = frozenset({"user", "tool", "function"})
_RESULTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})


class _Turn(msgspec.Struct):
    role: str | None = None
    type: str | None = None


_turns: Final = msgspec.json.Decoder(list[_Turn]).decode


class Content(msgspec.Struct, frozen=True):
    """``features`` are of :data:`pointsman.config.rule_sections.FEATURES`; ``turns`` counts those that ask."""

    features: frozenset[str] = frozenset()
    turns: int = 1


NO_CONTENT: Final = Content()


class Facts(msgspec.Struct, frozen=True):
    """One request. ``wall`` is seconds since the epoch, ``budget_used`` a share of 1; header names are lower case."""

    model: str
    key: str = ""
    key_alias: str | None = None
    team: str | None = None
    user: str | None = None
    end_user: str | None = None
    tags: frozenset[str] = frozenset()
    prompt_tokens: int = 0
    output_limit: int | None = None
    stream: bool = False
    budget_used: float = 0.0
    wall: float = 0.0
    headers: Mapping[str, str] = {}
    content: Content = NO_CONTENT


def content_of(fields: Mapping[str, msgspec.Raw]) -> Content:
    """What a body's fields show of the work it makes, in any dialect; nothing is understood, only looked for."""
    found = set()
    if any(bytes(fields[name]) not in _EMPTY for name in _TOOL_FIELDS if name in fields):
        found.add("tools")
    if any(_is_shape(name, bytes(fields[name])) for name in _SHAPES if name in fields):
        found.add("json_schema")
    for name in _CONVERSATION:
        raw = bytes(fields[name]) if name in fields else b""
        if name == "images":
            found.update(("images",) if raw and raw not in _EMPTY else ())
            continue
        if any(mark in raw for mark in _PICTURES) or (name == "messages" and b'"images"' in raw):
            found.add("images")
        if _FENCE in raw:
            found.add("code")
    return Content(frozenset(found), _count_turns(fields))


def _is_shape(name: str, raw: bytes) -> bool:
    """Whether the field demands a shape; Ollama's ``format`` is a schema itself."""
    return any(mark in raw for mark in _SCHEMAS) or (name == "format" and raw.startswith(b"{"))


def _count_turns(fields: Mapping[str, msgspec.Raw]) -> int:
    for name in _TURNS:
        if name in fields and bytes(fields[name]).startswith(b"["):
            try:
                turns = _turns(fields[name])
            except msgspec.MsgspecError:
                return 1
            return sum(_asks(turn) for turn in turns)
    return 1


def _asks(turn: _Turn) -> bool:
    if turn.role is not None:
        return turn.role in _ASKING
    return turn.type is None or turn.type in _RESULTS
