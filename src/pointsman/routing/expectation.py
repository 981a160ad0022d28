"""How long a request will have to wait at a deployment, as far as can be told before it is sent there."""

from __future__ import annotations

from math import inf
from typing import Final

import msgspec

from pointsman.routing.pool import Member

__all__ = ["Wait", "wait_at"]

_ANSWER_SECONDS_ASSUMED: Final = 10.0
"""An answer of a deployment that has not given any yet."""
_LOAD_SECONDS_ASSUMED: Final = 15.0


class Wait(msgspec.Struct, frozen=True):
    """Seconds: until a deployment that rests may be asked, in the queue of its host, and until the model is loaded."""

    rest: float = 0.0
    queue: float = 0.0
    load: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.rest + self.queue + self.load


def wait_at(member: Member, now: float) -> Wait:
    """The wait at a deployment; without end where its host is away. ``now`` is monotonic seconds."""
    rest = max(0.0, member.live.rests_until - now)
    host = member.host
    if host is None:
        return Wait(rest)
    if not host.online:
        return Wait(inf)
    loaded = not host.kind or member.deployment.model in host.loaded
    slots = host.slots
    queue = 0.0
    if slots:
        ahead = host.busy + host.queued - slots + 1
        queue = max(0, ahead) * (member.live.latency or _ANSWER_SECONDS_ASSUMED) / slots
    return Wait(rest, queue, 0.0 if loaded else _LOAD_SECONDS_ASSUMED)
