"""What a request of another dialect holds and no server of OpenAI's family knows: refused by name, or dropped.

A client of this dialect may send any field, since nobody can tell what a server adds to it. A client of another one
means its own dialect's fields by their names, and OpenAI refuses a request that has one. Tuning knobs follow
``drop_params``; a field that only gives a hint changes nothing about the answer and is passed over.
"""

from __future__ import annotations

from typing import Final

from pointsman.core.call import Call
from pointsman.dialects.droppable import HINTS, RUNNER_OPTIONS, demand_droppable, without

__all__ = ["refuse_or_drop"]

_ANTHROPICS: Final = frozenset({
    "cache_control", "container", "context_management", "diagnostics", "inference_geo", "mcp_servers", "output_config",
    "speed", "user_profile_id", "workspace_id",
})  # fmt: skip
_GEMINIS: Final = frozenset(
    {"cachedContent", "generationConfig", "labels", "safetySettings", "serviceTier", "toolConfig"}
)
_RESPONSES: Final = frozenset({"access_programs", "background_options", "image", "max_tool_calls", "truncation"})
_OLLAMAS: Final = frozenset({
    "mirostat", "mirostat_eta", "mirostat_tau", "penalize_newline", "repeat_last_n", "repeat_penalty", "tfs_z",
    "typical_p",
})  # fmt: skip
"""Sampling that llama.cpp has under the same names, so that servers of one's own may know it."""

_FOREIGN: Final = _ANTHROPICS | _GEMINIS | _RESPONSES | RUNNER_OPTIONS | {"options"}


def refuse_or_drop(
    call: Call, *, drop_params: bool = False, additional: tuple[str, ...] = (), local: bool = False
) -> Call:
    """The chat request without what OpenAI's family does not know.

    Args:
        call: What the client wants.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).
        local: Whether it is a server of the operator's own, which may know what llama.cpp knows.

    Raises:
        Unsupported: a knob that may not be dropped; the message names it.
    """
    if additional:
        call = without(call, additional)
    if not call.extra:
        return call
    foreign = _FOREIGN if local else _FOREIGN | _OLLAMAS
    found = [name for name in call.extra if name in foreign]
    knobs = [name for name in found if name not in HINTS]
    if knobs:
        demand_droppable("OpenAI's chat API", knobs, drop_params=drop_params)
    return without(call, found)
