"""Whole answers for clients of Gemini: ``generateContent`` and ``countTokens``.

Source: https://ai.google.dev/api/generate-content#GenerateContentResponse, https://ai.google.dev/api/tokens.
"""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Audio, Image, Refusal, ServerToolUse, Text, Thinking, ToolCall
from pointsman.core.reply import Choice, Reply
from pointsman.dialects.gemini.citations import write_grounding
from pointsman.dialects.gemini.client_chunks import (
    is_own,
    signed_part,
    text_part,
    thought_part,
    write_answer,
    write_calls,
    write_candidate,
)
from pointsman.dialects.gemini.given import write_given
from pointsman.dialects.gemini.logprobs import write_logprobs
from pointsman.dialects.gemini.reasons import write_reason
from pointsman.dialects.gemini.types import Part

__all__ = ["write_count", "write_reply"]

_encode: Final = msgspec.json.Encoder().encode


def write_reply(reply: Reply, call: Call, *, include_thoughts: bool = True) -> bytes:
    """The body for a client; it sees the model under the name that it asked for.

    Args:
        reply: The answer.
        call: What was asked.
        include_thoughts: Whether the client shall see the reasoning, for which Gemini's clients have to ask.

    Raises:
        Broken: a tool call's arguments are not a JSON object.
    """
    candidates = [_candidate(choice, include_thoughts=include_thoughts) for choice in reply.choices]
    return _encode(write_answer(candidates, call.model, reply.id, reply.usage))


def write_count(total: int) -> bytes:
    """The body of ``countTokens``."""
    return _encode({"totalTokens": total})


def _candidate(choice: Choice, *, include_thoughts: bool) -> dict[str, object]:
    parts = _write_parts(choice, include_thoughts=include_thoughts)
    own = [part.signature for part in choice.thoughts if part.signature is not None and is_own(part)]
    signed = signed_part(own[-1] if own else None)
    texts = [part for part in parts if part.text is not None and not part.thought]
    if texts:
        texts[-1].thought_signature = signed.thought_signature
    elif signed.thought_signature is not None or not parts:
        parts.append(signed)
    uses = [part for part in choice.parts if isinstance(part, ServerToolUse)]
    searches = [use for use in uses if use.kind == "search"]
    return write_candidate(
        choice.index,
        parts,
        reason=write_reason(choice.finish_reason, choice.native_reason),
        logprobs=write_logprobs(choice.logprobs) if choice.logprobs else None,
        grounding=write_grounding(choice.citations, choice.text, searches),
    )


def _write_parts(choice: Choice, *, include_thoughts: bool) -> list[Part]:
    """The parts, in the order in which the model gave them."""
    parts: list[Part] = []
    cut_off = choice.finish_reason in {"length", "content_filter"}
    for said in choice.parts:
        match said:
            case Thinking():
                part = thought_part(said.text, said)
                if include_thoughts and (said.text or part.thought_signature is not None):
                    parts.append(part)
            case Text() | Refusal():
                last = parts[-1] if parts else Part()
                if last.text is not None and not last.thought:
                    last.text += said.text
                else:
                    parts.append(text_part(said.text))
            case ToolCall():
                parts += write_calls([said], cut_off=cut_off)
            case Image() | Audio() | ServerToolUse():
                parts += write_given(said)
            case _:
                assert_never(said)
    return parts
