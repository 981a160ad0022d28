"""What Bedrock, or the model behind it, cannot do for a request: refused by name, or dropped where that is allowed.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. Content that cannot be
expressed is always an error. Tuning knobs follow ``drop_params``. A field that only gives a hint, or is meant for the
gateway itself, changes nothing about the answer and is passed over.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Audio
from pointsman.core.errors import Unsupported
from pointsman.dialects.bedrock_converse.abilities import Abilities
from pointsman.dialects.bedrock_converse.reasoning import is_wanted
from pointsman.dialects.droppable import HINTS, demand_droppable, demand_text_only, without, without_noise

__all__ = ["MODEL_FIELDS", "NATIVE", "refuse_or_drop"]

NATIVE: Final = frozenset({
    "additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "outputConfig",
    "performanceConfig", "promptVariables", "requestMetadata", "serviceTier",
})  # fmt: skip
"""Converse's own fields that the middle has no word for; LiteLLM has the same names."""

_CLAUDES: Final = frozenset({"anthropic_beta", "output_config"})
_NOVAS: Final = frozenset({"inferenceConfig", "reasoningConfig"})
MODEL_FIELDS: Final = _CLAUDES | _NOVAS
"""Fields of a family's own, which go to ``additionalModelRequestFields``."""

_HINTS: Final = HINTS | {
    "cache_control", "context_management", "diagnostics", "inference_geo", "keep_alive", "model_id", "num_ctx",
    "user_profile_id",
}  # fmt: skip
"""With those of other dialects that save work or are about where it is done. Of Anthropic's, ``context_management`` is
refused by Bedrock without the header that goes with it, and LiteLLM leaves it out, too.

``model_id`` is the operator's: an id in place of the model's, which is read elsewhere.
"""

_NOWHERE: Final = (
    "min_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "logit_bias",
)
_TOP_P_MIN: Final = 0.95
"""While Claude thinks."""


def refuse_or_drop(
    call: Call,
    abilities: Abilities,
    *,
    drop_params: bool = False,
    additional: tuple[str, ...] = (),
    operators: frozenset[str] = frozenset(),
) -> Call:
    """The request without what the model does not know.

    Args:
        call: What the client wants.
        abilities: What the model can do.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).
        operators: Fields that the operator set, who knows the model; they pass.

    Raises:
        Unsupported: the content, or a knob that may not be dropped; the message names it.
    """
    _refuse_content(call)
    call = _without_noise(without(call, additional))
    known = NATIVE | _HINTS | operators | _of_family(abilities)
    knobs = [*_unsupported(call, abilities), *(name for name in call.extra if name not in known)]
    if knobs:
        demand_droppable("Bedrock", knobs, drop_params=drop_params)
        call = without(_without_blank_stops(call), [name for name in knobs if name != "stop"])
    extra = {name: raw for name, raw in call.extra.items() if name not in _HINTS or name == "service_tier"}
    return msgspec.structs.replace(call, extra=extra)


def _of_family(abilities: Abilities) -> frozenset[str]:
    if abilities.family == "unknown":
        return MODEL_FIELDS
    return _CLAUDES if abilities.family == "claude" else _NOVAS if abilities.family == "nova" else frozenset()


def _refuse_content(call: Call) -> None:
    for index, message in enumerate(call.messages):
        for position, part in enumerate(message.parts):
            if isinstance(part, Audio):
                place = f"messages[{index}].content[{position}]"
                raise Unsupported(f"{place}: Bedrock takes no audio here.", param=place)
    for index, tool in enumerate(call.tools):
        if tool.native is not None and tool.parameters is None:
            place = f"tools[{index}]"
            raise Unsupported(f"{place}: the tool '{tool.name[:80]}' is not known to Bedrock.", param=place)
    demand_text_only(call, "Bedrock")


def _without_noise(call: Call) -> Call:
    """The request without values that ask for nothing, which SDKs and other dialects send."""
    sampling = without_noise(call.sampling)
    if sampling.top_k is not None and sampling.top_k < 0:
        sampling = msgspec.structs.replace(sampling, top_k=None)
    return msgspec.structs.replace(
        call,
        sampling=sampling,
        user=None,
        extra={name: raw for name, raw in call.extra.items() if name != "modalities"},
    )


def _unsupported(call: Call, abilities: Abilities) -> list[str]:
    sampling = call.sampling
    knobs = [name for name in _NOWHERE if getattr(sampling, name) is not None]
    if any(not text.strip() for text in sampling.stop or ()):
        knobs.append("stop")
    if call.response_format is not None and call.response_format.kind == "json_object":
        knobs.append("response_format")
    if not abilities.sampling:
        knobs += [name for name in ("temperature", "top_p", "top_k") if getattr(sampling, name) is not None]
    elif sampling.temperature is not None and sampling.temperature > 1:
        knobs.append("temperature")
    thinks = is_wanted(call.reasoning)
    if thinks and abilities.thinks == "no":
        knobs.append("reasoning_effort")
    if abilities.family == "claude" and abilities.sampling and thinks:
        knobs += _at_odds_with_thinking(call, knobs)
    if _forces_tool(call) and (not abilities.forced_tools or (thinks and abilities.family == "claude")):
        knobs.append("tool_choice")
    return knobs


def _at_odds_with_thinking(call: Call, knobs: list[str]) -> list[str]:
    sampling = call.sampling
    odd = []
    if sampling.temperature is not None and sampling.temperature != 1 and "temperature" not in knobs:
        odd.append("temperature")
    if sampling.top_k is not None:
        odd.append("top_k")
    if sampling.top_p is not None and sampling.top_p < _TOP_P_MIN:
        odd.append("top_p")
    return odd


def _forces_tool(call: Call) -> bool:
    return bool(call.tools) and call.tool_choice is not None and call.tool_choice.mode in {"required", "named"}


def _without_blank_stops(call: Call) -> Call:
    stop = tuple(text for text in call.sampling.stop or () if text.strip()) or None
    return msgspec.structs.replace(call, sampling=msgspec.structs.replace(call.sampling, stop=stop))
