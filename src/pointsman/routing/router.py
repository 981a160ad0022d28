"""Names to pools, and pools to one deployment. The one object of routing that the story talks to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from pointsman.core.clock import draw
from pointsman.core.errors import GatewayError, LimitReached
from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules
from pointsman.core.upstream import Deployment
from pointsman.routing.budget import RetryBudget
from pointsman.routing.candidates import candidates
from pointsman.routing.cooldown import blame
from pointsman.routing.credentials import CredentialBook
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
    """``draw`` gives numbers in [0, 1).

    ``lives``, ``fleet``, ``credentials`` and ``budget`` outlive tables and changes of the settings.
    """

    def __init__(
        self, table: RoutingTable, settings: RoutingSettings | None = None, draw: Callable[[], float] = draw
    ) -> None:
        self.lives = LiveBook()
        self.fleet = Fleet()
        self.credentials = CredentialBook()
        self.settings = settings or RoutingSettings()
        self.budget = RetryBudget(self.settings.retry_budget)
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
        self.budget.share = self.settings.retry_budget
        self._pools = {}

    def pool(self, name: str) -> Pool | None:
        """The deployments that serve ``name``; None: nobody does."""
        return self._pools.get(name) or self._gather(name)

    def choose(self, pool: Pool, wish: Wish, now: float, tried: Collection[str] = ()) -> Pick:
        """The deployment that serves the request, one that was not ``tried`` (ids) if there is one, and why.

        Where others find out just now whether those that have rested are well, and nobody else is there, it does not
        wait for that.

        Raises:
            LimitReached: all of them rest.
        """
        if pool.only is not None:
            pool.only.probe(now)
            return pool.only, "only"
        found = candidates(pool, wish, now, tried) or [one for one in pool.members if one.rests_until <= now]
        pick = None if found else _resting(pool, now)
        if pick is None:
            pick = (found[0], "only") if len(found) == 1 else pool.strategy.pick(found, wish, now)
        pick[0].probe(now)
        return pick

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
        blame(member, error, self.settings, sent_at, now)

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
        members = tuple(self._member(deployment) for deployment in group.deployments)
        strategy = STRATEGIES[self.settings.strategy](self._draw)
        pool = Pool(group.name, members, strategy, members[0] if len(members) == 1 else None)
        if len(self._pools) >= _POOLS_MAX:
            self._pools.clear()
        self._pools[name] = pool
        return pool

    def _member(self, deployment: Deployment) -> Member:
        credential = self.credentials.of(deployment)
        return Member(deployment, self.lives.of(deployment), self.fleet.of(deployment), credential)


def _resting(pool: Pool, now: float) -> Pick:
    """What to do where all rest: a machine of one's own is tried all the same, the one that rests least long.

    Raises:
        LimitReached: there is none.
    """
    own = [member for member in pool.members if member.deployment.local]
    if not own:
        raise _none_available(pool, now)
    return min(own, key=lambda member: member.live.rests_until), "resting"


def _none_available(pool: Pool, now: float) -> LimitReached:
    seconds = max(1.0, min(member.rests_until for member in pool.members) - now)
    return LimitReached(
        f"No deployment of {pool.name!r} is available: all of them failed lately and rest.",
        hint=f"Try again in {seconds:.0f} s.",
        retry_after=seconds,
        code="no_deployments_available",
    )
