"""A request run dry: what would be decided about it, and why. Nothing is taken, nothing is sent, nobody is asked.

It goes through the very functions that decide about real requests, in their order, so that it cannot tell another story
than they do.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf

import msgspec

from pointsman.accounting.expected import cost_bound, likely_cost
from pointsman.core.errors import Broken, GatewayError, Refused, Rejected
from pointsman.core.exchange import Inbound
from pointsman.core.price import dollars
from pointsman.core.upstream import Ask
from pointsman.lifecycle.choose import asked_name, lead, wish_for
from pointsman.lifecycle.explanation import (
    ArmState,
    Asker,
    Candidate,
    Cost,
    Experiment,
    Explanation,
    FallbackChain,
    Refusal,
    RuleState,
    Step,
    WaitTold,
)
from pointsman.lifecycle.heads import shown_address
from pointsman.lifecycle.house import House
from pointsman.lifecycle.limit_states import limit_states
from pointsman.lifecycle.own_routing import take_own
from pointsman.lifecycle.reading import read_again, read_ask
from pointsman.lifecycle.recover import STOOD_IN_FOR, is_sent, recovery_of, rehearse, within_reach
from pointsman.lifecycle.ruling import demand_unrefused, demands_of, facts_of, rule
from pointsman.lifecycle.traffic import Assignment
from pointsman.lifecycle.turn import demand_room
from pointsman.policies.access import demand_access
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.policies.request_terms import meet_terms, name_customer
from pointsman.routing.candidates import Dropped
from pointsman.routing.expectation import Wait
from pointsman.routing.pool import Member, Pool
from pointsman.routing.queue import Ticket
from pointsman.routing.recovery import Hop
from pointsman.routing.refusal import NONE_AVAILABLE
from pointsman.routing.rules.ruling import Ruling
from pointsman.routing.wish import Wish

__all__ = ["explain", "refused_at_the_door"]


def explain(inbound: Inbound, principal: Principal, house: House, *, for_operator: bool) -> Explanation:
    """What would become of a request if ``principal`` sent it; what only concerns the operator is told to nobody else.

    Raises:
        Malformed: it is none.
    """
    ask = read_ask(inbound)
    name_customer(inbound, ask, principal, house.manners.terms)
    dry = _DryRun(ask, principal, house, inbound, house.clock.monotonic(), for_operator)
    try:
        dry.run()
    except GatewayError as error:
        dry.error = error
    return dry.told()


def refused_at_the_door(model: str, principal: Principal, error: GatewayError) -> Explanation:
    """What is told of a key that lets nobody in, such as one that has expired."""
    return Explanation(asker=_asker(principal), model=model, admitted=False, refusal=_refusal(error))


class _DryRun(msgspec.Struct):
    """What is found out, step by step."""

    ask: Ask
    principal: Principal
    house: House
    inbound: Inbound
    now: float
    for_operator: bool
    ruling: Ruling = Ruling()
    rules: tuple[RuleState, ...] = ()
    pool: Pool | None = None
    wish: Wish | None = None
    member: Member | None = None
    reason: str | None = None
    error: GatewayError | None = None
    dropped: list[Dropped] = []
    stands_in: str | None = None
    base: Pool | None = None
    assignment: Assignment | None = None

    def run(self) -> None:
        """All steps, in the order in which a request takes them.

        Raises:
            GatewayError: the request would be refused at that step.
        """
        ask, principal, house = self.ask, self.principal, self.house
        meet_terms(ask, principal, house.manners.terms)
        take_rules(ask)
        if principal.routing is not None:
            take_own(ask, principal.routing)
        rulebook = house.router.settings.rulebook
        if rulebook is not None:
            states = rulebook.tell(facts_of(ask, principal, house, self.inbound.head, rulebook))
            self.rules = tuple(RuleState(name, unmet or None) for name, unmet in states)
        self.ruling = rule(ask, principal, house, self.inbound.head)
        try:
            demand_unrefused(self.ruling)
            self.base, _ = lead(ask, principal, house, self.ruling)
            self.pool = self._assigned(self.base)
            house.router.demand_awake(self.pool, self.now)
            self._choose(self.pool, ask)
            if ask.routing is not None:
                rehearse(ask)
        except Refused as refused:
            self._find_stand_in(refused)
        if self.member is not None and self.pool is not None:
            house.admission.try_out(principal, self.ask, self.member.deployment, int(self.now))
            self._demand_turn(self.member, self.pool.name)

    def _assigned(self, pool: Pool) -> Pool:
        """The deployments of the arm that the request is in, where the model has any."""
        traffic = self.house.traffic
        if traffic is not None:
            self.assignment = traffic.assignment(self.ask, self.principal, pool, self.now)
        its = None if self.assignment is None else self.assignment.pool
        return pool if its is None else its

    def _choose(self, pool: Pool, ask: Ask, tried: Collection[str] = (), hop: Hop | None = None) -> None:
        """Choose one of a pool.

        Raises:
            Refused: none of them is to be had.
        """
        self.dropped = []
        target, sent = (None, False) if hop is None else (hop.target, is_sent(hop, self.house))
        self.wish = wish_for(ask, self.principal, demands_of(self.ruling), target, is_sent=sent, head=self.inbound.head)
        self.member, self.reason = self.house.router.consider(pool, self.wish, self.now, tried, self.dropped)

    def _find_stand_in(self, refused: Refused) -> None:
        """Do as :func:`pointsman.lifecycle.recover.stand_in` does.

        Raises:
            Refused: nothing can stand in.
        """
        ask, principal, house = self.ask, self.principal, self.house
        if refused.code not in STOOD_IN_FOR:
            raise refused
        dropped = self.dropped
        name = asked_name(ask.model, principal, self.ruling.model)
        pool = house.router.pool(name)
        group = name if pool is None else pool.name
        recovery = recovery_of(ask, house, group)
        step = recovery.elsewhere(refused, group)
        if step is not None and pool is None and not principal.unrestricted:
            demand_access(principal, ask.model, name, frozenset())
        for hop, other in () if step is None else within_reach(step.hops, principal, house):
            try:
                again = read_again(self.inbound, hop.target)
                take_rules(again)
                if principal.routing is not None:
                    take_own(again, principal.routing)
                self._choose(other, again, recovery.tried, hop)
            except Refused:
                continue
            self.ask, self.pool, self.stands_in = again, other, hop.target.model
            return
        self.dropped = dropped
        if pool is None or pool.only is None or refused.code != NONE_AVAILABLE:
            self.member = self.reason = None
            raise refused
        self.pool, self.member, self.reason = pool, pool.only, "resting"

    def _demand_turn(self, member: Member, group: str) -> None:
        """See whether there is room in the queue of its host.

        Raises:
            LimitReached: there is none.
        """
        queue, record = None if member.host is None else member.host.queue, self.principal.record
        if queue is not None and queue.slots is not None:
            demand_room(Ticket(member.deployment.model, group, record.token, self.now), queue, member.live.latency)

    def told(self) -> Explanation:
        """What was found out."""
        ask, pool, member = self.ask, self.pool, self.member
        return Explanation(
            asker=_asker(self.principal),
            model=ask.answers_as or ask.model,
            settings=() if self.principal.routing is None else self.principal.routing.names,
            admitted=self.error is None,
            refusal=None if self.error is None else _refusal(self.error),
            limits=limit_states(
                self.principal, ask, None if member is None else member.deployment, self.house, int(self.now)
            ),
            prompt_tokens=ask.prompt_estimate,
            output_limit=ask.output_limit,
            rules=self.rules if self.for_operator else tuple(one for one in self.rules if one.unmet is None),
            resolved=() if pool is None else self._steps(pool),
            experiment=None if self.assignment is None else _experiment(self.assignment),
            group=None if pool is None else pool.name,
            strategy=None if pool is None or self.wish is None else self.house.router.strategy(pool, self.wish).name,
            candidates=() if pool is None else tuple(self._candidate(each) for each in pool.members),
            deployment=None if member is None else member.deployment.id,
            reason=self.reason,
            fallbacks=FallbackChain() if pool is None else _chains(ask, pool, self.house),
            cost=None if member is None else self._cost(member),
            wait=None if member is None else _wait(self.house.router.wait(member, self.now), member),
        )

    def _steps(self, pool: Pool) -> tuple[Step, ...]:
        """How the name that the client asked for became that of the pool."""
        ask, ruling, arm = self.ask, self.ruling, self.assignment
        if self.base is not None and arm is not None and arm.pool is pool and pool.name != self.base.name:
            return (*self._steps(self.base), Step("variant", self.base.name, pool.name))
        name = ask.model
        found: list[Step] = []
        if ask.answers_as is not None and self.stands_in is None:
            found.append(Step("own_alias", ask.answers_as, name))
        alias = self.principal.aliases.get(name)
        if ruling.model is not None:
            found.append(Step("rule", name, ruling.model))
        elif alias is not None:
            found.append(Step("key_alias", name, alias))
        name = found[-1].to if found else name
        if self.stands_in is not None:
            found.append(Step("fallback", name, self.stands_in))
            name = self.stands_in
        over = ruling.overflow
        table = self.house.table
        if over is not None and over.to is not None and pool.name != name and _leads_to(over.to, pool, self.house):
            found.append(Step("overflow", name, over.to))
            name = over.to
        if pool.name != name:
            found.append(Step("alias", name, pool.name))
        is_listed = any(deployment.group == pool.name for deployment in table.deployments)
        return (*found, Step("exact" if is_listed else "wildcard", pool.name, pool.name))

    def _candidate(self, member: Member) -> Candidate:
        deployment = member.deployment
        reasons = [reason for each, reason in self.dropped if each.deployment.id == deployment.id]
        reason = reasons[0] if reasons else None
        chosen = self.member is not None and self.member.deployment.id == deployment.id
        told = reason if self.for_operator or reason is None else reason.partition(" ")[0]
        return Candidate(
            deployment=deployment.id,
            provider=deployment.provider,
            model=deployment.model,
            kept=chosen or not reasons,
            chosen=chosen,
            reason=self.reason if chosen else told,
            local=deployment.local,
            api_base=shown_address(deployment.api_base) if self.for_operator else None,
            in_flight=member.live.in_flight,
            cost=self._cost(member),
            wait=_wait(self.house.router.wait(member, self.now), member),
        )

    def _cost(self, member: Member) -> Cost:
        ask = self.ask
        bound = cost_bound(member.deployment, ask.prompt_estimate, ask.output_limit, ask.choices)
        live = member.live
        written = max(0.0, live.latency - live.first_byte)
        tokens = round(written / live.seconds_per_token) if live.seconds_per_token else None
        likely = likely_cost(member.deployment, ask.prompt_estimate, tokens, ask.output_limit, ask.choices)
        return Cost(_usd(bound), _usd(likely))


def _experiment(assignment: Assignment) -> Experiment:
    arms = assignment.arms
    whole = sum(arm.weight for arm in arms) or 1.0
    told = tuple(
        ArmState(arm.name, round(100.0 * arm.weight / whole, 3), arm.model, arm.deployment, arm.tag) for arm in arms
    )
    return Experiment(assignment.arm.name, assignment.stays_by, assignment.pool is not None, told)


def _chains(ask: Ask, pool: Pool, house: House) -> FallbackChain:
    """The models that would be turned to after each kind of failure."""

    def after(error: GatewayError) -> tuple[str, ...]:
        step = recovery_of(ask, house, pool.name).elsewhere(error, pool.name)
        return () if step is None else tuple(hop.target.model for hop in step.hops)

    return FallbackChain(
        after(Broken("")),
        after(Rejected("", code="context_length_exceeded")),
        after(Rejected("", code="content_policy_violation")),
    )


def _leads_to(name: str, pool: Pool, house: House) -> bool:
    found = house.router.pool(name)
    return found is not None and found.name == pool.name


def _asker(principal: Principal) -> Asker:
    record = principal.record
    return Asker(
        record.token,
        record.key_alias,
        record.user_id,
        record.team_id,
        record.models,
        record.tags,
        principal.admin,
    )


def _refusal(error: GatewayError) -> Refusal:
    return Refusal(error.status, error.code, error.message, error.hint, error.retry_after)


def _wait(wait: Wait, member: Member) -> WaitTold:
    def finite(seconds: float) -> float | None:
        return None if seconds == inf else round(seconds, 3)

    answer = round(member.live.latency, 3) if member.live.latency else None
    return WaitTold(finite(wait.rest), round(wait.queue, 3), round(wait.load, 3), finite(wait.total), answer)


def _usd(picodollars: int | None) -> float | None:
    return None if picodollars is None else dollars(picodollars)
