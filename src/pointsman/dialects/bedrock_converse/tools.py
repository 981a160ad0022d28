"""Tools, the choice among them, and the tool that stands in for a shape of the answer.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html. There is no choice
of ``none``: then no tool is offered at all.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, Tool
from pointsman.core.errors import Malformed
from pointsman.dialects.bedrock_converse.abilities import Abilities
from pointsman.dialects.bedrock_converse.names import ToolNames
from pointsman.dialects.bedrock_converse.reasoning import is_wanted
from pointsman.dialects.bedrock_converse.schemas import object_schema
from pointsman.dialects.bedrock_converse.turns import write_cache_point
from pointsman.dialects.bedrock_converse.types import (
    NamedTool,
    ToolChoiceFields,
    ToolConfig,
    ToolEntry,
    ToolInputSchema,
    ToolSpec,
)

__all__ = ["offers_tools", "shape_tool", "write_tools"]

_ANY_OBJECT: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_SHAPE_TOOL: Final = "json_tool_call"
_SHAPE_DESCRIPTION: Final = "Give your answer to the user by calling this tool, with the answer as its input."


def offers_tools(call: Call) -> bool:
    """Whether the client's own tools are offered."""
    return bool(call.tools) and (call.tool_choice is None or call.tool_choice.mode != "none")


def shape_tool(call: Call, abilities: Abilities, names: ToolNames) -> str | None:
    """The name of the tool whose input is the answer, where the model knows no other way to give it a shape."""
    shape = call.response_format
    if shape is None or shape.kind != "json_schema" or abilities.json_schema:
        return None
    return names.unused(_SHAPE_TOOL)


def write_tools(call: Call, abilities: Abilities, names: ToolNames) -> ToolConfig | None:
    """The tools on the wire, or None without any.

    Raises:
        Malformed: the shape of the answer has no schema.
    """
    entries: list[ToolEntry] = []
    for tool in call.tools if offers_tools(call) else ():
        entries.append(ToolEntry(tool_spec=_write_tool(tool, abilities, names)))
        point = write_cache_point(tool.cache_control, abilities)
        if point is not None:
            entries.append(ToolEntry(cache_point=point))
    choice = _write_choice(call, names) if entries else None
    shape = shape_tool(call, abilities, names)
    if shape is not None:
        # With tools of the client's own, the model has to call one or the other.
        choice = ToolChoiceFields(any={}) if entries else ToolChoiceFields(tool=NamedTool(shape))
        if is_wanted(call.reasoning) or not abilities.forced_tools:
            choice = None
        entries.append(ToolEntry(tool_spec=_write_shape(call, shape)))
    return ToolConfig(entries, choice) if entries else None


def _write_tool(tool: Tool, abilities: Abilities, names: ToolNames) -> ToolSpec:
    return ToolSpec(
        names.fitted(tool.name),
        ToolInputSchema(_ANY_OBJECT if tool.parameters is None else object_schema(tool.parameters)),
        tool.description or None,
        True if tool.strict and abilities.strict_tools else None,
    )


def _write_shape(call: Call, name: str) -> ToolSpec:
    shape = call.response_format
    schema = None if shape is None else shape.schema
    if schema is None:
        raise Malformed("response_format.json_schema.schema is required.", param="response_format.json_schema.schema")
    return ToolSpec(name, ToolInputSchema(object_schema(schema)), _SHAPE_DESCRIPTION)


def _write_choice(call: Call, names: ToolNames) -> ToolChoiceFields | None:
    choice = call.tool_choice
    if choice is None:
        return None
    if choice.mode == "required":
        return ToolChoiceFields(any={})
    if choice.mode == "named":
        return ToolChoiceFields(tool=NamedTool(names.fitted(choice.name or "")))
    return ToolChoiceFields(auto={})
