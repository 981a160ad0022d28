"""One answer of a fake Ollama, as a list of NDJSON objects or as a single one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["Timing", "Turn"]

_CREATED: Final = "2026-11-01T10:00:00.000000001Z"
_NANOSECONDS: Final = 1_000_000_000


class Timing(msgspec.Struct, frozen=True):
    """What the last object tells of tokens and time; numbers that are 0 are left out, as Ollama does."""

    prompt_tokens: int
    output_tokens: int
    load_seconds: float = 0.0

    def fields(self) -> dict[str, int]:
        """The fields of the last object."""
        every = {
            "total_duration": _NANOSECONDS,
            "load_duration": int(self.load_seconds * _NANOSECONDS),
            "prompt_eval_count": self.prompt_tokens,
            "prompt_eval_duration": _NANOSECONDS // 4 if self.prompt_tokens else 0,
            "eval_count": self.output_tokens,
            "eval_duration": _NANOSECONDS // 2 if self.output_tokens else 0,
        }
        return {name: value for name, value in every.items() if value}


class Turn(msgspec.Struct, frozen=True):
    """What the model says.

    ``calls`` are (name, arguments) pairs; each comes in an object of its own, without an id unless ``call_ids``,
    and the closing object is separate. ``error_after`` ends a stream with an error line after so many objects.
    ``output_tokens`` None: one for each piece and call. ``breaks_off``: nothing says that the answer is over, which is
    how Ollama stops a model that has said the same token 31 times.
    """

    pieces: Sequence[str] = ("Hello", " from", " Ollama.")
    thinking: Sequence[str] = ()
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    call_ids: bool = False
    done_reason: str = "stop"
    error_after: int | None = None
    error_text: str = "llama runner process has terminated: signal: killed"
    gap_seconds: float = 0.0
    output_tokens: int | None = None
    breaks_off: bool = False

    @property
    def tokens(self) -> int:
        """How many tokens this is."""
        if self.output_tokens is not None:
            return self.output_tokens
        return len(self.pieces) + len(self.thinking) + len(self.calls)

    def lines(self, model: str, timing: Timing, *, generate: bool = False) -> list[dict[str, Any]]:
        """The objects of a stream; ``generate``: with ``response`` where chat has ``message``."""
        parts: list[dict[str, Any]] = [{"content": "", "thinking": each} for each in self.thinking]
        parts += [{"content": each} for each in self.pieces]
        parts += [{"content": "", "tool_calls": [self._call(place)]} for place in range(len(self.calls))]
        frame = {"model": model, "created_at": _CREATED}
        lines = [{**frame, **_said(part, generate=generate), "done": False} for part in parts]
        if self.error_after is not None:
            return [*lines[: self.error_after], {"error": self.error_text}]
        if self.breaks_off:
            return lines
        end = {"done": True, "done_reason": self.done_reason, **timing.fields()}
        return [*lines, {**frame, **_said({"content": ""}, generate=generate), **end}]

    def whole(self, model: str, timing: Timing, *, generate: bool = False) -> dict[str, Any]:
        """The single object of an unstreamed answer."""
        part: dict[str, Any] = {"content": "".join(self.pieces)}
        if self.thinking:
            part["thinking"] = "".join(self.thinking)
        if self.calls:
            part["tool_calls"] = [self._call(place) for place in range(len(self.calls))]
        end = {"done": True, "done_reason": self.done_reason, **timing.fields()}
        if self.breaks_off:
            end = {"done": False}
        return {"model": model, "created_at": _CREATED, **_said(part, generate=generate), **end}

    def _call(self, place: int) -> dict[str, Any]:
        name, arguments = self.calls[place]
        call: dict[str, Any] = {"function": {"index": place, "name": name, "arguments": dict(arguments)}}
        if self.call_ids:
            call["id"] = f"call_{place:08d}"
        return call


def _said(part: Mapping[str, Any], *, generate: bool) -> dict[str, Any]:
    if not generate:
        return {"message": {"role": "assistant", **part}}
    said = {"response": part["content"]}
    return {**said, "thinking": part["thinking"]} if "thinking" in part else said
