"""What watsonx.ai cannot do for a chat request: refused by name, or dropped where the operator allows that."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.dialects.droppable import HINTS, demand_droppable, demand_text_only, is_off, without

__all__ = ["refuse_or_drop"]

_NATIVE: Final = frozenset({
    "chat_template_kwargs", "crypto", "guided_choice", "guided_grammar", "guided_json", "guided_regex",
    "include_reasoning", "length_penalty", "repetition_penalty", "time_limit",
})  # fmt: skip
"""Fields that it knows beyond the common vocabulary; they are sent as they are."""


def refuse_or_drop(call: Call, *, drop_params: bool = False, additional: tuple[str, ...] = ()) -> Call:
    """The chat request without what watsonx.ai does not know.

    Args:
        call: What the client wants.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).

    Raises:
        Unsupported: the content, or a knob that may not be dropped; the message names it.
    """
    call = without(call, additional)
    demand_text_only(call, "watsonx.ai")
    knobs = [name for name in ("top_k", "min_p") if getattr(call.sampling, name)]
    if call.parallel_tool_calls is False and call.tools:
        knobs.append("parallel_tool_calls")
    knobs += [name for name in call.extra if name not in _NATIVE and name not in HINTS and name != "modalities"]
    if knobs:
        demand_droppable("watsonx.ai", knobs, drop_params=drop_params)
    return msgspec.structs.replace(
        call,
        sampling=msgspec.structs.replace(call.sampling, top_k=None, min_p=None),
        parallel_tool_calls=None,
        reasoning=None if call.reasoning is not None and is_off(call.reasoning) else call.reasoning,
        user=None,
        extra={name: raw for name, raw in call.extra.items() if name in _NATIVE},
    )
