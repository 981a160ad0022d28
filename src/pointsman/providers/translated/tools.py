"""Tools that only their own dialect knows."""

from __future__ import annotations

from typing import Final

from pointsman.core.call import Call
from pointsman.core.errors import Unsupported

__all__ = ["demand_known_tools"]

_NAME_CHARACTERS_MAX: Final = 80


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
