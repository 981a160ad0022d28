"""How large a context window a model is asked to open: large enough, in few steps, never thrashing.

Ollama cuts a prompt that is longer than ``num_ctx`` without a word, and loads the model anew whenever a
request brings another ``num_ctx``. So the window is sized from what the request needs; in fixed steps; per
model of a host it only goes up, until the model has left the host's memory; and what cannot fit at all is
refused with both numbers.
"""

from __future__ import annotations

from math import ceil
from typing import Final

import msgspec

from pointsman.core.errors import Malformed

__all__ = [
    "OUTPUT_ROOM",
    "THINKING_ROOM",
    "ContextKey",
    "ContextLimits",
    "ContextNeed",
    "ContextWindows",
    "truncation_warning",
]

SMALLEST_STEP: Final = 4096
"""Ollama's own default on most machines; every further step is twice the one before."""

MARGIN: Final = 1.15
"""Our estimate of a prompt may be this much too low."""

OUTPUT_ROOM: Final = 1024
"""Tokens kept free for an answer whose length the client did not bound."""

THINKING_ROOM: Final = 4096
"""The same, for a model that thinks before it answers."""

IDLE_SECONDS: Final = 60.0
"""A model that was asked something more recently may be loading, so that its absence means nothing."""

_REMEMBERED_MAX: Final = 4096
_FULL_WITHIN: Final = 16
_SHORT_SHARE: Final = 0.5
_JUDGED_FROM: Final = 512

ContextKey = tuple[str, str]
"""The host's URL and the model's name there."""


class ContextNeed(msgspec.Struct, frozen=True):
    """What a request needs, in tokens.

    ``prompt`` is our estimate. ``output`` is the client's own bound, ``room`` is what is kept free without one.
    ``at_least`` is a ``num_ctx`` that the client asked for; ``param`` is the field to blame. Where the host itself
    refuses what is too long, an estimate up to ``doubt`` times too high is left for it to judge.
    """

    prompt: int
    output: int | None = None
    room: int = OUTPUT_ROOM
    at_least: int = 0
    param: str = "messages"
    doubt: float = 1.0

    @property
    def total(self) -> int:
        """Prompt and answer, without any margin: what must fit."""
        return self.prompt + (1 if self.output is None else self.output)

    def fits(self, largest: int) -> bool:
        """Whether a window of ``largest`` tokens may do."""
        return self.total - self.prompt + ceil(self.prompt / self.doubt) <= largest

    @property
    def comfortable(self) -> int:
        """Prompt and answer with the margin of our estimate: what should fit."""
        return ceil(self.prompt * MARGIN) + (self.room if self.output is None else self.output)


class ContextLimits(msgspec.Struct, frozen=True):
    """The bounds, in tokens: the ``model``'s, the operator's ``cap`` or ``fixed`` size, the Modelfile's ``default``."""

    model: int | None = None
    cap: int | None = None
    fixed: int | None = None
    default: int | None = None

    @property
    def largest(self) -> int | None:
        """The most that may be asked for, or None if nobody set a bound."""
        known = [bound for bound in (self.model, self.cap, self.fixed) if bound]
        return min(known, default=None)


class _Window(msgspec.Struct):
    size: int
    asked_at: float


class ContextWindows:
    """Remembers the window of each model of each host. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._windows: dict[ContextKey, _Window] = {}

    def choose(self, key: ContextKey, need: ContextNeed, limits: ContextLimits, now: float) -> int:
        """The ``num_ctx`` for a request.

        Raises:
            Malformed: ``context_length_exceeded``; the message has what is needed and what there is.
        """
        largest = limits.largest
        if largest is not None:
            _demand_fit(need, largest, limits)
        window = self._windows.get(key)
        current = window.size if window is not None else 0
        size = _size(need, limits, current)
        if window is not None:
            window.size = size
            window.asked_at = now
        else:
            if len(self._windows) >= _REMEMBERED_MAX:
                del self._windows[next(iter(self._windows))]
            self._windows[key] = _Window(size, now)
        return size

    def current(self, key: ContextKey) -> int:
        """The window last asked for, or 0."""
        window = self._windows.get(key)
        return window.size if window is not None else 0

    def observe(self, key: ContextKey, loaded: int | None, now: float) -> None:
        """The host says with which window the model is in its memory; None: it is not.

        A larger window than remembered is taken over, whoever asked for it; a smaller one, or none, only when
        nothing was asked of the model for a while, since it may just be loading.
        """
        window = self._windows.get(key)
        if window is None:
            if loaded:
                self._windows[key] = _Window(loaded, now - IDLE_SECONDS)
        elif loaded is not None and loaded > window.size:
            window.size = loaded
        elif now - window.asked_at >= IDLE_SECONDS:
            window.size = loaded or 0


def truncation_warning(num_ctx: int, estimated: int, counted: int) -> str | None:
    """Why a prompt of about ``estimated`` tokens may have been cut, of which the model ``counted`` some; or None.

    A count of 0 says nothing: Ollama leaves the field out when the whole prompt was in its cache, and old
    versions count only what was not.
    """
    if counted <= 0:
        return None
    if num_ctx and counted >= num_ctx - _FULL_WITHIN:
        return (
            f"The prompt filled the whole context window ({counted} of {num_ctx} tokens; about {estimated} were "
            "expected) and may have been cut."
        )
    if estimated >= _JUDGED_FROM and counted < estimated * _SHORT_SHARE:
        return f"The model counted {counted} prompt tokens where about {estimated} were sent; some may have been cut."
    return None


def _size(need: ContextNeed, limits: ContextLimits, current: int) -> int:
    largest = limits.largest
    if limits.fixed:
        return largest or limits.fixed
    wanted = max(need.comfortable, need.at_least)
    if largest is not None:
        wanted = min(wanted, largest)
    if wanted <= current and (largest is None or current <= largest):
        return current
    if limits.default and wanted <= limits.default:
        size = limits.default
    elif wanted == need.at_least:
        size = wanted
    else:
        size = SMALLEST_STEP
        while size < wanted:
            size *= 2
    return size if largest is None else min(size, largest)


def _demand_fit(need: ContextNeed, largest: int, limits: ContextLimits) -> None:
    if need.at_least > largest:
        raise Malformed(
            f"num_ctx asks for a context window of {need.at_least} tokens; the limit is {largest}.",
            param="num_ctx",
        )
    if need.fits(largest):
        return
    parts = f"about {need.prompt} of the prompt (estimated)"
    if need.output is not None:
        parts += f" and {need.output} for the answer"
    raise Malformed(
        f"The request needs {need.total} tokens, {parts}; the limit is {largest} tokens{_whose(limits, largest)}.",
        hint="Shorten the prompt or lower max_tokens." if need.output is not None else "Shorten the prompt.",
        param=need.param,
        code="context_length_exceeded",
    )


def _whose(limits: ContextLimits, largest: int) -> str:
    if largest == limits.model:
        return ", the model's context length"
    if largest == limits.fixed:
        return ", the num_ctx that the operator set"
    return ", the num_ctx_max that the operator set"
