"""A turn at a local server for what is no request for a model group: a provider's own API, a spoken conversation."""

from __future__ import annotations

from math import inf

from pointsman.core.errors import Unreachable
from pointsman.core.upstream import Ask, Deployment
from pointsman.lifecycle.calling import enter, leave
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.tickets import ticket_of
from pointsman.lifecycle.turn import demand_room, send_away, wait_for_turn
from pointsman.routing.hosts import Host
from pointsman.routing.queue import Ticket

__all__ = ["Visit"]


class Visit:
    """From :meth:`begin` until :meth:`end` it has one of the host's slots, if it could have one."""

    def __init__(self, settlement: Settlement) -> None:
        self._settlement = settlement
        self._host: Host | None = None
        self._ticket: Ticket | None = None

    async def begin(self, ask: Ask, deployment: Deployment, patience_seconds: float = inf) -> None:
        """Wait for a slot of the deployment's host, and wake the host if it sleeps; nothing where it is no local one.

        Nobody waits longer than ``patience_seconds``.

        Raises:
            LimitReached: too many wait there already, or it took too long.
            Unreachable: it does not wake, or went away meanwhile.
        """
        house = self._settlement.house
        fleet = house.router.fleet
        host = fleet.of(deployment)
        if host is None:
            return
        queue = fleet.queue_of(host)
        ticket = ticket_of(ask, self._settlement, host, deployment.model, deployment.group)
        ticket.expires_at = min(ticket.expires_at, ticket.entered_at + patience_seconds)
        if queue.slots is not None:
            demand_room(ticket, queue, house.router.lives.of(deployment).latency)
        self._host, self._ticket = host, ticket
        if not enter(fleet, host, ticket):
            await wait_for_turn(ticket, self._settlement, None)
        host.used_at = house.clock.monotonic()
        if host.wake is not None and not host.online:
            await house.waker.rouse(host, deployment, house.manners.keepalive_seconds, _say_nothing)

    def failed(self, error: Exception) -> None:
        """It went wrong; a host that cannot be reached is away for everybody."""
        host, ticket = self._host, self._ticket
        if isinstance(error, Unreachable) and host is not None and ticket is not None and ticket.started_at:
            host.went_away()
            send_away(host)

    def end(self) -> None:
        """Let go of the slot, or of the place in the line. A second time does nothing."""
        host, ticket = self._host, self._ticket
        self._host = self._ticket = None
        if host is not None and ticket is not None:
            house = self._settlement.house
            leave(house.router.fleet, host, ticket, house.clock.monotonic())


def _say_nothing() -> None:
    """Nobody can be told anything while they wait."""
