"""Places at a local server: taking one, giving it up, and calling those whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.routing.hosts import Fleet, Host
from pointsman.routing.queue import HostQueue, Ticket

__all__ = ["call", "enter", "leave"]


def call(queue: HostQueue, tickets: Iterable[Ticket]) -> None:
    """Tell those who waited that it is their turn; each runs on at once.

    One that has done already when it has run makes room for the next, and so on: these are told one after the other
    and not each from within the one before it, or a long line would end as a stack overflow.
    """
    queue.called.extend(tickets)
    if queue.is_calling:
        return
    queue.is_calling = True
    try:
        while queue.called:
            bell = queue.called.popleft().bell
            if bell is not None:
                bell.put(True)
    finally:
        queue.is_calling = False


def enter(fleet: Fleet, host: Host, ticket: Ticket) -> bool:
    """Take a place at a host; True: it may run at once."""
    queue = fleet.queue_of(host)
    if queue.enter(ticket, ticket.entered_at):
        return True
    if fleet.sharing is not None and queue.is_shared:
        fleet.sharing.changed(host)
    return ticket.started_at > 0.0


def leave(fleet: Fleet, host: Host, ticket: Ticket, now: float) -> None:
    """Give up a place, waiting or running, and tell those whose turn it is."""
    queue = fleet.queue_of(host)
    call(queue, queue.leave(ticket, now))
    if fleet.sharing is not None and queue.is_shared and queue.slots is not None:
        fleet.sharing.changed(host)
