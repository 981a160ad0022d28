"""The one place that reads the time and draws random numbers, so that tests can replace both."""

from __future__ import annotations

import os
import random
import secrets
import time
from itertools import count
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "CallIds", "Clock", "SystemClock", "call_id", "draw", "fresh_token", "short_id"]


class Clock(Protocol):
    """Wall time for records, monotonic time for durations; both in seconds."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


SYSTEM_CLOCK = SystemClock()


class CallIds:
    """Unique ids in the layout of a random UUID, as LiteLLM's ``x-litellm-call-id`` has it.

    72 bits are drawn once per process and the last 48 count up, so an id costs no system call.
    """

    __slots__ = ("_counter", "_prefix")

    def __init__(self) -> None:
        self.draw_again()

    def draw_again(self) -> None:
        """Begin anew, as a copy of the process must (``fork``): else the two would give the same ids."""
        text = os.urandom(16).hex()
        self._prefix = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-"
        # The highest bit is 0 and the next one 1, so that there are twelve digits now and for as long as anybody lives.
        self._counter = count(int(text[20:], 16) >> 2 | 1 << 46)

    def fresh(self) -> str:
        """The next id."""
        return self._prefix + hex(next(self._counter))[2:]  # noqa: FURB116 - a format takes twice as long


_ids = CallIds()
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_ids.draw_again)

call_id = _ids.fresh
"""A fresh call id."""


def draw() -> float:
    """A random number in [0, 1), for choices that need not be secret."""
    return random.random()  # noqa: S311


def short_id(prefix: str) -> str:
    """``prefix`` and 24 random hexadecimal digits, e.g. ``chatcmpl-…`` or ``call_…``."""
    return prefix + os.urandom(12).hex()


def fresh_token() -> str:
    """A new API key in LiteLLM's form: ``sk-`` and 22 URL-safe characters (128 bits)."""
    return "sk-" + secrets.token_urlsafe(16)
