"""After a failure: try again, turn to another model, or give up. Pure; one object per request that failed once.

Retries and fallbacks add up and never multiply: of ``num_retries`` there are so many for the whole request, whichever
models it passes through, and each model that stands in has one attempt of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pointsman.config.patterns import said_of
from pointsman.core.errors import Crowded, GatewayError, Unsupported, UpstreamFailed
from pointsman.core.rules import OwnLists, RoutingRules, Target
from pointsman.core.upstream import Deployment
from pointsman.routing.failures import CONTEXT_LENGTH, Failure, kind_of
from pointsman.routing.pool import Pool
from pointsman.routing.refusal import NONE_AVAILABLE
from pointsman.routing.settings import FallbackLists, RetryPolicy, RoutingSettings

__all__ = ["Again", "Elsewhere", "Hop", "Recovery"]

_ABOUT_THE_REQUEST: Final = frozenset({Failure.BAD_REQUEST, Failure.CONTENT_POLICY})
"""What is wrong with a request is wrong everywhere, as far as anybody knows."""
_LASTING: Final = _ABOUT_THE_REQUEST | {Failure.AUTHENTICATION, Failure.NOT_FOUND, Failure.TIMEOUT, Failure.OTHER}
"""The same deployment would only say, or take as long to say, the same again."""
_NOBODY_SERVES: Final = frozenset({
    "mock_testing_fallbacks", "model_not_found", NONE_AVAILABLE, "tag_routing_denied",
})  # fmt: skip
_UNREADABLE: Final = "invalid_encrypted_content"
"""OpenAI's and Azure's code for reasoning that was made in another account."""
_CROWDED: Final = frozenset({"queue_full", "queue_timeout"})
_TOO_MANY: Final = 429
_FIRST_PAUSE_SECONDS: Final = 0.2
_PAUSE_SECONDS_MAX: Final = 8.0
_LATER_SHARE_MAX: Final = 0.1
"""Who was asked to come back comes at most so much later, so that not all come at once."""


class Again(msgspec.Struct, frozen=True):
    """Another attempt within the same model, after a pause in seconds."""

    pause: float


class Hop(msgspec.Struct, frozen=True):
    """A model to turn to; ``asked_for``: it is the client who named it."""

    target: Target
    asked_for: bool = False


class Elsewhere(msgspec.Struct, frozen=True):
    """The models to turn to, in order."""

    hops: tuple[Hop, ...]


class Recovery:
    """``draw`` gives a number in [0, 1). ``retries`` and ``hops`` count what was done, ``tried`` has the ids.

    ``forgets``: from now on what an upstream cannot read of former reasoning is left out.
    ``asked`` are the names under which the request asked for its model. ``errors`` are the failures so far.
    ``was_withheld``: something that could have been tried was not, for the sake of the retry budget.
    """

    def __init__(
        self, settings: RoutingSettings, rules: RoutingRules, asked: tuple[str, ...], draw: Callable[[], float]
    ) -> None:
        self.rules = rules
        self.retries = 0
        self.retries_max = settings.num_retries if rules.num_retries is None else rules.num_retries
        self.hops = 0
        self.waited = 0.0
        self.was_withheld = False
        self.forgets = False
        self.tried: set[str] = set()
        self.errors: list[tuple[str, GatewayError]] = []
        self._settings = settings
        self._own = rules.lists or OwnLists()
        self._policies = settings.group_retry_policies
        if rules.retry_policies is not None:
            self._policies = {name: _policy(counts) for name, counts in rules.retry_policies.items()}
        self._asked = asked
        self._draw = draw
        self._seen: set[tuple[str, tuple[str, ...]]] = {(name, ()) for name in asked}
        self._queue: tuple[Hop, ...] = ()

    @property
    def tells_errors(self) -> bool:
        """Whether the client is told of every failure: it asks for it and the operator lets it."""
        return self._settings.tells_fallback_errors and self.rules.include_fallback_errors

    def next(self, error: GatewayError, pool: Pool, failed: Deployment) -> Again | Elsewhere | None:
        """What to do after ``error`` of the deployment ``failed``; None: give up."""
        self.errors.append((pool.name, error))
        if error.code == _UNREADABLE and pool.binds_reasoning and not self.forgets:
            self.forgets = True
            self.retries += 1
            return Again(0.0)
        self.tried.add(failed.id)
        pause = self._pause(error, pool, failed)
        if pause is None or self.waited + pause > self._settings.wait_seconds_max:
            return self.elsewhere(error, pool.name)
        self.retries += 1
        self.waited += pause
        return Again(pause)

    def elsewhere(self, error: GatewayError, failed: str) -> Elsewhere | None:
        """The models to turn to after ``error`` of the model ``failed``; None: there is none."""
        if self.rules.disable_fallbacks or self.hops >= self._settings.max_fallbacks:
            return None
        fresh = tuple(hop for hop in self._named(error, failed) if self._is_new(hop.target))
        special = error.code == CONTEXT_LENGTH or kind_of(error) is Failure.CONTENT_POLICY
        self._queue = (*fresh, *self._queue) if special else (*self._queue, *fresh)
        return Elsewhere(self._queue) if self._queue else None

    def drop(self, hop: Hop) -> None:
        """It is tried now, and never again."""
        self._queue = tuple(other for other in self._queue if other is not hop)

    def _pause(self, error: GatewayError, pool: Pool, failed: Deployment) -> float | None:
        """Seconds until another attempt in the same pool makes sense; None: never."""
        kind = kind_of(error)
        others = any(member.deployment.id not in self.tried for member in pool.members)
        if not isinstance(error, UpstreamFailed):
            unsupported = isinstance(error, Unsupported) and self._settings.falls_back_when_unsupported
            return 0.0 if others and (unsupported or _is_crowded(error)) else None
        own = said_of(pool.name, self._policies)
        policy = self._settings.retry_policy if own is None else own
        if self.retries >= self._allowed(policy, kind, failed):
            return None
        said = kind in policy
        if others:
            return None if kind in _ABOUT_THE_REQUEST and not said else 0.0
        if ((kind in _LASTING or error.slow) and not said) or isinstance(error, Crowded):
            return None
        if error.retry_after is not None:
            later = min(1.0, error.retry_after * _LATER_SHARE_MAX) * self._draw()
            return max(error.retry_after + later, self._settings.retry_after)
        pause = min(_FIRST_PAUSE_SECONDS * 2.0**self.retries, _PAUSE_SECONDS_MAX)
        return max(pause * (0.5 + self._draw() / 2), self._settings.retry_after)

    def _allowed(self, policy: RetryPolicy, kind: Failure, failed: Deployment) -> int:
        """How many retries there may be. A policy is the operator's last word, which a request may only lower."""
        told = policy.get(kind, policy.get(Failure.INTERNAL) if kind is Failure.BAD_GATEWAY else None)
        told = policy.get(Failure.OTHER) if told is None else told
        own = self.rules.num_retries
        if told is None:
            told = self._settings.num_retries if failed.num_retries is None else failed.num_retries
            return self._counted(told if own is None else own)
        return self._counted(told if own is None else min(own, told))

    def _counted(self, retries: int) -> int:
        self.retries_max = retries
        return retries

    def _is_new(self, target: Target) -> bool:
        key = (target.model, tuple(target.fields))
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _named(self, error: GatewayError, failed: str) -> tuple[Hop, ...]:
        """Those whom the request names for its model, else those whom the operator names for ``failed``."""
        lists, rules = self._settings.fallbacks, self.rules
        names = self._asked if failed in self._asked else (failed,)
        kind = kind_of(error)
        own: tuple[Target, ...] | None = None
        listed: tuple[Hop, ...] = ()
        if error.code == CONTEXT_LENGTH:
            own = rules.context_window_fallbacks
            listed = _listed(self._own.context_window, lists.context_window, names)
        elif kind is Failure.CONTENT_POLICY:
            own = rules.content_policy_fallbacks
            listed = _listed(self._own.content_policy, lists.content_policy, names)
        elif not self._may_be_served(error, kind):
            return ()
        if own:
            return _hops(own, asked_for=True)
        return (listed if own is None else ()) or self._general(lists, names)

    def _may_be_served(self, error: GatewayError, kind: Failure) -> bool:
        """Whether another model may serve what this one did not."""
        if isinstance(error, UpstreamFailed):
            return kind is not Failure.BAD_REQUEST
        if isinstance(error, Unsupported):
            return self._settings.falls_back_when_unsupported
        return error.code in _NOBODY_SERVES or _is_crowded(error)

    def _general(self, lists: FallbackLists, names: tuple[str, ...]) -> tuple[Hop, ...]:
        if self.rules.fallbacks is not None:
            return _hops(self.rules.fallbacks, asked_for=True)
        listed = _listed(self._own.general, lists.general, names)
        return listed or (_hops(lists.default) if self._own.general is None else ())


def _listed(
    own: Mapping[str, tuple[Target, ...]] | None, usual: Mapping[str, tuple[Target, ...]], names: tuple[str, ...]
) -> tuple[Hop, ...]:
    """Those of a list. Who has one of their own needs access to what is in it, as if the request had named it."""
    return _hops(_of(usual if own is None else own, names), asked_for=own is not None)


def _policy(counts: Mapping[str, int]) -> RetryPolicy:
    return {kind: counts[name] for kind in Failure if (name := f"{kind.value}Retries") in counts}


def _is_crowded(error: GatewayError) -> bool:
    """Whether so many wait for a local host that the request was not taken; one whose time is over is no such."""
    return error.code in _CROWDED and error.status == _TOO_MANY


def _hops(targets: tuple[Target, ...], *, asked_for: bool = False) -> tuple[Hop, ...]:
    return tuple(Hop(target, asked_for) for target in targets)


def _of(lists: Mapping[str, tuple[Target, ...]], names: tuple[str, ...]) -> tuple[Target, ...]:
    """The list for one of the names; as in LiteLLM also for one without its provider, else the one for any.

    Between them come those for patterns such as ``openai/*``, which LiteLLM does not know.
    """
    bare = [name.partition("/")[2] for name in names]
    exact = next((lists[name] for name in (*names, *bare) if name in lists), None)
    if exact is not None:
        return exact
    return next((found for name in names if (found := said_of(name, lists)) is not None), ())
