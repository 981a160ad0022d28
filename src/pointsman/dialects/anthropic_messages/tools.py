"""Tools and the choice among them.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call, Tool, ToolChoice
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.anthropic_messages.search import read_search
from pointsman.dialects.anthropic_messages.server_tools import CODE_NAME
from pointsman.dialects.anthropic_messages.types import ToolChoiceFields, ToolFields, said
from pointsman.wire.json_fields import decode_field

__all__ = ["DIALECT", "read_choice", "read_tools", "write_choice", "write_tools"]

DIALECT: Final = "anthropic_messages"

_decode: Final = msgspec.json.Decoder(ToolFields).decode
_OBJECT: Final = ord("{")
_ANY_OBJECT: Final = msgspec.Raw(b'{"type":"object","properties":{}}')


def read_tools(tools: Iterable[msgspec.Raw] | None) -> tuple[Tool, ...]:
    """The tools; those that Anthropic runs or defines itself are kept whole.

    Raises:
        Malformed: a field is missing or of a wrong type; ``param`` is its path.
    """
    return tuple(_read_tool(raw, f"tools[{index}]") for index, raw in enumerate(tools or ()))


def _read_tool(raw: msgspec.Raw, path: str) -> Tool:
    tool = decode_field(path, raw, _decode)
    if tool.type not in {None, "custom"}:
        return Tool(
            tool.name or str(tool.type),
            native=raw,
            dialect=DIALECT,
            search=read_search(raw),
            runs_code=str(tool.type).startswith(CODE_NAME),
        )
    if tool.name is None:
        raise Malformed(f"{path}.name is required.", param=f"{path}.name")
    schema = said(tool.input_schema)
    if schema is None:
        raise Malformed(f"{path}.input_schema is required.", param=f"{path}.input_schema")
    if memoryview(schema)[0] != _OBJECT:
        raise Malformed(f"{path}.input_schema must be an object.", param=f"{path}.input_schema")
    return Tool(tool.name, tool.description, schema, tool.strict, cache_control=said(tool.cache_control))


def read_choice(choice: ToolChoiceFields | None, tools: tuple[Tool, ...]) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether several tools may be called at once.

    Raises:
        Malformed: it names no tool, or one that is not there.
    """
    if choice is None:
        return None, None
    serial = choice.disable_parallel_tool_use
    parallel = None if serial is None else not serial
    if choice.type != "tool":
        return ToolChoice("required" if choice.type == "any" else choice.type), parallel
    if choice.name is None:
        raise Malformed("tool_choice.name is required.", param="tool_choice.name")
    if choice.name not in {tool.name for tool in tools}:
        raise Malformed(f"tool_choice names '{choice.name[:80]}', which is not in tools.", param="tool_choice.name")
    return ToolChoice("named", choice.name), parallel


def write_tools(tools: Iterable[Tool]) -> list[ToolFields | msgspec.Raw]:
    """The tools on the wire.

    Raises:
        Unsupported: a tool that only another dialect knows.
    """
    return [_write_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]


def _write_tool(tool: Tool, path: str) -> ToolFields | msgspec.Raw:
    if tool.native is not None:
        if tool.dialect == DIALECT:
            return tool.native
        if tool.parameters is None:
            raise Unsupported(f"{path}: the tool '{tool.name[:80]}' is not known to Anthropic.", param=path)
    return ToolFields(
        name=tool.name,
        description=tool.description,
        input_schema=_ANY_OBJECT if tool.parameters is None else tool.parameters,
        strict=tool.strict,
        cache_control=msgspec.UNSET if tool.cache_control is None else tool.cache_control,
    )


def write_choice(call: Call) -> ToolChoiceFields | None:
    """The choice; Anthropic refuses one without tools."""
    choice = call.tool_choice
    parallel = call.parallel_tool_calls
    if not call.tools or (choice is None and parallel is not False):
        return None
    serial = None if parallel is None else not parallel
    if choice is None or choice.mode == "auto":
        return ToolChoiceFields("auto", disable_parallel_tool_use=serial)
    if choice.mode == "none":
        return ToolChoiceFields("none")
    if choice.mode == "required":
        return ToolChoiceFields("any", disable_parallel_tool_use=serial)
    return ToolChoiceFields("tool", choice.name or "", serial)
