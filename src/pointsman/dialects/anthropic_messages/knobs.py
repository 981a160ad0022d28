"""What Anthropic cannot do for a request: refused by name, or dropped where the operator allows that.

Source: https://platform.claude.com/docs/en/api/messages/create. Content that cannot be expressed is always an error.
Tuning knobs follow ``drop_params``. A field that only gives a hint, or is meant for the gateway itself, changes nothing
about the answer and is passed over.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Audio
from pointsman.core.errors import Unsupported
from pointsman.dialects.anthropic_messages.abilities import PLAIN, Abilities
from pointsman.dialects.anthropic_messages.reasoning import is_wanted
from pointsman.dialects.anthropic_messages.tools import DIALECT
from pointsman.dialects.droppable import HINTS, demand_droppable, demand_text_only, without, without_noise

__all__ = ["refuse_or_drop"]

_NATIVE: Final = frozenset({
    "billing_policy", "cache_control", "compaction", "container", "context_management", "diagnostics",
    "fallback_credit_token", "fallbacks", "inference_geo", "mcp_servers", "output_config", "speed", "thread",
    "user_profile_id",
})  # fmt: skip
"""Anthropic's own fields that the middle has no word for."""

_NOT_KNOBS: Final = _NATIVE | HINTS
_FOREIGN: Final = (
    "min_p", "seed", "presence_penalty", "frequency_penalty", "n", "logprobs", "top_logprobs", "logit_bias",
)  # fmt: skip
_foreign: Final = attrgetter(*_FOREIGN)
_ALL_UNSAID: Final = (None,) * len(_FOREIGN)

_SERVICE_TIERS: Final = (msgspec.Raw(b'"auto"'), msgspec.Raw(b'"standard_only"'))
"""Other values of ``service_tier`` are another provider's; a hint on speed and price either way."""

_MAIL_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
"""Anthropic refuses a ``user_id`` that tells who somebody is."""

_TOP_P_MIN: Final = 0.95
"""While the model thinks; https://platform.claude.com/docs/en/build-with-claude/extended-thinking."""

_ARRAY: Final = ord("[")


def refuse_or_drop(
    call: Call, *, drop_params: bool = False, additional: tuple[str, ...] = (), abilities: Abilities = PLAIN
) -> Call:
    """The request without what Anthropic does not know.

    Args:
        call: What the client wants.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).
        abilities: What the model can do beyond the common.

    Raises:
        Unsupported: the content, or a knob that may not be dropped; the message names it.
    """
    _refuse_content(call)
    call = _without_noise(without(call, additional) if additional else call)
    if not abilities.sampling:
        call = without(call, [name for name in ("temperature", "top_p") if getattr(call.sampling, name) == 1])
    knobs = _unsupported(call, abilities)
    if call.extra:
        knobs += [name for name in call.extra if name not in _NOT_KNOBS]
    if knobs:
        demand_droppable("Anthropic", knobs, drop_params=drop_params)
        call = without(_without_blank_stops(call), [name for name in knobs if name != "stop"])
    return msgspec.structs.replace(call, extra=_native(call.extra)) if call.extra else call


def _refuse_content(call: Call) -> None:
    for index, message in enumerate(call.messages):
        for position, part in enumerate(message.parts):
            if isinstance(part, Audio):
                place = f"messages[{index}].content[{position}]"
                raise Unsupported(f"{place}: Anthropic takes no audio.", param=place)
    for index, tool in enumerate(call.tools):
        if tool.native is not None and tool.dialect != DIALECT and tool.parameters is None:
            place = f"tools[{index}]"
            raise Unsupported(f"{place}: the tool '{tool.name[:80]}' is not known to Anthropic.", param=place)
    demand_text_only(call, "Anthropic")


def _without_noise(call: Call) -> Call:
    """The request without values that ask for nothing, which SDKs and other dialects send."""
    mail = call.user is not None and _MAIL_ADDRESS.search(call.user) is not None
    sampling = without_noise(call.sampling)
    if sampling is call.sampling and not mail and "modalities" not in call.extra:
        return call
    return msgspec.structs.replace(
        call,
        sampling=sampling,
        user=None if mail else call.user,
        extra={name: raw for name, raw in call.extra.items() if name != "modalities"},
    )


def _unsupported(call: Call, abilities: Abilities) -> list[str]:
    sampling = call.sampling
    said = _foreign(sampling)
    knobs = (
        [] if said == _ALL_UNSAID else [name for name, value in zip(_FOREIGN, said, strict=True) if value is not None]
    )
    if sampling.stop and any(not text.strip() for text in sampling.stop):
        knobs.append("stop")
    shape = call.response_format
    if shape is not None and not (shape.kind == "text" or (shape.kind == "json_schema" and abilities.json_schema)):
        knobs.append("response_format")
    if not abilities.sampling:
        knobs += [name for name in ("temperature", "top_p", "top_k") if getattr(sampling, name) is not None]
    thinks = is_wanted(call.reasoning)
    if (
        abilities.sampling
        and sampling.temperature is not None
        and (sampling.temperature > 1 or (thinks and sampling.temperature != 1))
    ):
        knobs.append("temperature")
    if thinks:
        knobs += [name for name in _at_odds_with_thinking(call) if name not in knobs]
    return knobs


def _at_odds_with_thinking(call: Call) -> list[str]:
    sampling = call.sampling
    knobs = []
    if sampling.top_k is not None and sampling.top_k >= 0:
        knobs.append("top_k")
    if sampling.top_p is not None and sampling.top_p < _TOP_P_MIN:
        knobs.append("top_p")
    if call.tool_choice is not None and call.tool_choice.mode in {"required", "named"}:
        knobs.append("tool_choice")
    return knobs


def _without_blank_stops(call: Call) -> Call:
    stop = tuple(text for text in call.sampling.stop or () if text.strip()) or None
    return msgspec.structs.replace(call, sampling=msgspec.structs.replace(call.sampling, stop=stop))


def _native(extra: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    return {
        name: raw
        for name, raw in extra.items()
        if (name in _NATIVE and not _is_openais(name, raw)) or (name == "service_tier" and raw in _SERVICE_TIERS)
    }


def _is_openais(name: str, raw: msgspec.Raw) -> bool:
    """``context_management`` is an array in OpenAI's Responses, and means something else."""
    return name == "context_management" and memoryview(raw)[0] == _ARRAY
