"""How long a request will have to wait at a deployment, as far as can be told before it is sent there."""

from __future__ import annotations

from math import inf
from typing import Final

import msgspec

from pointsman.routing.hosts import Host
from pointsman.routing.pool import Member
from pointsman.routing.residency import LoadBook, ahead_of, load_seconds, resident

__all__ = ["Wait", "wait_at"]

_ANSWER_SECONDS_ASSUMED: Final = 10.0
"""An answer of a deployment that has not given any yet."""


class Wait(msgspec.Struct, frozen=True):
    """Seconds: until a deployment that rests may be asked, in the queue of its host, and until the model is loaded."""

    rest: float = 0.0
    queue: float = 0.0
    load: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.rest + self.queue + self.load


def wait_at(member: Member, now: float, loads: LoadBook) -> Wait:
    """The wait at a deployment; without end where its host is away. ``now`` is monotonic seconds."""
    rest = max(0.0, member.rests_until - now)
    host = member.host
    if host is None:
        return Wait(rest)
    if not host.online:
        return Wait(inf)
    return Wait(rest, _turn(host, member.live.latency), _load(host, member.deployment.model, now, loads))


def _turn(host: Host, answer_seconds: float) -> float:
    """Seconds until a further request would be sent there."""
    queue = host.queue
    if queue is not None and queue.slots is not None:
        return 0.0 if queue.is_free else queue.wait_estimate(queue.depth, answer_seconds)
    if not host.slots:
        return 0.0
    return max(0, ahead_of(host) - host.slots + 1) * (answer_seconds or _ANSWER_SECONDS_ASSUMED) / host.slots


def _load(host: Host, model: str, now: float, loads: LoadBook) -> float:
    """Seconds until a model is in memory; only where somebody tells what is, something can be said."""
    if not host.kind or resident(host, model) is not None:
        return 0.0
    loading = loads.loading(host, now).get(model)
    return load_seconds(loads.size_of(model)) if loading is None else max(0.0, loading.until - now)
