"""Whole legacy completions, written for a client."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.call import CompletionCall
from pointsman.core.reply import Choice, Reply
from pointsman.dialects.openai_completions.logprobs import write_logprobs
from pointsman.dialects.openai_usage import write_usage

__all__ = ["write_reply"]

_encode: Final = msgspec.json.Encoder().encode


def write_reply(reply: Reply, call: CompletionCall) -> bytes:
    """The body for a client; it sees the model under the name that it asked for.

    Reasoning has no place in this format and is left out.
    """
    return _encode({
        "id": reply.id,
        "object": "text_completion",
        "created": reply.created,
        "model": call.model,
        "choices": [_write_choice(choice) for choice in reply.choices],
        "usage": write_usage(reply.usage),
    })  # fmt: skip


def _write_choice(choice: Choice) -> dict[str, object]:
    reason = choice.finish_reason or "stop"
    return {
        "text": choice.text,
        "index": choice.index,
        "logprobs": write_logprobs(choice.logprobs) if choice.logprobs else None,
        "finish_reason": "stop" if reason == "tool_calls" else reason,
    }
