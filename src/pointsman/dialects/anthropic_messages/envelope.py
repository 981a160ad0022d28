"""What a message carries besides its content: its id, why it ended, and what it used.

Sources: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons and
https://platform.claude.com/docs/en/build-with-claude/prompt-caching (the parts of the prompt in ``usage``).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.events import Finished, FinishReason
from pointsman.core.usage import Usage
from pointsman.dialects.anthropic_messages.types import WireUsage

__all__ = ["UsageCount", "fit_message_id", "read_finish", "write_stop_reason", "write_usage"]

_PREFIX: Final = "msg_"
_COUNT_MAX: Final = 2**53
"""The largest integer that every reader of JSON holds exactly."""

_READ: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_NATIVE: Final = frozenset({"stop_sequence", "pause_turn", "model_context_window_exceeded", "refusal"})
"""Those that say more than the common word does."""

_WRITTEN: Final[dict[FinishReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def fit_message_id(upstream_id: str) -> str:
    """The upstream's id in Anthropic's form, so that the two can still be matched."""
    return upstream_id if upstream_id.startswith(_PREFIX) else _PREFIX + upstream_id


def read_finish(reason: str, stop_sequence: str | None, *, with_tools: bool) -> Finished:
    """Why an answer ended; some servers say ``end_turn`` where tools are called, or ``tool_use`` where none is."""
    known = _READ.get(reason, "stop")
    if reason not in _NATIVE:
        called: FinishReason = "tool_calls" if with_tools else "stop"
        return Finished(called if known in {"stop", "tool_calls"} else known)
    return Finished(known, native=reason, stop_sequence=stop_sequence)


def write_stop_reason(finished: Finished, *, with_tools: bool, declined: bool) -> tuple[str, str | None]:
    """The reason and the stop sequence that was met.

    Args:
        finished: The end, in the common words.
        with_tools: Whether the answer calls tools; ``tool_use`` and only that says so.
        declined: Whether the model declined in words of its own, which here is a reason.
    """
    if finished.stop_sequence is not None:
        return "stop_sequence", finished.stop_sequence
    if finished.native in _NATIVE:
        return finished.native or "", None
    if finished.reason in {"stop", "tool_calls"}:
        if with_tools:
            return "tool_use", None
        return "refusal" if declined else "end_turn", None
    return _WRITTEN[finished.reason], None


def write_usage(usage: Usage) -> dict[str, object]:
    """The counts; what was cached is not part of ``input_tokens`` here, while the middle includes it."""
    counts: dict[str, object] = {
        "input_tokens": max(usage.prompt - usage.cached - usage.cache_write, 0),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    }
    if usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts


class UsageCount(msgspec.Struct):
    """The counts of a stream: cumulative, in several events, each of which may leave some out."""

    prompt: int | None = None
    cached: int = 0
    cache_write: int = 0
    completion: int | None = None
    reasoning: int = 0

    def take(self, wire: WireUsage | None) -> None:
        """Later counts replace earlier ones."""
        if wire is None:
            return
        self.prompt = _later(wire.input_tokens, self.prompt)
        self.cached = _later(wire.cache_read_input_tokens, self.cached) or 0
        self.cache_write = _later(wire.cache_creation_input_tokens, self.cache_write) or 0
        self.completion = _later(wire.output_tokens, self.completion)
        if wire.output_tokens_details is not None:
            self.reasoning = _later(wire.output_tokens_details.thinking_tokens, self.reasoning) or 0

    def total(self) -> Usage | None:
        """All of them as measured, or None where the server gave none."""
        if self.prompt is None and self.completion is None:
            return None
        return Usage(
            prompt=(self.prompt or 0) + self.cached + self.cache_write,
            completion=self.completion or 0,
            cached=self.cached,
            cache_write=self.cache_write,
            reasoning=self.reasoning,
            source="measured",
        )


def _later(count: int | None, before: int | None) -> int | None:
    """A count that a ledger can hold, whatever the server said."""
    return before if count is None else min(max(count, 0), _COUNT_MAX)
