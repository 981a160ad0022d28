"""Calls those whose turn it is at a local server."""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.routing.queue import HostQueue, Ticket

__all__ = ["call"]


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
