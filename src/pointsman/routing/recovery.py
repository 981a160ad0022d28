"""After a failure: try again, turn to another model, or give up. Pure; one object per request that failed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Crowded, GatewayError, Rejected, TimedOut, UpstreamFailed
from pointsman.core.rules import RoutingRules
from pointsman.routing.pool import Pool
from pointsman.routing.settings import FallbackLists, RoutingSettings

__all__ = ["Again", "Elsewhere", "Recovery"]

_CONTEXT: Final = "context_length_exceeded"
_POLICY: Final = frozenset({"content_filter", "content_policy_violation", "content_blocked"})
_THE_CLIENTS: Final = frozenset({400, 413, 422})
"""What is wrong with the request is wrong everywhere."""
_FIRST_PAUSE_SECONDS: Final = 0.2
_PAUSE_SECONDS_MAX: Final = 8.0
_WAIT_SECONDS_MAX: Final = 30.0
"""Whoever asks to be left alone for longer is not waited for."""


class Again(msgspec.Struct, frozen=True):
    """Another attempt within the same model, after a pause in seconds."""

    pause: float


class Elsewhere(msgspec.Struct, frozen=True):
    """The models to turn to, in order."""

    models: tuple[str, ...]


class Recovery:
    """``draw`` gives a number in [0, 1). ``retries`` and ``hops`` count what was done, ``tried`` has the ids."""

    def __init__(self, settings: RoutingSettings, rules: RoutingRules, asked: str, draw: Callable[[], float]) -> None:
        self._settings = settings
        self._rules = rules
        self._asked = asked
        self._draw = draw
        self._left = settings.num_retries if rules.num_retries is None else rules.num_retries
        self._queue: tuple[str, ...] | None = None
        self.retries = 0
        self.hops = 0
        self.tried: set[str] = set()

    def next(self, error: GatewayError, pool: Pool, failed_id: str) -> Again | Elsewhere | None:
        """What to do after ``error`` of the deployment ``failed_id``; None: give up."""
        self.tried.add(failed_id)
        others = any(member.deployment.id not in self.tried for member in pool.members)
        pause = self._pause(error, others=others)
        if pause is not None and self._left > 0:
            self._left -= 1
            self.retries += 1
            return Again(pause)
        return self._elsewhere(error)

    def hopped(self, model: str) -> None:
        """The request goes on with ``model``; its deployments are tried anew."""
        self.hops += 1
        self._queue = (self._queue or ())[(self._queue or ()).index(model) + 1 :]
        settings, rules = self._settings, self._rules
        self._left = settings.num_retries if rules.num_retries is None else rules.num_retries

    def _pause(self, error: GatewayError, *, others: bool) -> float | None:
        """Seconds until another attempt in the same pool makes sense; None: never."""
        if not isinstance(error, UpstreamFailed):
            return None
        if isinstance(error, Rejected):
            return 0.0 if others and error.status in {401, 402, 403, 404} else None
        if others:
            return 0.0
        if isinstance(error, TimedOut | Crowded):
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= _WAIT_SECONDS_MAX else None
        pause = min(_FIRST_PAUSE_SECONDS * 2.0**self.retries, _PAUSE_SECONDS_MAX)
        return max(pause * (0.5 + self._draw() / 2), self._settings.retry_after)

    def _elsewhere(self, error: GatewayError) -> Elsewhere | None:
        if self._rules.disable_fallbacks or self.hops >= self._settings.max_fallbacks:
            return None
        if self._queue is None:
            self._queue = self._list(error)
        return Elsewhere(self._queue) if self._queue else None

    def _list(self, error: GatewayError) -> tuple[str, ...]:
        lists, rules, asked = self._settings.fallbacks, self._rules, self._asked
        if error.code == _CONTEXT:
            return rules.context_window_fallbacks or _of(lists.context_window, asked) or self._general(lists)
        if error.code in _POLICY:
            return rules.content_policy_fallbacks or _of(lists.content_policy, asked) or self._general(lists)
        if not isinstance(error, UpstreamFailed) or error.status in _THE_CLIENTS:
            return ()
        return self._general(lists)

    def _general(self, lists: FallbackLists) -> tuple[str, ...]:
        return self._rules.fallbacks or _of(lists.general, self._asked) or lists.default


def _of(lists: Mapping[str, tuple[str, ...]], asked: str) -> tuple[str, ...]:
    return lists.get(asked) or lists.get("*") or ()
