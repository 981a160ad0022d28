"""What an OpenAI-compatible upstream says, in bytes."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["DONE", "GOOD", "LAST", "USAGE", "chunk", "refusal", "reply"]

DONE = b"data: [DONE]\n\n"


def reply(**usage: Any) -> bytes:
    """A whole answer; without usage unless it is given."""
    body: dict[str, Any] = {"id": "x", "choices": [{"message": {"role": "assistant", "content": "Hi."}}]}
    return json.dumps({**body, "usage": usage} if usage else body).encode()


def chunk(text: str = "Hi", *, finish: str | None = None, **more: Any) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: %b\n\n" % json.dumps({"id": "x", "choices": [choice], **more}).encode()


def refusal(message: str, **more: Any) -> bytes:
    """The body of an error."""
    return json.dumps({"error": {"message": message, **more}}).encode()


GOOD = reply(prompt_tokens=7, completion_tokens=3)
USAGE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
LAST = chunk("", finish="stop") + USAGE + DONE
