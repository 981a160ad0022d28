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
from pointsman.routing.hosts import Fleet
from pointsman.routing.live import LiveBook
from pointsman.routing.pool import Member, Pick, Pool
from pointsman.routing.recovery import Recovery
from pointsman.routing.settings import RoutingSettings
from pointsman.routing.strategies import STRATEGIES
from pointsman.routing.table import RoutingTable
from pointsman.routing.wish import Wish

__all__ = ["Router"]

_POOLS_MAX: Final = 16_384


class Router:
    """``lives`` and ``fleet`` outlive tables and changes of the settings. ``draw`` gives numbers in [0, 1).

    ``is_full`` tells of deployments for which the gateway has no place; None: it has no bounds for any.
    """

    def __init__(
        self, table: RoutingTable, settings: RoutingSettings | None = None, draw: Callable[[], float] = draw
    ) -> None:
        self.lives = LiveBook()
        self.fleet = Fleet()
        self.settings = settings or RoutingSettings()
        self.is_full: Callable[[Deployment], bool] | None = None
        self._draw = draw
        self._table = table
        self._pools: dict[str, Pool] = {}

    @property
    def table(self) -> RoutingTable:
        """What there is to route to."""
        return self._table

    def follow(self, table: RoutingTable, settings: RoutingSettings | None = None) -> None:
        """Take over a new table, and new settings if there are any."""
        self._table = table
        self.settings = settings or self.settings
        self._pools = {}

    def pool(self, name: str) -> Pool | None:
        """The deployments that serve ``name``; None: nobody does."""
        return self._pools.get(name) or self._gather(name)

    def choose(self, pool: Pool, wish: Wish, now: float, tried: Collection[str] = ()) -> Pick:
        """The deployment that serves the request, one that was not ``tried`` (ids) if there is one, and why.

        Raises:
            LimitReached: all of them rest.
        """
        if pool.only is not None:
            return pool.only, "only"
        found = candidates(pool, wish, now, tried)
        if not found:
            seconds = min(member.live.rests_until for member in pool.members) - now
            raise LimitReached(
                f"No deployment of {pool.name!r} is available: all of them failed lately and rest.",
                hint=f"Try again in {seconds:.0f} s.",
                retry_after=max(seconds, 1.0),
                code="no_deployments_available",
            )
        if self.is_full is not None:
            found = [member for member in found if not self.is_full(member.deployment)] or found
        return (found[0], "only") if len(found) == 1 else pool.strategy.pick(found, wish, now)

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

    def _member(self, deployment: Deployment) -> Member:
        return Member(deployment, self.lives.of(deployment), self.fleet.of(deployment))
