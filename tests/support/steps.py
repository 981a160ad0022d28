"""How much work something is, counted instead of timed: a busy machine gives the same figure as a quiet one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

__all__ = ["StepClock", "steps"]


class StepClock:
    """Counts the bytecodes of Python functions that are called while it runs; what C code does is not seen."""

    def __init__(self) -> None:
        self.steps = 0

    def __enter__(self) -> Self:
        sys.settrace(self._entered)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _entered(self, frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any]:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._stepped

    def _stepped(self, _frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        self.steps += event == "opcode"
        return self._stepped


def steps(action: Callable[[], object]) -> int:
    """The bytecodes of one call of ``action``."""
    with StepClock() as clock:
        action()
    return clock.steps
