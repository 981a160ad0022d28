"""What Cohere cannot do for a request: refused by name, or dropped where the operator allows that."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, Reasoning
from pointsman.core.errors import Unsupported
from pointsman.dialects.droppable import HINTS, demand_droppable, without

__all__ = ["NATIVE", "is_off", "refuse_or_drop"]

NATIVE: Final = frozenset({"citation_options", "documents", "safety_mode", "strict_tools"})
"""Cohere's own fields that OpenAI has none for; they are sent as they are."""

_TEXT_ONLY: Final = msgspec.json.Decoder(tuple[str, ...]).decode


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
    _refuse_modalities(call)
    knobs = [*_unsupported_sampling(call), *_unknown(call)]
    if call.reasoning is not None and not thinks:
        if not is_off(call.reasoning):
            knobs.append("reasoning_effort")
        call = msgspec.structs.replace(call, reasoning=None)
    if not knobs:
        return call
    demand_droppable("Cohere", knobs, drop_params=drop_params)
    return without(call, knobs)


def is_off(reasoning: Reasoning) -> bool:
    """Whether thinking is to be switched off."""
    return reasoning.effort == "none" or (reasoning.effort is None and reasoning.enabled is False)


def _refuse_modalities(call: Call) -> None:
    modalities = call.extra.get("modalities")
    if modalities is None:
        return
    try:
        text_only = set(_TEXT_ONLY(modalities)) <= {"text"}
    except msgspec.MsgspecError:
        text_only = False
    if not text_only:
        raise Unsupported("modalities: Cohere answers in text only.", param="modalities")


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
