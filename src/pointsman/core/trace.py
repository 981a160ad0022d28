"""Why a call went where it went: what is kept of it with its record. It names deployments, never addresses."""

from __future__ import annotations

import msgspec

__all__ = ["Dropped", "FailedAttempt", "RouteTrace"]


class Dropped(msgspec.Struct, frozen=True):
    """A deployment, by its id, that did not come into question, and why, in a word or a few."""

    deployment: str
    reason: str

    @property
    def in_a_word(self) -> Dropped:
        """The same without what only concerns the operator: numbers, and the names of others' teams and tags."""
        return Dropped(self.deployment, self.reason.partition(" ")[0])


class FailedAttempt(msgspec.Struct, frozen=True):
    """A deployment that was tried in vain: the code of its error, and how long that took."""

    deployment: str
    error: str
    milliseconds: float


class RouteTrace(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a call found its deployment; ``reason`` is why that one, in a word.

    ``candidates`` is how many were left to choose from, ``dropped_count`` how many were not, of which ``dropped`` has
    the first. ``fallbacks`` are the models that were turned to, ``rules`` the operator's rules that matched.
    """

    reason: str
    strategy: str = ""
    candidates: int = 1
    dropped: tuple[Dropped, ...] = ()
    dropped_count: int = 0
    failed: tuple[FailedAttempt, ...] = ()
    fallbacks: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    queued_ms: float = 0.0

    @property
    def in_brief(self) -> RouteTrace:
        """The same for a virtual key."""
        return msgspec.structs.replace(self, dropped=tuple(one.in_a_word for one in self.dropped))
