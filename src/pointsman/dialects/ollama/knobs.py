"""What Ollama cannot do for a request: refused by name, or dropped where the operator allows that.

Content that cannot be expressed is always an error. Tuning knobs follow ``drop_params``. A field that only
gives a hint, or is meant for the gateway itself, changes nothing about the answer and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from pointsman.core.call import Call, CompletionCall, EmbeddingCall, Sampling
from pointsman.core.content import Audio, File
from pointsman.core.errors import Unsupported
from pointsman.dialects.droppable import HINTS, SAMPLING, demand_droppable, demand_text_only, without

__all__ = ["OPTIONS", "refuse_or_drop", "refuse_or_drop_completion", "refuse_or_drop_embedding"]

OPTIONS: Final = frozenset({
    "draft_num_predict", "low_vram", "main_gpu", "mirostat", "mirostat_eta", "mirostat_tau", "num_batch", "num_gpu",
    "num_keep", "num_predict", "num_thread", "numa", "penalize_newline", "repeat_last_n", "repeat_penalty", "tfs_z",
    "typical_p", "use_mlock", "use_mmap",
})  # fmt: skip
"""Ollama's own options that OpenAI has no field for; accepted at the top level, as LiteLLM does."""

_NATIVE: Final = OPTIONS | {"keep_alive", "num_ctx", "options"}
_NATIVE_CHAT: Final = _NATIVE | {"format", "think"}
_NATIVE_COMPLETION: Final = _NATIVE_CHAT | {"raw", "system", "template"}

_HINTS: Final = HINTS | {"truncation"}
_CONTENT_TYPES: Final = {Audio: "audio", File: "files"}

AnyCall = TypeVar("AnyCall", CompletionCall, EmbeddingCall)


def refuse_or_drop(call: Call, *, drop_params: bool = False, additional: tuple[str, ...] = ()) -> Call:
    """The chat request without what Ollama does not know.

    Strict tools are tools like others here: the helpers of OpenAI's SDKs make every tool strict, asked or not, and
    whoever reads the arguments checks them anyway.

    Args:
        call: What the client wants.
        drop_params: Drop what is not supported instead of refusing.
        additional: Names of fields to drop in any case (``additional_drop_params``).

    Raises:
        Unsupported: the content, or a knob that may not be dropped; the message names it.
    """
    _refuse_content(call)
    call = _without_chat(call, additional)
    knobs = _unsupported_sampling(call.sampling)
    if call.tool_choice is not None and call.tool_choice.mode in {"required", "named"}:
        knobs.append("tool_choice")
    knobs += _unknown(call.extra, _NATIVE_CHAT)
    if not knobs:
        return call
    demand_droppable("Ollama", knobs, drop_params=drop_params)
    return _without_chat(call, knobs)


def refuse_or_drop_completion(
    call: CompletionCall, *, drop_params: bool = False, additional: tuple[str, ...] = ()
) -> CompletionCall:
    """The same for a legacy completion. Several prompts in one request are content, so always refused.

    Raises:
        Unsupported: as :func:`refuse_or_drop`.
    """
    if len(call.prompts) > 1:
        raise Unsupported(
            f"prompt has {len(call.prompts)} texts; Ollama takes one at a time.",
            hint="Send one request per prompt.",
            param="prompt",
        )
    call = _without(call, additional)
    knobs = _unsupported_sampling(call.sampling)
    if call.echo:
        knobs.append("echo")
    knobs += _unknown(call.extra, _NATIVE_COMPLETION)
    if not knobs:
        return call
    demand_droppable("Ollama", knobs, drop_params=drop_params)
    return msgspec.structs.replace(_without(call, knobs), echo=False)


def refuse_or_drop_embedding(
    call: EmbeddingCall, *, drop_params: bool = False, additional: tuple[str, ...] = ()
) -> EmbeddingCall:
    """The same for embeddings. Token ids are content, so always refused.

    Raises:
        Unsupported: as :func:`refuse_or_drop`.
    """
    if any(not isinstance(item, str) for item in call.inputs):
        raise Unsupported("input must be text; Ollama takes no token ids.", param="input")
    call = _without(call, additional)
    if "dimensions" in additional:
        call = msgspec.structs.replace(call, dimensions=None)
    knobs = _unknown(call.extra, _NATIVE)
    if not knobs:
        return call
    demand_droppable("Ollama", knobs, drop_params=drop_params)
    return _without(call, knobs)


def _refuse_content(call: Call) -> None:
    for index, message in enumerate(call.messages):
        for position, part in enumerate(message.parts):
            what = _CONTENT_TYPES.get(type(part))
            is_text = isinstance(part, File) and part.text is not None
            if what is not None and not is_text:
                place = f"messages[{index}].content[{position}]"
                raise Unsupported(f"{place}: Ollama takes no {what}.", param=place)
    demand_text_only(call, "Ollama")


def _unsupported_sampling(sampling: Sampling) -> list[str]:
    knobs = []
    if sampling.n is not None and sampling.n > 1:
        knobs.append("n")
    if sampling.logit_bias is not None and sampling.logit_bias != msgspec.Raw(b"{}"):
        knobs.append("logit_bias")
    return knobs


def _unknown(extra: Iterable[str], native: frozenset[str]) -> list[str]:
    return [name for name in extra if name not in native and name not in _HINTS and name != "modalities"]


def _without(call: AnyCall, names: Iterable[str]) -> AnyCall:
    """The call without some of its extra fields and sampling knobs."""
    dropped = frozenset(names)
    if not dropped:
        return call
    extra = {name: raw for name, raw in call.extra.items() if name not in dropped}
    if isinstance(call, EmbeddingCall):
        return msgspec.structs.replace(call, extra=extra)
    knobs = {name: None for name in SAMPLING if name in dropped}
    if "max_completion_tokens" in dropped:
        knobs["max_tokens"] = None
    return msgspec.structs.replace(call, extra=extra, sampling=msgspec.structs.replace(call.sampling, **knobs))


def _without_chat(call: Call, names: Iterable[str]) -> Call:
    dropped = frozenset(names)
    return without(call, dropped)
