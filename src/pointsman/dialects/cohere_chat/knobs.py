"""What Cohere cannot do for a request: refused by name, or dropped where the operator allows that."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.dialects.droppable import HINTS, demand_droppable, demand_text_only, is_off, without

__all__ = ["NATIVE", "is_off", "refuse_or_drop"]

NATIVE: Final = frozenset({"citation_options", "documents", "safety_mode", "strict_tools"})
"""Cohere's own fields that OpenAI has none for; they are sent as they are."""


def refuse_or_drop(call: Call, *, thinks: bool, drop_params: bool = False, additional: tuple[str, ...] = ()) -> Call:
    """The chat request without what Cohere does not know.

    Args:
        call: What the client wants.
        thinks: Whether the model reasons; others refuse to be asked to.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).

    Raises:
        Unsupported: the content, or a knob that may not be dropped; the message names it.
    """
    call = without(call, additional)
    demand_text_only(call, "Cohere")
    knobs = [*_unsupported_sampling(call), *_unknown(call)]
    if call.reasoning is not None and not thinks:
        if not is_off(call.reasoning):
            knobs.append("reasoning_effort")
        call = msgspec.structs.replace(call, reasoning=None)
    if not knobs:
        return call
    demand_droppable("Cohere", knobs, drop_params=drop_params)
    return without(call, knobs)


def _unsupported_sampling(call: Call) -> list[str]:
    sampling = call.sampling
    said = {
        "n": sampling.n is not None and sampling.n > 1,
        "logit_bias": sampling.logit_bias is not None and sampling.logit_bias != msgspec.Raw(b"{}"),
        "min_p": bool(sampling.min_p),
        "top_logprobs": bool(sampling.top_logprobs),
    }
    return [name for name, is_said in said.items() if is_said]


def _unknown(call: Call) -> list[str]:
    return [name for name in call.extra if name not in NATIVE and name not in HINTS and name != "modalities"]
