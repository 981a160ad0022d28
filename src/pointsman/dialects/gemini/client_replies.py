"""Whole answers for clients of Gemini: ``generateContent`` and ``countTokens``.

Source: https://ai.google.dev/api/generate-content#GenerateContentResponse, https://ai.google.dev/api/tokens.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.reply import Choice, Reply
from pointsman.dialects.gemini.client_chunks import (
    signed_part,
    text_part,
    thought_part,
    write_answer,
    write_calls,
    write_candidate,
)
from pointsman.dialects.gemini.logprobs import write_logprobs
from pointsman.dialects.gemini.reasons import write_reason

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
    parts = [thought_part(choice.thinking)] if choice.thinking and include_thoughts else []
    text = choice.text + (choice.refusal or "")
    signed = signed_part(choice.signature)
    calls = write_calls(choice.tool_calls, cut_off=choice.finish_reason in {"length", "content_filter"})
    if text:
        parts.append(text_part(text))
        parts[-1].thought_signature = signed.thought_signature
    elif signed.thought_signature is not None or not (parts or calls):
        parts.append(signed)
    parts += calls
    return write_candidate(
        choice.index,
        parts,
        reason=write_reason(choice.finish_reason, choice.native_reason),
        logprobs=write_logprobs(choice.logprobs) if choice.logprobs else None,
    )
