"""Which models are to be loaded before anybody asks for them, and which to be unloaded since nobody does. Pure.

A model that is to be warm is loaded on one of the hosts that serve it, and loaded again when it is gone or about to go,
until its time is over. Only a host with *room* loads it, unless the operator says otherwise: one that has nothing else
in its memory, or of which it is known that the model fits beside what it has.

A model that we loaded or used is unloaded when it was idle for long enough. Its idle time begins anew with each of our
calls, whichever of our processes made it, and with each of other programs' too, as far as the host tells by moving the
moment at which it would unload it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Final

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Host, address_of
from pointsman.routing.pool import Member, Pool
from pointsman.routing.schedule import WeeklyTime

__all__ = ["IdleRules", "LoadStep", "Step", "UnloadStep", "WarmRule", "Warmth"]

_REFRESH_SECONDS: Final = 90.0
"""A model that would be unloaded so soon begins its stay anew."""
_RETRY_SECONDS: Final = 30.0
_RETRY_SECONDS_MAX: Final = 900.0
_ROOM_FACTOR: Final = 1.15
"""A model takes more memory than its file, for the context."""
_MOVED_SECONDS: Final = 2.0
_SEEN_MAX: Final = 16_384


class WarmRule(msgspec.Struct, frozen=True):
    """A model that is to be warm. ``keep_seconds`` None: for good. ``host`` is an address, None: any that serves it."""

    model: str
    times: tuple[WeeklyTime, ...] = ()
    on_start: bool = True
    keep_seconds: float | None = None
    host: str | None = None
    evicts: bool = False


class IdleRules(msgspec.Struct, frozen=True):
    """After how many idle seconds a model is unloaded: by group, else by the host's address, else by all; 0: never."""

    by_model: Mapping[str, float] = {}
    by_host: Mapping[str, float] = {}
    usual: float = 0.0

    def seconds(self, group: str, host: str) -> float:
        """What holds for a model on a host."""
        return self.by_model.get(group, self.by_host.get(host, self.usual))


class LoadStep(msgspec.Struct, frozen=True):
    """Have a model loaded; it is to stay for ``keep_seconds`` after its last request, None: for good."""

    deployment: Deployment
    keep_seconds: float | None


class UnloadStep(msgspec.Struct, frozen=True):
    """Have a model unloaded, which has been idle for ``idle_seconds``."""

    deployment: Deployment
    idle_seconds: float


Step = LoadStep | UnloadStep


class _Seen(msgspec.Struct):
    """Of a model in a host's memory: when it would be unloaded, and since when that has not moved."""

    expires_at: float
    since: float


class Warmth:
    """Decides what to do next; ``started_at`` is wall time, as ``wall`` everywhere, ``now`` is monotonic.

    ``pool`` finds the deployments of a name, ``size`` the bytes of a model on a host, as far as they are known.
    ``sees_all_calls`` is False where other processes serve the same models and do not tell this one: then a host that
    does not tell either when it was used last is left alone.
    """

    def __init__(
        self,
        pool: Callable[[str], Pool | None],
        size: Callable[[Deployment], int | None],
        started_at: float,
        *,
        sees_all_calls: bool = True,
    ) -> None:
        self.rules: tuple[WarmRule, ...] = ()
        self.idle = IdleRules()
        self.zone: tzinfo | None = None
        self._pool = pool
        self._size = size
        self._started_at = started_at
        self.sees_all_calls = sees_all_calls
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    def steps(self, members: Iterable[Member], now: float, wall: float) -> list[Step]:
        """What is to be done now. ``members`` are all deployments there are, one for each model of each local host."""
        members = [member for member in members if member.host is not None and member.host.online]
        self._look(members, now)
        self._mind(members)
        warm = [(rule, until) for rule in self.rules if (until := self._until(rule, wall)) is not None]
        loads = [step for rule, until in warm if (step := self._load(rule, until, now, wall)) is not None]
        kept = {pool.name for rule, _ in warm if (pool := self._pool(rule.model)) is not None}
        return [*loads, *self._unloads(members, kept, now)]

    def failed(self, step: Step, now: float) -> None:
        """A step came to nothing; it is tried again later."""
        key = _key(step.deployment)
        count = self._failures.get(key, (0, 0.0))[0] + 1
        self._failures[key] = (count, now + min(_RETRY_SECONDS * 2 ** min(count - 1, 10), _RETRY_SECONDS_MAX))

    def succeeded(self, step: Step, host: Host, now: float) -> None:
        """A step was done."""
        self._failures.pop(_key(step.deployment), None)
        model = step.deployment.model
        if isinstance(step, LoadStep):
            host.used[model] = now
            host.served(model, now)
        else:
            host.used.pop(model, None)
            host.used_elsewhere.pop(model, None)
            host.loaded = {name: held for name, held in host.loaded.items() if held is not host.holds(model)}

    # -- warm --------------------------------------------------------------------------------------------

    def _until(self, rule: WarmRule, wall: float) -> float | None:
        """Until when the model is to be warm; None: it is not to be now. No end is infinity."""
        begins = [self._started_at] if rule.on_start else []
        if self.zone is not None:
            begins += [time.latest(wall, self.zone) for time in rule.times]
        if not begins:
            return None
        until = float("inf") if rule.keep_seconds is None else max(begins) + rule.keep_seconds
        return until if wall < until else None

    def _load(self, rule: WarmRule, until: float, now: float, wall: float) -> LoadStep | None:
        serving = self._serving(rule)
        keep = None if rule.keep_seconds is None else max(1.0, until - wall)
        for member, host in serving:
            held = host.holds(member.deployment.model)
            if held is not None:
                ends_soon = bool(held.expires_at) and held.expires_at - now < _REFRESH_SECONDS
                # With less of its own time left than that, it ends as it would anyway.
                stays = keep is not None and keep <= held.expires_at - now + _MOVED_SECONDS
                return self._step(member, keep, now) if ends_soon and not stays else None
            if host.loading.get(member.deployment.model):
                return None
        fitting = [found for found in serving if rule.evicts or self._has_room(*found)]
        if not fitting:
            return None
        member, _ = min(fitting, key=lambda found: (not self._has_room(*found), found[1].busy, len(found[1].loaded)))
        return self._step(member, keep, now)

    def _step(self, member: Member, keep: float | None, now: float) -> LoadStep | None:
        _, later = self._failures.get(_key(member.deployment), (0, 0.0))
        return None if now < later else LoadStep(member.deployment, keep)

    def _serving(self, rule: WarmRule) -> Sequence[tuple[Member, Host]]:
        """The deployments of a rule's model on local hosts that are there."""
        pool = self._pool(rule.model)
        wanted = None if rule.host is None else address_of(rule.host)
        return [
            (member, member.host)
            for member in (() if pool is None else pool.members)
            if member.host is not None and member.host.online and wanted in {None, member.host.url}
        ]

    def _has_room(self, member: Member, host: Host) -> bool:
        if not host.seen_at:
            return False
        if not host.loaded and not host.loading:
            return True
        total, size = host.vram_total_bytes, self._size(member.deployment)
        if total is None or size is None or host.loading:
            return False
        return sum(held.vram_bytes for held in host.loaded.values()) + size * _ROOM_FACTOR <= total

    # -- idle --------------------------------------------------------------------------------------------

    def _look(self, members: Iterable[Member], now: float) -> None:
        """Note since when each model has been idle, as far as its host tells."""
        seen: dict[tuple[str, str], _Seen] = {}
        for member in members:
            host, key = member.host, _key(member.deployment)
            held = None if host is None else host.holds(member.deployment.model)
            if held is None or len(seen) >= _SEEN_MAX:
                continue
            before = self._seen.get(key)
            moved = before is None or abs(before.expires_at - held.expires_at) > _MOVED_SECONDS
            seen[key] = _Seen(held.expires_at, now) if moved or before is None else before
        self._seen = seen

    def _mind(self, members: Iterable[Member]) -> None:
        """Have those hosts looked at whose memory matters here."""
        minded: dict[str, bool] = {}
        for member in members:
            host, group = member.host, member.deployment.group
            if host is not None:
                matters = bool(self.rules) or bool(
                    (host.used or host.used_elsewhere) and self.idle.seconds(group, host.url)
                )
                minded[host.url] = minded.get(host.url, False) or matters
        for member in members:
            if member.host is not None:
                member.host.is_minded = minded[member.host.url]

    def _unloads(self, members: Iterable[Member], kept: set[str], now: float) -> list[UnloadStep]:
        steps: dict[tuple[str, str], UnloadStep] = {}
        spared: set[tuple[str, str]] = set()
        for member in members:
            deployment, host, key = member.deployment, member.host, _key(member.deployment)
            if host is None:
                continue
            limit = self.idle.seconds(deployment.group, host.url)
            idle = self._idle_seconds(deployment.model, host, key, now)
            if deployment.group in kept or not limit or idle is None or idle < limit:
                spared.add(key)
            elif now >= self._failures.get(key, (0, 0.0))[1]:
                steps[key] = UnloadStep(deployment, idle)
        # The same model may be served under several names, and one of them may want it kept.
        return [step for key, step in steps.items() if key not in spared]

    def _idle_seconds(self, model: str, host: Host, key: tuple[str, str], now: float) -> float | None:
        """For how long nobody has used it; None: it is in use, not there, or none of our business."""
        seen, used_at = self._seen.get(key), host.last_used(model)
        if seen is None or used_at is None or host.is_wanted(model) or host.loading.get(model):
            return None
        if not seen.expires_at and not self.sees_all_calls:
            return None
        return now - max(used_at, seen.since if seen.expires_at else 0.0)


def _key(deployment: Deployment) -> tuple[str, str]:
    return address_of(deployment.api_base), deployment.model
