"""Why an answer ended: Gemini's words, and the common ones.

Source: https://ai.google.dev/api/generate-content#FinishReason and #BlockReason. The word itself goes with it as
``native`` wherever the common one says less.
"""

from __future__ import annotations

from typing import Final

from pointsman.core.events import Finished, FinishReason

__all__ = ["BROKEN_REASONS", "read_reason", "write_reason"]

_FILTERED: Final = frozenset({
    "BLOCKLIST", "ESCALATION", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_SAFETY", "MODEL_ARMOR",
    "PROHIBITED_CONTENT", "PUP_LIMITED_DISABLED", "RECITATION", "SAFETY", "SPII",
})  # fmt: skip
_OTHER: Final = frozenset({"IMAGE_OTHER", "LANGUAGE", "NO_IMAGE", "OTHER"})

BROKEN_REASONS: Final = frozenset({
    "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS",
    "UNEXPECTED_TOOL_CALL",
})  # fmt: skip
"""The model's answer could not be used; where nothing else came, there is no answer."""

_WORDS: Final = _FILTERED | _OTHER | BROKEN_REASONS
_WRITTEN: Final[dict[FinishReason, str]] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}


def read_reason(word: str, choice: int, *, has_calls: bool) -> Finished:
    """The end of a choice; behind calls, ``STOP`` and words that are not Gemini's become ``tool_calls``."""
    ended: FinishReason = "tool_calls" if has_calls else "stop"
    if word == "STOP":
        return Finished(ended, choice)
    if word == "MAX_TOKENS":
        return Finished("length", choice)
    if word not in _WORDS:
        # Servers that imitate Gemini have said FUNCTION_CALL.
        return Finished(ended, choice, word)
    return Finished("content_filter" if word in _FILTERED else "stop", choice, word)


def write_reason(reason: FinishReason | None, native: str | None) -> str:
    """Gemini's word; one of its own is given back as it was."""
    if native is not None and native in _WORDS:
        return native
    return _WRITTEN[reason or "stop"]
