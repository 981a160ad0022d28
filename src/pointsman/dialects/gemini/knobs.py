"""What Gemini cannot do for a request: refused by name, or dropped where the operator allows that.

Content that cannot be expressed is always an error (:mod:`.messages`). Tuning knobs follow ``drop_params``. A field
that only gives a hint, or is meant for the gateway itself, changes nothing about the answer and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call, EmbeddingCall, Sampling
from pointsman.core.errors import Unsupported

__all__ = ["NATIVE", "refuse_or_drop", "refuse_or_drop_embedding"]

NATIVE: Final = frozenset(
    {"cachedContent", "generationConfig", "labels", "safetySettings", "serviceTier", "toolConfig"}
)
"""Gemini's own fields that the common vocabulary has no word for."""

_NATIVE_EMBEDDING: Final = frozenset({"taskType", "title"})

_HINTS: Final = frozenset({
    # OpenAI's: bookkeeping and hints on speed, price or caching.
    "metadata", "prediction", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier",
    "store",
    # LiteLLM's: meant for the gateway.
    "cache", "caching", "context_window_fallbacks", "disable_fallbacks", "drop_params", "enable_tag_filtering",
    "fallbacks", "fastest_response", "guardrail_config", "guardrails", "include_fallback_errors", "litellm_call_id",
    "litellm_metadata", "litellm_session_id", "litellm_trace_id", "mock_response", "no-log", "num_retries", "policies",
    "priority", "prompt_id", "prompt_variables", "prompt_version", "request_timeout", "tags", "timeout", "ttl",
    # Ollama's: about a model's stay in memory.
    "keep_alive", "num_ctx",
})  # fmt: skip

_NOT_GEMINIS: Final = ("min_p", "logit_bias")
_SAMPLING: Final = frozenset(Sampling.__struct_fields__)
_REASONING: Final = frozenset({"reasoning_effort", "reasoning", "thinking"})


def refuse_or_drop(call: Call, *, drop_params: bool = False, additional: tuple[str, ...] = ()) -> Call:
    """The chat request without what Gemini does not know.

    Args:
        call: What the client wants.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).

    Raises:
        Unsupported: a tool that only another dialect knows, or a knob that may not be dropped; the message names it.
    """
    for tool in call.tools:
        if tool.native is not None and tool.dialect != "gemini":
            raise Unsupported(f"tools: Gemini does not have the tool '{tool.name[:80]}'.", param="tools")
    call = _without(call, additional)
    knobs = [name for name in _NOT_GEMINIS if _is_said(getattr(call.sampling, name))]
    knobs += _unknown(call.extra, NATIVE)
    if not knobs:
        return call
    _demand_droppable(knobs, drop_params=drop_params)
    return _without(call, knobs)


def refuse_or_drop_embedding(
    call: EmbeddingCall, *, drop_params: bool = False, additional: tuple[str, ...] = ()
) -> EmbeddingCall:
    """The same for embeddings. Token ids are content, so always refused.

    Raises:
        Unsupported: as :func:`refuse_or_drop`.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; Gemini takes no token ids.", param="input")
    knobs = [name for name in _unknown(call.extra, _NATIVE_EMBEDDING) if name not in additional]
    if knobs:
        _demand_droppable(knobs, drop_params=drop_params)
    extra = {name: raw for name, raw in call.extra.items() if name not in knobs and name not in additional}
    dimensions = None if "dimensions" in additional else call.dimensions
    return msgspec.structs.replace(call, extra=extra, dimensions=dimensions)


def _is_said(value: object) -> bool:
    return value is not None and value != msgspec.Raw(b"{}")


def _unknown(extra: Iterable[str], native: frozenset[str]) -> list[str]:
    return [name for name in extra if name not in native and name not in _HINTS]


def _demand_droppable(knobs: list[str], *, drop_params: bool) -> None:
    if drop_params:
        return
    names = ", ".join(name[:80] for name in knobs[:10])
    raise Unsupported(
        f"Gemini does not support {names}.",
        hint="Leave it out, or let the operator set drop_params: true to have such fields dropped.",
        param=knobs[0][:80],
    )


def _without(call: Call, names: Iterable[str]) -> Call:
    """The call without some of its fields, under the names that OpenAI has for them."""
    dropped = frozenset(names)
    if not dropped:
        return call
    knobs = {name: None for name in _SAMPLING if name in dropped}
    if "max_completion_tokens" in dropped:
        knobs["max_tokens"] = None
    return msgspec.structs.replace(
        call,
        extra={name: raw for name, raw in call.extra.items() if name not in dropped},
        sampling=msgspec.structs.replace(call.sampling, **knobs),
        tools=() if "tools" in dropped else call.tools,
        tool_choice=None if "tool_choice" in dropped else call.tool_choice,
        parallel_tool_calls=None if "parallel_tool_calls" in dropped else call.parallel_tool_calls,
        response_format=None if "response_format" in dropped else call.response_format,
        reasoning=None if _REASONING & dropped else call.reasoning,
    )
