"""Names to pools, and pools to one deployment. The one object of routing that the story talks to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from pointsman.core.clock import draw
from pointsman.core.errors import GatewayError, LimitReached
from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules
from pointsman.core.upstream import Deployment
from pointsman.routing.candidates import candidates
from pointsman.routing.cooldown import blame
from pointsman.routing.expectation import wait_at
from pointsman.routing.hosts import Fleet
from pointsman.routing.live import LiveBook
from pointsman.routing.pool import Member, Pick, Pool, Strategy
from pointsman.routing.recovery import Recovery
from pointsman.routing.rules.narrow import permitted, preferred
from pointsman.routing.settings import RoutingSettings
from pointsman.routing.strategies import STRATEGIES
from pointsman.routing.table import RoutingTable
from pointsman.routing.wish import Wish

__all__ = ["Router"]

_POOLS_MAX: Final = 16_384


class Router:
    """``lives`` and ``fleet`` outlive tables and changes of the settings. ``draw`` gives numbers in [0, 1)."""

    def __init__(
        self, table: RoutingTable, settings: RoutingSettings | None = None, draw: Callable[[], float] = draw
    ) -> None:
        self.lives = LiveBook()
        self.fleet = Fleet()
        self.settings = settings or RoutingSettings()
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
        self._pools, self._strategies = {}, {}

    def pool(self, name: str) -> Pool | None:
        """The deployments that serve ``name``; None: nobody does."""
        return self._pools.get(name) or self._gather(name)

    def choose(
        self,
        pool: Pool,
        wish: Wish,
        now: float,
        tried: Collection[str] = (),
        dropped: list[tuple[Member, str]] | None = None,
    ) -> Pick:
        """The deployment that serves the request, one that was not ``tried`` (ids) if there is one, and why.

        Those that do not come into question are added to ``dropped``, each with its reason.

        Raises:
            LimitReached: all of them rest.
            Forbidden, Malformed: none meets what is demanded.
        """
        demands = wish.demands
        if demands is not None:
            pool = permitted(pool, demands, wish, dropped)
        if pool.only is not None:
            return pool.only, "only"
        found = candidates(pool, wish, now, tried, dropped)
        if not found:
            seconds = min(member.live.rests_until for member in pool.members) - now
            raise LimitReached(
                f"No deployment of {pool.name!r} is available: all of them failed lately and rest.",
                hint=f"Try again in {seconds:.0f} s.",
                retry_after=max(seconds, 1.0),
                code="no_deployments_available",
            )
        strategy = pool.strategy
        if demands is not None:
            found = preferred(found, demands, wish, now, dropped)
            strategy = self._strategy(pool, demands.strategy) if demands.strategy else strategy
        return (found[0], "only") if len(found) == 1 else strategy.pick(found, wish, now)

    def wait(self, pool: Pool, now: float) -> float:
        """Seconds that a request would have to wait for the first of the pool to be had."""
        return min(wait_at(member, now).total for member in pool.members)

    def failed(self, member: Member, pool: Pool, error: GatewayError, now: float) -> None:
        """A call to ``member`` has failed."""
        blame(member, error, self.settings, now, alone=pool.only is not None)

    def recovery(self, rules: RoutingRules | None, asked: str) -> Recovery:
        """What may be tried for a request for the model ``asked`` that has failed for the first time."""
        return Recovery(self.settings, rules or NO_ROUTING_RULES, asked, self._draw)

    def _gather(self, name: str) -> Pool | None:
        group = self._table.resolve(name)
        if group is None:
            return None
        members = tuple(self._member(deployment) for deployment in group.deployments)
        strategy = STRATEGIES[self.settings.strategy](self._draw)
        pool = Pool(group.name, members, strategy, members[0] if len(members) == 1 else None)
        if len(self._pools) >= _POOLS_MAX:
            self._pools.clear()
        self._pools[name] = pool
        return pool

    def _strategy(self, pool: Pool, name: str) -> Strategy:
        """Another strategy for a pool than its own; it remembers its picks as that one does."""
        strategies = self._strategies.setdefault(pool.name, {})
        strategy = strategies.get(name)
        if strategy is None:
            strategy = strategies[name] = STRATEGIES[name](self._draw)
        return strategy

    def _member(self, deployment: Deployment) -> Member:
        return Member(deployment, self.lives.of(deployment), self.fleet.of(deployment))
