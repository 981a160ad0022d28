"""Tools of a chat and the choice among them, to and from the common vocabulary.

Source: https://platform.openai.com/docs/api-reference/chat/create (tools, tool_choice). Beside functions and custom
tools clients of LiteLLM put here what a provider runs or defines itself, in that provider's form
(https://docs.litellm.ai/docs/providers/anthropic, …/providers/gemini): ``web_search_20250305``, ``computer_20250124``,
``{"googleSearch": {}}``, ``web_search``. Such a tool is kept whole as a native one of this dialect; whoever knows the
providers finds out whose it is. A function in Anthropic's form, with ``input_schema``, is a function.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from pointsman.core.call import Tool, ToolChoice
from pointsman.core.errors import Malformed
from pointsman.dialects.custom_tools import INPUT_SCHEMA, describe
from pointsman.dialects.openai_chat.types import (
    ChatRequest,
    CustomFields,
    CustomGrammar,
    CustomName,
    FunctionDefinition,
    FunctionName,
    NamedChoice,
    RawField,
    ToolFields,
)
from pointsman.wire.json_fields import decode_field, demand_object

__all__ = ["DIALECT", "read_tools", "said", "write_choice", "write_tool"]

DIALECT: Final = "openai_chat"
"""What :class:`~pointsman.core.call.Tool` calls this dialect."""

_decode: Final = msgspec.json.Decoder(ToolFields).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NULL: Final = msgspec.Raw(b"null")
_NAME_CHARACTERS_MAX: Final = 256

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def read_tools(request: ChatRequest) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The tools of a request, functions of the older form among them, and the choice.

    Raises:
        Malformed: a field is missing or of a wrong type, or the choice names a tool that is not there.
    """
    if request.tools is None and request.functions is None and request.tool_choice is None:
        return (), None
    if request.functions and not request.tools:
        listed = enumerate(request.functions)
        tools = tuple(_read_function(function, f"functions[{index}]") for index, function in listed)
        return tools, _read_function_call(request.function_call)
    tools = tuple(_read_tool(raw, f"tools[{index}]") for index, raw in enumerate(request.tools or ()))
    choice = request.tool_choice
    if choice == "required" and request.tools is None:
        raise Malformed("tool_choice demands a call, and there are no tools.", param="tool_choice")
    if choice is None or isinstance(choice, str):
        return tools, None if choice is None else ToolChoice(choice)
    return _read_named_choice(tools, choice)


def said(raw: RawField) -> msgspec.Raw | None:
    """A raw field, if it says something."""
    return raw if isinstance(raw, msgspec.Raw) and raw != _NULL else None


def _read_tool(raw: msgspec.Raw, path: str) -> Tool:
    tool = decode_field(path, raw, _decode)
    kind = tool.type if isinstance(tool.type, str) else None
    mark = said(tool.cache_control)
    if kind in {None, "function"} and tool.function is not None:
        function = _read_function(tool.function, f"{path}.function")
        return msgspec.structs.replace(function, cache_control=mark or function.cache_control)
    if kind == "custom" and tool.custom is not None:
        return _read_custom(tool.custom, raw)
    if kind in {None, "custom"} and tool.name is not None and (schema := said(tool.input_schema)) is not None:
        return Tool(tool.name, tool.description, demand_object(f"{path}.input_schema", schema), cache_control=mark)
    if kind in {"function", "custom"}:
        raise Malformed(f"{path}.{kind} is required.", param=f"{path}.{kind}")
    return Tool(_name_of(tool, kind, raw, path), native=raw, dialect=DIALECT)


def _name_of(tool: ToolFields, kind: str | None, raw: msgspec.Raw, path: str) -> str:
    """What a tool of a provider's own is called: its name, its type, or, in Gemini's form, its only field.

    Raises:
        Malformed: it is nothing of all that.
    """
    named = tool.name or (tool.function.name if tool.function is not None else None) or kind
    if named is None:
        named = next(iter(_decode_fields(raw)), None)
    if not named or len(named) > _NAME_CHARACTERS_MAX:
        raise Malformed(f"{path}.function is required.", param=f"{path}.function")
    return named


def _read_function(function: FunctionDefinition, path: str) -> Tool:
    parameters = said(function.parameters)
    return Tool(
        name=function.name,
        description=function.description,
        parameters=None if parameters is None else demand_object(f"{path}.parameters", parameters),
        strict=function.strict,
        cache_control=said(function.cache_control),
    )


def _read_custom(custom: CustomFields, raw: msgspec.Raw) -> Tool:
    grammar = (custom.format.grammar if custom.format is not None else None) or CustomGrammar()
    description = describe(custom.description, grammar.syntax, grammar.definition)
    return Tool(custom.name, description, INPUT_SCHEMA, native=raw, dialect=DIALECT)


def _read_function_call(choice: Literal["none", "auto"] | FunctionName | None) -> ToolChoice | None:
    if isinstance(choice, FunctionName):
        return ToolChoice("named", choice.name)
    return None if choice is None else ToolChoice(choice)


def _read_named_choice(tools: tuple[Tool, ...], choice: NamedChoice) -> tuple[tuple[Tool, ...], ToolChoice]:
    if choice.allowed_tools is not None:
        names = {name for tool in choice.allowed_tools.tools if (name := _named(tool)) is not None}
        _demand_tools(names, tools)
        return tuple(tool for tool in tools if tool.name in names), ToolChoice(choice.allowed_tools.mode)
    name = _named(choice)
    if name is None:
        raise Malformed("tool_choice must name a function.", param="tool_choice")
    _demand_tools({name}, tools)
    return tools, ToolChoice("named", name)


def _named(choice: NamedChoice) -> str | None:
    named = choice.function or choice.custom
    return None if named is None else named.name


def _demand_tools(names: set[str], tools: tuple[Tool, ...]) -> None:
    missing = sorted(names - {tool.name for tool in tools})
    if missing:
        raise Malformed(f"tool_choice names '{missing[0][:80]}', which is not in tools.", param="tool_choice")


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def write_tool(tool: Tool) -> ToolFields | msgspec.Raw:
    """A tool for an upstream; one that only another dialect knows is told as the function that it also is."""
    if tool.native is not None and tool.dialect == DIALECT:
        return tool.native
    parameters = msgspec.UNSET if tool.parameters is None else tool.parameters
    return ToolFields("function", FunctionDefinition(tool.name, tool.description, parameters, tool.strict))


def write_choice(choice: ToolChoice | None, customs: Iterable[str]) -> str | NamedChoice | None:
    """``tool_choice`` for an upstream; ``customs`` are the names of the custom tools."""
    if choice is None or choice.mode != "named":
        return None if choice is None else choice.mode
    name = choice.name or ""
    if name in customs:
        return NamedChoice("custom", custom=CustomName(name))
    return NamedChoice("function", FunctionName(name))
