"""What a request holds and OpenAI's Responses API does not know: refused by name, or dropped.

Source: https://platform.openai.com/docs/api-reference/responses/create. Tuning knobs follow ``drop_params``; a field
that only gives a hint changes nothing about the answer and is passed over.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.dialects.droppable import HINTS, demand_droppable, demand_text_only, without, without_noise

__all__ = ["refuse_or_drop"]

_NATIVE: Final = frozenset({
    "include", "max_tool_calls", "metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
    "safety_identifier", "service_tier", "truncation", "verbosity",
})  # fmt: skip
_MISSING: Final = (
    "top_k", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty", "n", "logit_bias",
)  # fmt: skip

_OUTPUT_TOKENS_MIN: Final = 16
"""Lower bounds, with which agents try whether a model answers, are refused there: "Invalid 'max_output_tokens': integer
below minimum value. Expected a value >= 16, …" (``integer_below_min_value``), as OpenAI's answer is cited in
https://github.com/vectorize-io/hindsight/issues/58."""


def refuse_or_drop(call: Call, *, drop_params: bool = False, additional: tuple[str, ...] = ()) -> Call:
    """The request without what this API does not know.

    Args:
        call: What the client wants.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).

    Raises:
        Unsupported: a wish for other answers than text, or a knob that may not be dropped; the message names it.
    """
    demand_text_only(call, "OpenAI's Responses API")
    call = without(call, additional)
    call = msgspec.structs.replace(call, sampling=without_noise(call.sampling))
    extra = {name: raw for name, raw in call.extra.items() if name != "modalities"}
    knobs = [name for name in _MISSING if getattr(call.sampling, name) is not None]
    knobs += [name for name in extra if name not in _NATIVE | HINTS]
    if knobs:
        demand_droppable("OpenAI's Responses API", knobs, drop_params=drop_params)
        call = without(call, knobs)
    limit = call.sampling.max_tokens
    if limit is not None and limit < _OUTPUT_TOKENS_MIN:
        call = msgspec.structs.replace(
            call, sampling=msgspec.structs.replace(call.sampling, max_tokens=_OUTPUT_TOKENS_MIN)
        )
    return msgspec.structs.replace(call, extra={name: raw for name, raw in extra.items() if name in _NATIVE})
