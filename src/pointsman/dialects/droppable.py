"""What every dialect of another family does with a request's knobs that its upstream does not have.

Which knobs these are, each dialect says itself (its ``knobs`` module). Here is what they have in common: which fields
ask for nothing, how a knob is refused, and how one is taken out of a chat request.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec

from pointsman.config.request_fields import FOR_THE_GATEWAY, RULES
from pointsman.core.call import Call, Reasoning, Sampling
from pointsman.core.errors import Unsupported

__all__ = [
    "HINTS",
    "RUNNER_OPTIONS",
    "SAMPLING",
    "demand_droppable",
    "demand_text_only",
    "is_off",
    "wants_images",
    "without",
    "without_noise",
]

RUNNER_OPTIONS: Final = frozenset({
    "draft_num_predict", "keep_alive", "low_vram", "main_gpu", "num_batch", "num_ctx", "num_gpu", "num_keep",
    "num_thread", "numa", "use_mlock", "use_mmap",
})  # fmt: skip
"""Ollama's options about how a model is run on the machine, which mean nothing where somebody else runs it."""

HINTS: Final = frozenset({
    # Providers': bookkeeping, how they are to keep a conversation, and hints on speed, price or caching.
    "cache_control", "client_metadata", "context_management", "diagnostics", "include", "inference_geo", "metadata",
    "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
    "service_tier", "speed", "store", "user_profile_id",
    # LiteLLM's: meant for the gateway.
    "cache", "priority", "prompt_id", "prompt_variables", "prompt_version", "timeout", "ttl",
}) | FOR_THE_GATEWAY | RULES | RUNNER_OPTIONS | {"options"}  # fmt: skip
"""Fields that change nothing about the answer, so an upstream that does not know them is not sent them.

With Ollama's ``options`` that Ollama itself would pass over.
"""

SAMPLING: Final = frozenset(Sampling.__struct_fields__)
"""The sampling knobs, under the names that OpenAI has for them."""

_ZERO_IS_NONE: Final = ("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "min_p")
_NOISY: Final = (*_ZERO_IS_NONE, "n", "logit_bias")
_noisy: Final = attrgetter(*_NOISY)
_ALL_UNSAID: Final = (None,) * len(_NOISY)
_NO_BIAS: Final = msgspec.Raw(b"{}")
_decode_modalities: Final = msgspec.json.Decoder(tuple[str, ...]).decode
_REASONING: Final = frozenset({"reasoning_effort", "reasoning", "thinking"})


def demand_droppable(upstream: str, knobs: list[str], *, drop_params: bool) -> None:
    """Refuse knobs that the upstream does not have, unless the operator allows dropping them.

    Args:
        upstream: Whose dialect it is, as the client reads it: "Ollama".
        knobs: At least one name; they may be the client's own words, so little of them is repeated.
        drop_params: The operator's setting.

    Raises:
        Unsupported: the message names them.
    """
    if drop_params:
        return
    names = ", ".join(name[:80] for name in knobs[:10])
    raise Unsupported(
        f"{upstream} does not support {names} in this request.",
        hint="Leave it out, or let the operator set drop_params: true to have such fields dropped.",
        param=knobs[0][:80],
    )


def demand_text_only(call: Call, upstream: str) -> None:
    """Refuse a wish for answers in sound or pictures, where the upstream answers in text only.

    Raises:
        Unsupported: ``modalities`` has others.
    """
    modalities = call.extra.get("modalities")
    if modalities is None:
        return
    try:
        text_only = set(_decode_modalities(modalities)) <= {"text"}
    except msgspec.MsgspecError:
        text_only = False
    if not text_only:
        raise Unsupported(f"modalities: {upstream} answers in text only.", param="modalities")


def wants_images(modalities: msgspec.Raw) -> bool:
    """Whether ``modalities`` of a chat ask for images, and for nothing else than these and text."""
    try:
        kinds = set(_decode_modalities(modalities))
    except msgspec.MsgspecError:
        return False
    return "image" in kinds and kinds <= {"text", "image"}


def is_off(reasoning: Reasoning) -> bool:
    """Whether thinking is to be switched off."""
    return reasoning.effort == "none" or (reasoning.effort is None and reasoning.enabled is False)


def without_noise(sampling: Sampling) -> Sampling:
    """The knobs without values that ask for nothing, which SDKs and other dialects send."""
    if _noisy(sampling) == _ALL_UNSAID:
        return sampling
    changes = {name: None for name in _ZERO_IS_NONE if not getattr(sampling, name)}
    if sampling.n == 1:
        changes["n"] = None
    if sampling.logit_bias == _NO_BIAS:
        changes["logit_bias"] = None
    return msgspec.structs.replace(sampling, **changes)


def without(call: Call, names: Iterable[str]) -> Call:
    """The chat request without some of its fields, under the names that clients of any dialect have for them."""
    dropped = frozenset(names)
    if not dropped:
        return call
    knobs: dict[str, object] = {name: None for name in SAMPLING if name in dropped}
    if "max_completion_tokens" in dropped:
        knobs["max_tokens"] = None
    if "stop_sequences" in dropped:
        knobs["stop"] = None
    return msgspec.structs.replace(
        call,
        sampling=msgspec.structs.replace(call.sampling, **knobs),
        tools=() if "tools" in dropped else call.tools,
        tool_choice=None if "tool_choice" in dropped else call.tool_choice,
        parallel_tool_calls=None if "parallel_tool_calls" in dropped else call.parallel_tool_calls,
        response_format=None if "response_format" in dropped else call.response_format,
        reasoning=None if _REASONING & dropped else call.reasoning,
        user=None if "user" in dropped else call.user,
        extra={name: raw for name, raw in call.extra.items() if name not in dropped},
    )
