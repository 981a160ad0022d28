"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["eventually"]

_PAUSE_SECONDS: Final = 0.02
_T = TypeVar("_T")


def eventually(look: Callable[[], _T], what: str, timeout: float = 5.0) -> _T:
    """The first true value that ``look`` gives; fails with ``what`` and the last value after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s; last seen: {value!r}")
        time.sleep(_PAUSE_SECONDS)
