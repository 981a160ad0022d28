"""Custom tools, which take free text instead of arguments, as only OpenAI's dialects know them.

Source: https://platform.openai.com/docs/guides/function-calling#custom-tools. For everybody else each is a function
with one string, ``input``. In the common vocabulary the arguments of its calls are always ``{"input": …}``; they are
wrapped and unwrapped where a dialect that has such tools is read or written.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from pointsman.core.call import Tool

__all__ = ["INPUT_SCHEMA", "custom_names", "describe", "unwrap_input", "wrap_input"]

INPUT_SCHEMA: Final = msgspec.Raw(
    b'{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as text."}},'
    b'"required":["input"],"additionalProperties":false}'
)
"""The parameters of the function that stands for a custom tool."""


class _Wrapped(msgspec.Struct):
    input: str


_NONE: Final[frozenset[str]] = frozenset()
_encode: Final = msgspec.json.Encoder().encode
_decode_wrapped: Final = msgspec.json.Decoder(_Wrapped).decode


def describe(description: str | None, syntax: str, definition: str) -> str | None:
    """A custom tool's description, with its grammar, which a function's schema could not hold."""
    if not definition:
        return description
    rule = f"The input must follow this {syntax} grammar:\n{definition}"
    return f"{description}\n\n{rule}" if description else rule


def custom_names(tools: Collection[Tool], dialect: str) -> frozenset[str]:
    """The names of a dialect's custom tools, the only native ones that are described as functions, too."""
    if not tools:
        return _NONE
    return frozenset(
        tool.name for tool in tools if tool.dialect == dialect and tool.native is not None and tool.parameters
    )


def wrap_input(text: str) -> str:
    """The arguments that stand for a custom tool's input."""
    return _encode(_Wrapped(text)).decode()


def unwrap_input(arguments: str) -> str:
    """The input in a custom tool's arguments; a model that did not keep to their form is taken at its word."""
    try:
        return _decode_wrapped(arguments).input
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return arguments
