"""The parts of which answers in Ollama's form are made: tool calls, log probabilities, and the counts at the end.

Source: Ollama's ``api/types.go`` (``ChatResponse``, ``GenerateResponse``, ``ToolCall``, ``Metrics``). Like Ollama this
leaves out what is zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.content import Audio, Image, ServerToolUse, ToolCall
from pointsman.core.events import FinishReason
from pointsman.core.usage import Usage
from pointsman.dialects.server_tools import media_in_words
from pointsman.dialects.tool_arguments import with_arguments

__all__ = ["Timings", "done_reason", "image_of", "media_words", "write_counts", "write_logprobs", "write_tool_calls"]

_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode

_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000


class Timings(msgspec.Struct, frozen=True):
    """How long an answer and its phases took, in milliseconds; None: not known."""

    total_ms: float | None = None
    load_ms: float | None = None
    prompt_ms: float | None = None
    completion_ms: float | None = None


def done_reason(reason: FinishReason | None) -> str:
    """Ollama's word for the reason: it says ``stop`` after tool calls, too, and knows no filter."""
    return "length" if reason == "length" else "stop"


def image_of(part: Image | Audio | ServerToolUse) -> str | None:
    """An image of an answer as Ollama has it, bare base64; None: something else, which is told in words if at all."""
    return part.data if isinstance(part, Image) else None


def media_words(part: Image | Audio) -> str:
    """What is told in place of a sound, or of an image that lies elsewhere."""
    return "" if image_of(part) is not None else media_in_words(part, "Ollama's API")


def write_tool_calls(calls: Iterable[ToolCall], *, cut_off: bool) -> list[dict[str, object]]:
    """The calls, whole, their arguments as objects.

    Args:
        calls: The calls of one answer.
        cut_off: Whether the answer ended before its time. Then a call whose arguments broke off is left out, as
            Ollama leaves out what it cannot parse.

    Raises:
        Broken: the arguments of a call that was not cut off are not a JSON object, which has no place here.
    """
    written: list[dict[str, object]] = []
    for call, arguments in with_arguments(calls, cut_off=cut_off):
        function = {"index": len(written), "name": call.name, "arguments": arguments}
        written.append({"id": call.id, "function": function})
    return written


def write_logprobs(arrays: Iterable[msgspec.Raw]) -> list[msgspec.Raw]:
    """Log probabilities; Ollama's objects are OpenAI's."""
    return [token for raw in arrays for token in _decode_items(raw)]


def write_counts(usage: Usage, timings: Timings) -> dict[str, int]:
    """What ends an answer: counts, and durations in nanoseconds."""
    counts = {
        "total_duration": _nanoseconds(timings.total_ms),
        "load_duration": _nanoseconds(timings.load_ms),
        "prompt_eval_count": usage.prompt,
        "prompt_eval_duration": _nanoseconds(timings.prompt_ms),
        "eval_count": usage.completion,
        "eval_duration": _nanoseconds(timings.completion_ms),
    }
    return {name: count for name, count in counts.items() if count > 0}


def _nanoseconds(milliseconds: float | None) -> int:
    return 0 if milliseconds is None else round(milliseconds * _NANOSECONDS_PER_MILLISECOND)
