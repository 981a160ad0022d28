"""What happens to the requests for a model besides being sent: arms of experiments, mirrors, hedges, sharing.

The story turns here twice: for the way of a request before a deployment is chosen, and when it has been let in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.config.traffic_sections import Bulkhead, Mirror, Sticky, TrafficRule
from pointsman.core.clock import draw
from pointsman.core.errors import Refused
from pointsman.core.exchange import Client
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Ask
from pointsman.lifecycle.bulkheads import BulkheadCounts
from pointsman.lifecycle.choose import Course, wish_for
from pointsman.lifecycle.coalesce import SHAREABLE, Coalescer
from pointsman.lifecycle.mirror import Shadows
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.ways import Rule, RuleCounts, Way
from pointsman.policies.principal import Principal
from pointsman.routing.pool import Member, Pool
from pointsman.routing.router import Router
from pointsman.routing.variants import Arm, arm_of

__all__ = ["Assignment", "Traffic", "TrafficCounts", "TrafficState"]

_RULES_MAX: Final = 10_000

_log: Final = logging.getLogger("pointsman.traffic")


class TrafficCounts(msgspec.Struct):
    """What was counted, by model, and by the names of bulkheads."""

    models: dict[str, RuleCounts] = {}
    bulkheads: dict[str, BulkheadCounts] = {}

    def merge(self, other: TrafficCounts) -> None:
        """Count in what another process counted."""
        for model, counts in other.models.items():
            self.models.setdefault(model, RuleCounts()).merge(counts)
        for name, its in other.bulkheads.items():
            self.bulkheads.setdefault(name, BulkheadCounts()).merge(its)


class TrafficState(msgspec.Struct, frozen=True):
    """The rules in force, the bounds in force by name, and what was counted."""

    rules: tuple[TrafficRule, ...] = ()
    bulkheads: Mapping[str, Bulkhead] = {}
    counts: TrafficCounts = msgspec.field(default_factory=TrafficCounts)


class Assignment(msgspec.Struct, frozen=True):
    """The ``arm`` of a caller among ``arms``, and what it ``stays_by``; ``request``: the next one is drawn for anew.

    ``pool`` is None where nobody of the arm can serve the request, so that the model itself does.
    """

    arms: Sequence[Arm]
    arm: Arm
    stays_by: Sticky
    pool: Pool | None


class Traffic:
    """The rules of one process. ``chance`` gives numbers in [0, 1)."""

    def __init__(
        self,
        rules: Sequence[TrafficRule],
        router: Router,
        nursery: Nursery,
        chance: Callable[[], float] = draw,
    ) -> None:
        self._router = router
        self._chance = chance
        self._rules: dict[str, Rule] = {}
        self._told: set[tuple[str, str]] = set()
        self.shadows = Shadows(nursery, chance)
        self._coalescer = Coalescer()
        self.follow(rules)

    def follow(self, rules: Sequence[TrafficRule], *, silent: bool = False) -> None:
        """Take over new rules; what was counted for a model stays counted.

        ``silent``: some deployments have models that get copies of what they get, whatever rules there are.
        """
        former = self._rules
        self._rules = {one.model: _renewed(former.get(one.model), one) for one in rules}
        self._written = tuple(rules)
        self._silent = silent
        self._told.clear()

    @property
    def rules(self) -> tuple[TrafficRule, ...]:
        """As the operator wrote them."""
        return self._written

    @property
    def counts(self) -> dict[str, RuleCounts]:
        """What was counted, by model."""
        return {model: rule.counts for model, rule in self._rules.items()}

    def way(self, ask: Ask, principal: Principal, pool: Pool, now: float) -> Way | None:
        """The way of a request for the model that ``pool`` serves; None: there is no rule.

        An arm may be served by a model that the caller could not ask for: that is for the operator to decide.
        """
        rule = self._rule(ask, pool)
        if rule is None:
            return None
        if not rule.arms:
            return Way(rule, pool, pool)
        arm = arm_of(rule.arms, rule.salt, self._subject(rule, ask, principal)[1])
        its = self._pool_of(rule, arm, pool)
        if its is None or not self._serves(its, ask, principal, now):
            self._tell(rule, arm, its)
            return Way(rule, pool, pool)
        return Way(rule, its, pool, arm.name)

    def assignment(self, ask: Ask, principal: Principal, pool: Pool, now: float) -> Assignment | None:
        """What :meth:`way` would decide about an experiment, and why; None: there is none."""
        rule = self._rule(ask, pool)
        if rule is None or not rule.arms:
            return None
        stays_by, subject = self._subject(rule, ask, principal)
        arm = arm_of(rule.arms, rule.salt, subject)
        its = self._pool_of(rule, arm, pool)
        serves = its is not None and self._serves(its, ask, principal, now)
        return Assignment(rule.arms, arm, stays_by, its if its is not None and serves else None)

    def _rule(self, ask: Ask, pool: Pool) -> Rule | None:
        rule = self._rules.get(ask.model)
        if rule is None or self._router.pool(ask.model) is not pool:
            # Who was led to another model is not led back by what holds for the one that was asked for.
            rule = self._rules.get(pool.name)
        if rule is None and self._silent and len(self._rules) < _RULES_MAX and any(map(_is_copied, pool.members)):
            rule = self._rules[pool.name] = Rule(TrafficRule(model=pool.name))
        return rule

    async def meet(self, course: Course, settlement: Settlement, client: Client) -> Client:
        """Do what the rule says to a request that was let in; gives the client that the story goes on with.

        Raises:
            AnsweredHere: an identical request was answered in the meantime.
            GatewayError: it failed, as this one would.
        """
        way = course.way
        if way is None:
            return client
        rule = way.rule
        settlement.marks = way.marks()
        if rule.settings.coalesce_embeddings and course.ask.operation in SHAREABLE:
            client = await self._coalescer.join(way, settlement, client)
        if rule.settings.mirror is not None:
            self.shadows.cast(rule, rule.settings.mirror, settlement)
        terms = course.member.deployment.terms
        for model in () if terms is None else terms.silent_models:
            self.shadows.cast(rule, Mirror(model=model), settlement)
        if rule.hedging is not None:
            rule.counts.asked += 1
            rule.hedging.asked()
        return client

    def _subject(self, rule: Rule, ask: Ask, principal: Principal) -> tuple[Sticky, str]:
        """What kind stays in its arm, and which. The operator's own requests are everybody's, so each is drawn for."""
        sticky = rule.settings.sticky
        if sticky == "session" and ask.routing is not None and ask.routing.session:
            return "session", f"session:{ask.routing.session}"
        if sticky in {"user", "session"} and ask.end_user:
            return "user", f"user:{ask.end_user}"
        if sticky == "request" or principal.admin:
            return "request", repr(self._chance())
        return "key", f"key:{principal.record.token}"

    def _pool_of(self, rule: Rule, arm: Arm, pool: Pool) -> Pool | None:
        if arm.model is None:
            return rule.part(pool, arm, self._router)
        return pool if arm.model == rule.settings.model else self._router.pool(arm.model)

    def _serves(self, pool: Pool, ask: Ask, principal: Principal, now: float) -> bool:
        """Whether any of the pool is well and for this request; an arm is to keep nobody from an answer."""
        try:
            self._router.consider(pool, wish_for(ask, principal), now)
        except Refused:
            return False
        return self._router.is_awake(pool, now)

    def _tell(self, rule: Rule, arm: Arm, pool: Pool | None) -> None:
        """Say once that an arm is served as if there were none."""
        about = (rule.settings.model, arm.name)
        if pool is None and about not in self._told:
            self._told.add(about)
            _log.warning(
                "The variant %s of %s has no deployment; its callers get the model itself.", about[1], about[0]
            )


def _is_copied(member: Member) -> bool:
    return member.deployment.terms is not None and bool(member.deployment.terms.silent_models)


def _renewed(former: Rule | None, settings: TrafficRule) -> Rule:
    """The rule for a model; one that stays the same goes on, and of another one the counts do."""
    if former is not None and former.settings == settings:
        return former
    return Rule(settings, None if former is None else former.counts)
