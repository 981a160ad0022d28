"""The parts of which answers in Gemini's form are made.

Source: https://ai.google.dev/api/generate-content#GenerateContentResponse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.content import ToolCall
from pointsman.core.errors import Broken
from pointsman.core.usage import Usage
from pointsman.dialects.gemini.signatures import may_be_signature, unpack_call_id
from pointsman.dialects.gemini.types import FunctionCall, LogprobsResult, Part
from pointsman.dialects.gemini.usage import write_usage

__all__ = ["signed_part", "text_part", "thought_part", "write_answer", "write_calls", "write_candidate"]

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_SHOWN_CHARACTERS_MAX: Final = 80


def text_part(text: str) -> Part:
    """A piece of the answer."""
    return Part(text=text)


def thought_part(text: str) -> Part:
    """A piece of the reasoning."""
    return Part(text=text, thought=True)


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
    for call in calls:
        arguments = _object(call.arguments)
        if arguments is None:
            if cut_off:
                continue
            name = call.name[:_SHOWN_CHARACTERS_MAX]
            raise Broken(f"The model called the tool '{name}' with arguments that are not a JSON object.")
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
    index: int, parts: list[Part], *, reason: str | None = None, logprobs: LogprobsResult | None = None
) -> dict[str, object]:
    """One candidate, or a piece of it."""
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}}
    if reason is not None:
        candidate["finishReason"] = reason
    candidate["index"] = index
    if logprobs is not None:
        candidate["logprobsResult"] = logprobs
    return candidate


def write_answer(
    candidates: list[dict[str, object]], model: str, answer_id: str, usage: Usage | None = None
) -> dict[str, object]:
    """A whole answer, or an event of a stream."""
    answer: dict[str, object] = {"candidates": candidates}
    if usage is not None:
        answer["usageMetadata"] = write_usage(usage)
    return {**answer, "modelVersion": model, "responseId": answer_id}


def _object(text: str) -> msgspec.Raw | None:
    """JSON text as a JSON object on one line, or None; no text is how a call without arguments is often written."""
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        raw = text.encode()
        _decode_object(raw)
        return msgspec.Raw(msgspec.json.format(raw, indent=-1))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
