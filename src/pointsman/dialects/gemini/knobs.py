"""What Gemini cannot do for a request: refused by name, or dropped where the operator allows that.

Content that cannot be expressed is always an error (:mod:`.messages`). Tuning knobs follow ``drop_params``. A field
that only gives a hint, or is meant for the gateway itself, changes nothing about the answer and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.errors import Unsupported
from pointsman.dialects.droppable import HINTS, RUNNER_OPTIONS, demand_droppable, without

__all__ = ["NATIVE", "refuse_or_drop", "refuse_or_drop_embedding"]

NATIVE: Final = frozenset(
    {"cachedContent", "generationConfig", "labels", "safetySettings", "serviceTier", "toolConfig"}
)
"""Gemini's own fields that the common vocabulary has no word for."""

_NATIVE_EMBEDDING: Final = frozenset({"taskType", "title"})

_HINTS: Final = HINTS | RUNNER_OPTIONS | {"options"}
"""With Ollama's, which are about how a model is run, and those that Ollama itself would pass over."""

_NOT_GEMINIS: Final = ("min_p", "logit_bias")


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
    call = without(call, additional)
    knobs = [name for name in _NOT_GEMINIS if _is_said(getattr(call.sampling, name))]
    knobs += _unknown(call.extra, NATIVE)
    if not knobs:
        return call
    demand_droppable("Gemini", knobs, drop_params=drop_params)
    return without(call, knobs)


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
        demand_droppable("Gemini", knobs, drop_params=drop_params)
    extra = {name: raw for name, raw in call.extra.items() if name not in knobs and name not in additional}
    dimensions = None if "dimensions" in additional else call.dimensions
    return msgspec.structs.replace(call, extra=extra, dimensions=dimensions)


def _is_said(value: object) -> bool:
    return value is not None and value != msgspec.Raw(b"{}")


def _unknown(extra: Iterable[str], native: frozenset[str]) -> list[str]:
    return [name for name in extra if name not in native and name not in _HINTS]
