"""A rule about the traffic of one model while it is at work: its arms, and what it has counted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pointsman.config.traffic import STABLE
from pointsman.config.traffic_sections import TrafficRule
from pointsman.lifecycle.tally import Marks, Tally
from pointsman.routing.hedging import Hedging
from pointsman.routing.pool import Member, Pool
from pointsman.routing.router import Router
from pointsman.routing.variants import Arm

__all__ = ["Rule", "RuleCounts", "Way", "arms_of"]

_PERCENT = 100.0


class RuleCounts(msgspec.Struct):
    """What a rule has counted since the process began; what several processes counted can be merged.

    ``mirrored`` are the calls that were sent to ``shadow`` as well, ``left_out`` those that should have been and were
    not. Of the hedged ``second`` requests so many ``won``. Of the calls that could share, ``led`` were sent and
    ``shared`` given the answer of another one; ``taken_over`` counts leaders in whose place another call was sent.
    """

    arms: dict[str, Tally] = {}
    mirrored: Tally = msgspec.field(default_factory=Tally)
    shadow: Tally = msgspec.field(default_factory=Tally)
    left_out: int = 0
    asked: int = 0
    second: int = 0
    won: int = 0
    cut: Tally = msgspec.field(default_factory=Tally)
    led: int = 0
    shared: int = 0
    taken_over: int = 0

    def merge(self, other: RuleCounts) -> None:
        """Count in what another process counted."""
        for name in ("left_out", "asked", "second", "won", "led", "shared", "taken_over"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, its in ((self.mirrored, other.mirrored), (self.shadow, other.shadow), (self.cut, other.cut)):
            mine.merge(its)
        for arm, tally in other.arms.items():
            self.arms.setdefault(arm, Tally()).merge(tally)


class Rule:
    """``settings`` is what the operator wrote; the counts may go on from those of a former rule for the model.

    ``shadows`` is how many requests to the mirror are under way.
    """

    def __init__(self, settings: TrafficRule, counts: RuleCounts | None = None) -> None:
        self.settings = settings
        self.arms = arms_of(settings)
        self.salt = settings.model if settings.salt is None else settings.salt
        self.counts = counts or RuleCounts()
        for arm in self.arms:
            self.counts.arms.setdefault(arm.name, Tally())
        hedge = settings.hedge
        after = None if hedge is None or hedge.after_ms is None else hedge.after_ms / 1000.0
        self.hedging = None if hedge is None else Hedging(after, hedge.max_share)
        self.shadows = 0
        self._parts: tuple[Pool | None, dict[str, Pool | None]] = (None, {})

    def part(self, pool: Pool, arm: Arm, router: Router) -> Pool | None:
        """The deployments of ``pool`` that an arm consists of; None: there are none."""
        if self._parts[0] is not pool:
            self._parts = (pool, {})
        parts = self._parts[1]
        if arm.name not in parts:
            parts[arm.name] = self._part(pool, arm, router)
        return parts[arm.name]

    def _part(self, pool: Pool, arm: Arm, router: Router) -> Pool | None:
        if arm.is_rest:
            members = [one for one in pool.members if not any(_is_in(one, other) for other in self.arms)]
        else:
            members = [one for one in pool.members if _is_in(one, arm)]
        if not members:
            return None
        if len(members) == len(pool.members):
            return pool
        return router.part(pool, members, any_tags=arm.tag is not None)


class Way(msgspec.Struct, frozen=True, eq=False):
    """The way that a request takes by a rule: the pool of its ``arm``, empty where there is none.

    ``base`` is all that serves the model that was asked for: when the arm fails, it stands in.
    """

    rule: Rule
    pool: Pool
    base: Pool
    arm: str = ""

    def marks(self) -> Marks | None:
        """What the arm adds to a call."""
        if not self.arm:
            return None
        line = b"x-pointsman-variant: %b\r\n" % self.arm.encode()
        return Marks((f"variant:{self.arm}",), line, (self.rule.counts.arms[self.arm],))


def arms_of(settings: TrafficRule) -> Sequence[Arm]:
    """The arms of a rule; none where it has no experiment."""
    canary = settings.canary
    if canary is not None:
        arm = Arm(canary.name, canary.percent, canary.model, canary.deployment, canary.tag)
        return (Arm(STABLE, _PERCENT - canary.percent), arm)
    return tuple(Arm(one.name, one.weight, one.model, one.deployment, one.tag) for one in settings.variants)


def _is_in(member: Member, arm: Arm) -> bool:
    deployment = member.deployment
    if arm.deployment is not None:
        return deployment.id == arm.deployment
    return arm.tag is not None and arm.tag in deployment.tags
