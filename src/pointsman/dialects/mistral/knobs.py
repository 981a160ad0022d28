"""What Mistral cannot do for a request: refused by name, or dropped where the operator allows that."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call, CompletionCall, Sampling
from pointsman.core.errors import Unsupported
from pointsman.dialects.droppable import HINTS, demand_droppable, demand_text_only, is_off, without

__all__ = ["refuse_or_drop", "refuse_or_drop_completion"]

_NATIVE: Final = frozenset({
    "guardrails", "metadata", "min_tokens", "prediction", "prompt_cache_key", "prompt_mode", "random_seed",
    "repetition_penalty", "safe_prompt",
})  # fmt: skip
"""Fields that Mistral knows beyond the common vocabulary; they are sent as they are."""
_NATIVE_COMPLETION: Final = frozenset({"metadata", "min_tokens", "prompt_cache_key", "random_seed"})


def refuse_or_drop(call: Call, *, thinks: bool, drop_params: bool = False, additional: tuple[str, ...] = ()) -> Call:
    """The chat request without what Mistral does not know.

    Args:
        call: What the client wants.
        thinks: Whether the model reasons; others refuse to be asked to.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).

    Raises:
        Unsupported: the content, or a knob that may not be dropped; the message names it.
    """
    call = without(call, additional)
    demand_text_only(call, "Mistral")
    knobs = [name for name in ("logit_bias", "min_p") if _is_said(call.sampling, name)]
    knobs += [name for name in call.extra if name not in _NATIVE and name not in HINTS and name != "modalities"]
    if call.reasoning is not None and not thinks:
        if not is_off(call.reasoning):
            knobs.append("reasoning_effort")
        call = msgspec.structs.replace(call, reasoning=None)
    if knobs:
        demand_droppable("Mistral", knobs, drop_params=drop_params)
    kept = {name: raw for name, raw in call.extra.items() if name in _NATIVE}
    sampling = msgspec.structs.replace(call.sampling, logit_bias=None, min_p=None)
    return msgspec.structs.replace(call, extra=kept, sampling=sampling, user=None)


def refuse_or_drop_completion(
    call: CompletionCall, *, drop_params: bool = False, additional: tuple[str, ...] = ()
) -> CompletionCall:
    """The same for filling in the middle. Several prompts in one request are content, so always refused.

    Raises:
        Unsupported: as :func:`refuse_or_drop`.
    """
    if len(call.prompts) != 1:
        raise Unsupported(
            "prompt must be one text; Mistral takes one at a time.",
            hint="Send one request per prompt.",
            param="prompt",
        )
    refused = ("logit_bias", "min_p", "top_k", "presence_penalty", "frequency_penalty", "logprobs", "n")
    knobs = [name for name in refused if _is_said(call.sampling, name)]
    if call.echo:
        knobs.append("echo")
    knobs += [name for name in call.extra if name not in _NATIVE_COMPLETION and name not in HINTS]
    knobs = [name for name in knobs if name not in additional]
    if knobs:
        demand_droppable("Mistral", knobs, drop_params=drop_params)
    kept = {name: raw for name, raw in call.extra.items() if name in _NATIVE_COMPLETION and name not in additional}
    return msgspec.structs.replace(call, extra=kept, echo=False)


def _is_said(sampling: Sampling, name: str) -> bool:
    """Whether a knob asks for anything beyond what holds without it."""
    value = getattr(sampling, name)
    if name == "n":
        return value is not None and value > 1
    if name == "logit_bias":
        return value is not None and value != msgspec.Raw(b"{}")
    return bool(value)
