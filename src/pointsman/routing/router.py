"""Names to pools, and pools to one deployment. The one object of routing that the story talks to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock, draw
from pointsman.core.errors import GatewayError, LimitReached
from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules
from pointsman.core.upstream import Deployment
from pointsman.routing.affinity import Affinity, Place, stay
from pointsman.routing.boundary import at_its_account
from pointsman.routing.budget import RetryBudget
from pointsman.routing.candidates import Dropped, candidates
from pointsman.routing.cooldown import blame
from pointsman.routing.credentials import CredentialBook
from pointsman.routing.expectation import Wait, wait_at
from pointsman.routing.gather import Gatherer, by_tags, measure
from pointsman.routing.hosts import Fleet
from pointsman.routing.live import LiveBook
from pointsman.routing.pool import Member, Pick, Pool, Strategy
from pointsman.routing.recovery import Recovery
from pointsman.routing.refusal import refusal, resting
from pointsman.routing.residency import LoadBook
from pointsman.routing.rests import NoRests, Rest, RestBoard
from pointsman.routing.rules.narrow import permitted, preferred
from pointsman.routing.rules.ruling import Demands
from pointsman.routing.settings import RoutingSettings
from pointsman.routing.shortlist import LOOKED_AT_MAX
from pointsman.routing.strategies import STRATEGIES, Kit
from pointsman.routing.table import Group, RoutingTable
from pointsman.routing.wish import Wish

__all__ = ["Router"]

_POOLS_MAX: Final = 16_384


class Router:
    """``draw`` gives numbers in [0, 1).

    ``lives``, ``fleet``, ``loads``, ``credentials`` and ``budget`` outlive tables and changes of the settings.
    ``is_full`` tells of deployments for which the gateway has no place; None: it has no bounds for any.
    """

    def __init__(
        self, table: RoutingTable, settings: RoutingSettings | None = None, draw: Callable[[], float] = draw
    ) -> None:
        self.lives = LiveBook()
        self.fleet = Fleet()
        self.loads = LoadBook()
        self.credentials = CredentialBook()
        self.settings = settings or RoutingSettings()
        self.budget = RetryBudget(self.settings.retry_budget)
        self.affinity = Affinity(self.settings.affinity)
        self.is_full: Callable[[Deployment], bool] | None = None
        self._gatherer = Gatherer(self.lives, self.fleet, self.loads, self.credentials, draw)
        self._draw = draw
        self._rests: RestBoard = NoRests()
        self._clock: Clock = SYSTEM_CLOCK
        self._table = table
        self._pools: dict[str, Pool] = {}
        self._filtering: dict[str, tuple[Pool, Pool]] = {}
        self._left_out: frozenset[str] = frozenset()
        self._strategies: dict[str, dict[str, Strategy]] = {}

    @property
    def table(self) -> RoutingTable:
        """What there is to route to."""
        return self._table

    def follow(self, table: RoutingTable, settings: RoutingSettings | None = None) -> None:
        """Take over a new table, and new settings if there are any."""
        self._table = table
        self.settings = settings or self.settings
        self.affinity.rules = self.settings.affinity
        self.budget.share = self.settings.retry_budget
        self._pools, self._strategies, self._filtering = {}, {}, {}

    def leave_out(self, ids: frozenset[str]) -> None:
        """From now on choose no deployment with one of these ids where its group has another."""
        if ids != self._left_out:
            self._left_out = ids
            self._pools = {}

    def pool(self, name: str) -> Pool | None:
        """The deployments that serve ``name``; None: nobody does."""
        return self._pools.get(name) or self._gather(name)

    def part(self, pool: Pool, members: Sequence[Member], *, any_tags: bool) -> Pool:
        """A pool of some of another's members; with ``any_tags`` they are for every request, whatever its tags.

        Even one member is not the only one of its model, and may rest when it fails.
        """
        group = Group(pool.name, tuple(member.deployment for member in members))
        part = self._gatherer.pool(group, self.settings)
        screens = msgspec.structs.replace(part.screens, tags=False) if any_tags else part.screens
        return msgspec.structs.replace(part, only=None, screens=screens)

    def choose(
        self, pool: Pool, wish: Wish, now: float, tried: Collection[str] = (), dropped: list[Dropped] | None = None
    ) -> Pick:
        """The deployment that serves the request, one that was not ``tried`` (ids) if there is one, and why.

        Those that do not come into question are added to ``dropped``, each with the reason.

        Raises:
            LimitReached: all of them rest, or are at their limits.
            Malformed: the prompt is too long for all of them, or the models are for something else.
            Forbidden: none of them is for this key, for the request's tags, or meets what the operator demands.
        """
        if wish.demands is not None:
            pool = permitted(self._filtered(pool, wish.demands), wish.demands, wish, dropped)
        if pool.only is not None:
            pool.only.chosen(now)
            return pool.only, "only"
        place = self.affinity.place(pool, wish) if pool.stays else None
        member, reason = self._pick(pool, wish, now, tried, place, dropped)
        self._took(pool, member, wish, now)
        if place is not None:
            self.affinity.keep(place, member, now)
        return member, reason

    def consider(
        self, pool: Pool, wish: Wish, now: float, tried: Collection[str] = (), dropped: list[Dropped] | None = None
    ) -> Pick:
        """What :meth:`choose` would do; nothing is counted or remembered.

        Raises:
            LimitReached, Malformed, Forbidden: as :meth:`choose`.
        """
        if wish.demands is not None:
            pool = permitted(self._filtered(pool, wish.demands), wish.demands, wish, dropped)
        if pool.only is not None:
            return pool.only, "only"
        return self._pick(pool, wish, now, tried, self.affinity.place(pool, wish) if pool.stays else None, dropped)

    def _filtered(self, pool: Pool, demands: Demands) -> Pool:
        """The pool, where the tags of requests decide although they do not for others."""
        if not demands.filters_by_tags or pool.screens.tags:
            return pool
        known = self._filtering.get(pool.name)
        if known is None or known[0] is not pool:
            screens = by_tags(pool.screens, pool.members, self.settings.tags)
            known = self._filtering[pool.name] = (
                pool,
                msgspec.structs.replace(pool, only=None, screens=screens, by_tags={}),
            )
        return known[1]

    def _pick(
        self,
        pool: Pool,
        wish: Wish,
        now: float,
        tried: Collection[str],
        place: Place | None,
        dropped: list[Dropped] | None,
    ) -> Pick:
        known = None if place is None else self.affinity.known(place, now)
        found = candidates(pool, wish, now, tried, dropped, known)
        if not found:
            reasons: list[Dropped] = []
            candidates(pool, wish, now, tried, reasons)
            # A machine of one's own is tried all the same where all rest, the one that rests least long.
            own = [one for one, why in reasons if one.deployment.local and why.startswith("resting")]
            if own:
                return min(own, key=lambda one: one.rests_until), "resting"
            raise refusal(pool, wish, now, reasons)
        if self.is_full is not None:
            found = _with_room(found, self.is_full, dropped)
        if wish.demands is not None:
            found = preferred(found, wish, now, self.loads, dropped)
        if pool.binds_reasoning:
            found = _left(at_its_account(found, wish), found, "encrypted reasoning", dropped)
        if len(found) == 1 and len(pool.members) <= LOOKED_AT_MAX:
            return found[0], "only"
        stays = None if place is None or known is None else stay(place, known, found, wish.prompt_tokens)
        return self.strategy(pool, wish).pick(found, wish, now) if stays is None else stays

    def _took(self, pool: Pool, member: Member, wish: Wish, now: float) -> None:
        self.strategy(pool, wish).took(member, wish, now)
        member.chosen(now)
        if member.live.meter is not None:
            member.live.meter.began(wish.prompt_tokens, now)
            if member.live.meter.tallies is not None:
                member.live.meter.tallies.began(wish.prompt_tokens, wish.output_limit, int(now))
        for tier in pool.tiers:
            if tier.sampler is not None:
                tier.sampler.took(member)

    def strategy(self, pool: Pool, wish: Wish) -> Strategy:
        """What picks one of several: the pool's own strategy, or another that is demanded, which remembers as well."""
        name = "" if wish.demands is None else wish.demands.strategy
        if not name:
            return pool.strategy
        strategies = self._strategies.setdefault(pool.name, {})
        strategy = strategies.get(name)
        if strategy is None:
            strategy = strategies[name] = STRATEGIES[name](Kit(self._draw, self.loads))
            for member in (self._pools.get(pool.name) or pool).members:
                measure(member, strategy.name)
        return strategy

    def wait(self, member: Member, now: float) -> Wait:
        """How long a request would have to wait there, as far as can be told."""
        return wait_at(member, now, self.loads)

    def shortest_wait(self, pool: Pool, now: float) -> float:
        """Seconds that a request would have to wait for the first of the pool to be had."""
        return min(wait_at(member, now, self.loads).total for member in pool.members)

    def demand_awake(self, pool: Pool, now: float) -> None:
        """Of a pool of one.

        Raises:
            LimitReached: it failed lately and rests.
        """
        if pool.only is not None and not pool.only.admits(now):
            raise _none_available(pool, now)

    def is_awake(self, pool: Pool, now: float) -> bool:
        """Whether any of the pool does not rest."""
        return any(member.admits(now) for member in pool.members)

    def failed(self, member: Member, error: GatewayError, sent_at: float, now: float) -> None:
        """A call to ``member``, sent at ``sent_at``, has failed."""
        before = member.live.rests_until
        blame(member, error, self.settings, sent_at, now)
        if member.live.rests_until > before:
            self._rests.tell(Rest(member.live.id, member.live.rests_until - now), self._hear)

    def share_rests(self, rests: RestBoard, clock: Clock) -> None:
        """Tell there who rests, and let rest whom others tell of."""
        self._rests, self._clock = rests, clock
        rests.join(self._hear)

    def _hear(self, rest: Rest) -> None:
        live = self.lives.known(rest.deployment_id)
        if live is None:  # nobody has asked for it here yet
            served = (one for one in self._table.deployments if one.id == rest.deployment_id)
            live = next((self.lives.of(one) for one in served), None)
        if live is not None and self.settings.cools_down:
            live.open(self._clock.monotonic(), rest.seconds)

    def may_try(self, member: Member, now: float, requests: int) -> bool:
        """Whether a request that failed before may be tried there.

        One whose last call went well may always be: it can save the request and start no storm. The others cost
        something of the retry budget. ``requests`` counts all since the start of the process.
        """
        return not member.live.failures_in_row or self.budget.take(now, requests)

    def recovery(self, rules: RoutingRules | None, *asked: str) -> Recovery:
        """What may be tried for a request for the model ``asked`` (all its names) that has failed."""
        return Recovery(self.settings, rules or NO_ROUTING_RULES, asked, self._draw)

    def _gather(self, name: str) -> Pool | None:
        group = self._table.resolve(name)
        if group is None:
            return None
        kept = tuple(one for one in group.deployments if one.id not in self._left_out) or group.deployments
        pool = self._gatherer.pool(msgspec.structs.replace(group, deployments=kept), self.settings, group)
        if len(self._pools) >= _POOLS_MAX:
            self._pools.clear()
        self._pools[name] = pool
        return pool


def _with_room(
    found: Sequence[Member], is_full: Callable[[Deployment], bool], dropped: list[Dropped] | None
) -> Sequence[Member]:
    """Those for which the gateway has a place; all, if it has none for any."""
    full = [member for member in found if is_full(member.deployment)]
    if not full or len(full) == len(found):
        return found
    return _left([member for member in found if member not in full], found, "bulkhead full", dropped)


def _left(left: Sequence[Member], found: Sequence[Member], why: str, dropped: list[Dropped] | None) -> Sequence[Member]:
    """What is left of those who were found; of the others it is told why."""
    if dropped is not None and len(left) < len(found):
        dropped.extend((member, why) for member in found if member not in left)
    return left


def _none_available(pool: Pool, now: float) -> LimitReached:
    return resting(pool.name, min(member.rests_until for member in pool.members) - now)
