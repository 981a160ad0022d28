"""Tools that only their own dialect knows."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.errors import Unsupported

__all__ = ["demand_known_tools", "without_foreign_tools"]

_NAME_CHARACTERS_MAX: Final = 80


def without_foreign_tools(call: Call, dialect: str, *, drop_params: bool = False) -> Call:
    """The request without tools that only another dialect's provider has, where it can do without them.

    Agents offer what their own provider has (Codex: a web search) beside functions of their own, whoever answers; a
    model that is not offered it does not use it. A request that has nothing else, or insists on such a tool, is left
    as it is, unless the operator allows dropping.
    """
    foreign = {tool.name for tool in call.tools if tool.native and tool.dialect != dialect and tool.parameters is None}
    if not foreign:
        return call
    choice = call.tool_choice
    insists = choice is not None and choice.mode == "named" and choice.name in foreign
    if insists or (len(foreign) == len(call.tools) and not drop_params):
        return call
    left = tuple(tool for tool in call.tools if tool.name not in foreign)
    return msgspec.structs.replace(call, tools=left, tool_choice=choice if left else None)


def demand_known_tools(call: Call, dialect: str) -> None:
    """Raise where a tool of another dialect has no form in ``dialect``.

    Raises:
        Unsupported: the message names the tool.
    """
    for position, tool in enumerate(call.tools):
        if tool.native is not None and tool.dialect != dialect and tool.parameters is None:
            raise Unsupported(
                f"The tool {tool.name[:_NAME_CHARACTERS_MAX]!r} is one that only its own provider knows.",
                hint="Leave it out, or ask a model of that provider.",
                param=f"tools[{position}]",
            )
