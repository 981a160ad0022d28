"""The parts of which answers in Gemini's form are made.

Source: https://ai.google.dev/api/generate-content#GenerateContentResponse.
"""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.core.content import Thinking, ToolCall
from pointsman.core.events import ThinkingSigned
from pointsman.core.usage import Usage
from pointsman.dialects.gemini.citations import GroundingMetadata
from pointsman.dialects.gemini.signatures import may_be_signature, unpack_call_id
from pointsman.dialects.gemini.types import FunctionCall, LogprobsResult, Part
from pointsman.dialects.gemini.usage import write_usage
from pointsman.dialects.signatures import GEMINI, seal
from pointsman.dialects.tool_arguments import with_arguments

__all__ = ["is_own", "signed_part", "text_part", "thought_part", "write_answer", "write_calls", "write_candidate"]


def text_part(text: str) -> Part:
    """A piece of the answer."""
    return Part(text=text)


def thought_part(text: str, signed: Thinking | ThinkingSigned | None = None) -> Part:
    """A piece of the reasoning, or the last one of a piece that somebody else than Gemini ``signed``."""
    if signed is None or signed.signature is None or is_own(signed):
        return Part(text=text, thought=True)
    sealed = seal(signed.signature, signed.signer, GEMINI, redacted=signed.redacted)
    return Part(text=text, thought=True, thought_signature=sealed)


def is_own(signed: Thinking | ThinkingSigned) -> bool:
    """Whether a signature is of Gemini's kind, which stands on the answer and not on the reasoning."""
    return signed.signer in {None, GEMINI}


def signed_part(signature: str | None) -> Part:
    """The last, empty text of an answer; it has the signature, as far as that is one of Gemini's kind."""
    kept = signature if signature is not None and may_be_signature(signature) else None
    return Part(text="", thought_signature=kept)


def write_calls(calls: Iterable[ToolCall], *, cut_off: bool) -> list[Part]:
    """The tool calls, whole. Signatures come out of the ids that they were put into.

    Args:
        calls: The calls of one answer.
        cut_off: Whether the answer ended before its time; then a call whose arguments broke off is left out.

    Raises:
        Broken: the arguments of a call that was not cut off are not a JSON object, which has no place here.
    """
    parts: list[Part] = []
    for call, arguments in with_arguments(calls, cut_off=cut_off):
        call_id, packed = unpack_call_id(call.id)
        signature = call.signature or packed
        parts.append(
            Part(
                function_call=FunctionCall(call.name, arguments, call_id),
                thought_signature=signature if signature is not None and may_be_signature(signature) else None,
            )
        )
    return parts


def write_candidate(
    index: int,
    parts: list[Part],
    *,
    reason: str | None = None,
    logprobs: LogprobsResult | None = None,
    grounding: GroundingMetadata | None = None,
) -> dict[str, object]:
    """One candidate, or a piece of it."""
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}}
    if reason is not None:
        candidate["finishReason"] = reason
    candidate["index"] = index
    if logprobs is not None:
        candidate["logprobsResult"] = logprobs
    if grounding is not None:
        candidate["groundingMetadata"] = grounding
    return candidate


def write_answer(
    candidates: list[dict[str, object]], model: str, answer_id: str, usage: Usage | None = None
) -> dict[str, object]:
    """A whole answer, or an event of a stream."""
    answer: dict[str, object] = {"candidates": candidates}
    if usage is not None:
        answer["usageMetadata"] = write_usage(usage)
    return {**answer, "modelVersion": model, "responseId": answer_id}
