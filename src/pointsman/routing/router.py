"""Names to pools, and pools to one deployment. The one object of routing that the story talks to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from pointsman.core.clock import draw
from pointsman.core.errors import GatewayError
from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules
from pointsman.routing.affinity import Affinity, Place, stay
from pointsman.routing.candidates import Dropped, candidates
from pointsman.routing.cooldown import blame
from pointsman.routing.expectation import Wait, wait_at
from pointsman.routing.gather import Gatherer
from pointsman.routing.hosts import Fleet
from pointsman.routing.live import LiveBook
from pointsman.routing.meter import Meter
from pointsman.routing.pool import Member, Pick, Pool, Strategy
from pointsman.routing.recovery import Recovery
from pointsman.routing.refusal import refusal
from pointsman.routing.residency import LoadBook
from pointsman.routing.rules.narrow import permitted, preferred
from pointsman.routing.settings import RoutingSettings
from pointsman.routing.strategies import METERED, STRATEGIES, Kit
from pointsman.routing.table import RoutingTable
from pointsman.routing.wish import Wish

__all__ = ["Router"]

_POOLS_MAX: Final = 16_384


class Router:
    """``lives``, ``fleet`` and ``loads`` outlive tables and settings. ``draw`` gives numbers in [0, 1)."""

    def __init__(
        self, table: RoutingTable, settings: RoutingSettings | None = None, draw: Callable[[], float] = draw
    ) -> None:
        self.lives = LiveBook()
        self.fleet = Fleet()
        self.loads = LoadBook()
        self.settings = settings or RoutingSettings()
        self.affinity = Affinity(self.settings.affinity.seconds, repins=self.settings.affinity.repins)
        self._gatherer = Gatherer(self.lives, self.fleet, self.loads, draw)
        self._draw = draw
        self._table = table
        self._pools: dict[str, Pool] = {}
        self._strategies: dict[str, dict[str, Strategy]] = {}

    @property
    def table(self) -> RoutingTable:
        """What there is to route to."""
        return self._table

    def follow(self, table: RoutingTable, settings: RoutingSettings | None = None) -> None:
        """Take over a new table, and new settings if there are any."""
        self._table = table
        self.settings = settings or self.settings
        self.affinity.seconds, self.affinity.repins = self.settings.affinity.seconds, self.settings.affinity.repins
        self._pools, self._strategies = {}, {}

    def pool(self, name: str) -> Pool | None:
        """The deployments that serve ``name``; None: nobody does."""
        return self._pools.get(name) or self._gather(name)

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
            pool = permitted(pool, wish.demands, wish, dropped)
        if pool.only is not None:
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
            pool = permitted(pool, wish.demands, wish, dropped)
        if pool.only is not None:
            return pool.only, "only"
        return self._pick(pool, wish, now, tried, self.affinity.place(pool, wish) if pool.stays else None, dropped)

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
            raise refusal(pool, wish, now, reasons)
        if wish.demands is not None:
            found = preferred(found, wish, now, self.loads, dropped)
        if len(found) == 1:
            return found[0], "only"
        stays = None if place is None or known is None else stay(place, known, found)
        return self.strategy(pool, wish).pick(found, wish, now) if stays is None else stays

    def _took(self, pool: Pool, member: Member, wish: Wish, now: float) -> None:
        self.strategy(pool, wish).took(member, wish, now)
        if member.live.meter is not None:
            member.live.meter.began(wish.prompt_tokens, now)
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
            for member in (self._pools.get(pool.name) or pool).members if strategy.name in METERED else ():
                member.live.meter = member.live.meter or Meter()
        return strategy

    def wait(self, member: Member, now: float) -> Wait:
        """How long a request would have to wait there, as far as can be told."""
        return wait_at(member, now, self.loads)

    def shortest_wait(self, pool: Pool, now: float) -> float:
        """Seconds that a request would have to wait for the first of the pool to be had."""
        return min(wait_at(member, now, self.loads).total for member in pool.members)

    def failed(self, member: Member, pool: Pool, error: GatewayError, now: float) -> None:
        """A call to ``member`` has failed."""
        blame(member, error, self.settings, now, alone=len(pool.members) == 1)

    def recovery(self, rules: RoutingRules | None, asked: str) -> Recovery:
        """What may be tried for a request for the model ``asked`` that has failed for the first time."""
        return Recovery(self.settings, rules or NO_ROUTING_RULES, asked, self._draw)

    def _gather(self, name: str) -> Pool | None:
        group = self._table.resolve(name)
        if group is None:
            return None
        pool = self._gatherer.pool(group, self.settings)
        if len(self._pools) >= _POOLS_MAX:
            self._pools.clear()
        self._pools[name] = pool
        return pool
