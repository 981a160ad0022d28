"""Tools and the choice among them, to and from the common vocabulary.

Source: https://platform.openai.com/docs/api-reference/responses/create (tools, tool_choice).

A custom tool is kept whole as ``native``, and beside that described as a function, which any other dialect can offer
instead (see :mod:`~pointsman.dialects.custom_tools`). Tools in a namespace are taken out of it under a name that needs
none (see ``groups``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from pointsman.core.call import Tool, ToolChoice
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.custom_tools import INPUT_SCHEMA, describe
from pointsman.dialects.openai_responses.groups import flat_name
from pointsman.dialects.openai_responses.search import read_search
from pointsman.dialects.openai_responses.types import AllowedTool, RawField, ToolChoiceFields, ToolFields
from pointsman.wire.json_fields import decode_field, demand_object

__all__ = [
    "CODE_NAME",
    "DIALECT",
    "read_additional_tools",
    "read_choice",
    "read_tools",
    "write_choice",
    "write_tool",
]

CODE_NAME: Final = "code_interpreter"
"""The type of the tool that runs code."""

DIALECT: Final = "openai_responses"
"""What :class:`~pointsman.core.call.Tool` calls this dialect."""


class _Grammar(msgspec.Struct):
    """``format`` of a custom tool; a syntax and a definition, or free text without either."""

    syntax: str = ""
    definition: str = ""


_decode_tool: Final = msgspec.json.Decoder(ToolFields).decode
_decode_grammar: Final = msgspec.json.Decoder(_Grammar).decode
_decode_type: Final = msgspec.json.Decoder(AllowedTool).decode

_NULL: Final = msgspec.Raw(b"null")

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_tools(raw_tools: Iterable[msgspec.Raw] | None) -> tuple[Tool, ...]:
    """The tools of a request.

    Raises:
        Malformed: one has no type, or no name where it needs one; ``param`` is its path.
    """
    return _read_list(raw_tools or (), "tools", None)


def read_additional_tools(items: str | Iterable[msgspec.Raw] | None) -> tuple[Tool, ...]:
    """The tools that stand in the input, where a conversation got them on its way.

    Raises:
        Malformed: as :func:`read_tools`.
    """
    tools: list[Tool] = []
    for index, raw in enumerate(() if items is None or isinstance(items, str) else items):
        if b'"additional_tools"' in bytes(raw):
            item = decode_field(f"input[{index}]", raw, _decode_tool)
            if item.type == "additional_tools":
                tools += _read_list(item.tools or (), f"input[{index}].tools", None)
    return tuple(tools)


def _read_list(raw_tools: Iterable[msgspec.Raw], path: str, namespace: str | None) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for index, raw in enumerate(raw_tools):
        place = f"{path}[{index}]"
        fields = decode_field(place, raw, _decode_tool)
        if fields.type == "namespace" and namespace is None and fields.name is not None:
            tools += _read_list(fields.tools or (), f"{place}.tools", fields.name)
        else:
            tools.append(_grouped(_read_tool(raw, fields, place), namespace))
    return tuple(tools)


def _grouped(tool: Tool, namespace: str | None) -> Tool:
    if namespace is None:
        return tool
    return msgspec.structs.replace(tool, name=flat_name(namespace, tool.name), group=(namespace, tool.name))


def _read_tool(raw: msgspec.Raw, fields: ToolFields, path: str) -> Tool:
    if fields.type not in {"function", "custom"}:
        name = fields.name or fields.type
        runs_code = fields.type == CODE_NAME
        search = read_search(raw)
        return Tool(name, fields.description, native=raw, dialect=DIALECT, search=search, runs_code=runs_code)
    if fields.name is None:
        raise Malformed(f"{path}.name is required.", param=f"{path}.name")
    if fields.type == "custom":
        description = _describe(fields)
        return Tool(fields.name, description, INPUT_SCHEMA, native=raw, dialect=DIALECT)
    return Tool(fields.name, fields.description, _schema(fields.parameters, f"{path}.parameters"), fields.strict)


def _schema(raw: RawField, path: str) -> msgspec.Raw | None:
    return demand_object(path, raw) if isinstance(raw, msgspec.Raw) and raw != _NULL else None


def _describe(fields: ToolFields) -> str | None:
    """A custom tool's description, with its grammar, which a function's schema could not hold."""
    try:
        grammar = _decode_grammar(fields.format) if isinstance(fields.format, msgspec.Raw) else _Grammar()
    except msgspec.MsgspecError:
        grammar = _Grammar()
    return describe(fields.description, grammar.syntax, grammar.definition)


def read_choice(
    tools: tuple[Tool, ...], choice: Literal["none", "auto", "required"] | ToolChoiceFields | None
) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The tools that may be called, and the choice among them.

    Raises:
        Malformed: it names a tool that is not there.
    """
    if choice is None or isinstance(choice, str):
        return tools, None if choice is None else ToolChoice(choice)
    if choice.type == "allowed_tools":
        allowed = {tool.name or tool.type for tool in choice.tools or ()}
        _demand_tools(allowed, tools)
        return tuple(tool for tool in tools if _names_of(tool) & allowed), ToolChoice(choice.mode or "auto")
    if choice.name is None and choice.type in {"function", "custom"}:
        raise Malformed("tool_choice.name is required.", param="tool_choice.name")
    name = choice.name or choice.type
    _demand_tools({name}, tools)
    return tools, ToolChoice("named", name)


def _names_of(tool: Tool) -> set[str]:
    """What a choice may call a tool: its own name, or that of its namespace."""
    return {tool.name} if tool.group is None else {tool.name, tool.group[0]}


def _demand_tools(names: set[str], tools: tuple[Tool, ...]) -> None:
    missing = sorted(names.difference(*(_names_of(tool) for tool in tools)))
    if missing:
        raise Malformed(f"tool_choice names '{missing[0][:80]}', which is not in tools.", param="tool_choice")


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_tool(tool: Tool) -> dict[str, object] | msgspec.Raw:
    """A tool for an upstream.

    Raises:
        Unsupported: it belongs to another dialect.
    """
    if tool.native is not None:
        if tool.dialect != DIALECT:
            raise Unsupported(f"The tool '{tool.name[:80]}' is not known to OpenAI's Responses API.", param="tools")
        return tool.native
    # `parameters` and `strict` must be there, if only as null.
    fields: dict[str, object] = {"type": "function", "name": tool.name, "parameters": tool.parameters}
    fields["strict"] = tool.strict or False
    if tool.description is not None:
        fields["description"] = tool.description
    return fields


def write_choice(choice: ToolChoice | None, tools: Iterable[Tool]) -> str | dict[str, object] | None:
    """``tool_choice`` for an upstream."""
    if choice is None or choice.mode != "named":
        return None if choice is None else choice.mode
    native = next((tool.native for tool in tools if tool.name == choice.name and tool.native is not None), None)
    if native is None:
        return {"type": "function", "name": choice.name}
    kind = _decode_type(native)
    return {"type": kind.type} if kind.name is None else {"type": kind.type, "name": kind.name}
