"""Who waits for the local servers, and who runs there: all of it for the operator, to a key only what is its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pointsman.admin.models.description import address_without_secrets
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.routing.hosts import Host
from pointsman.routing.queue import HostQueue, Ticket

__all__ = ["HostQueueRow", "KeyQueueRow", "OwnRequestRow", "QueueCounts", "QueueReply", "queue"]


class QueueCounts(msgspec.Struct):
    """Requests that run and that wait."""

    running: int = 0
    waiting: int = 0


class KeyQueueRow(msgspec.Struct, frozen=True):
    """The same of one key; ``token`` is its digest."""

    token: str
    key_alias: str | None
    running: int
    waiting: int


class HostQueueRow(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One local server. ``slots`` null: it is sent as many requests at once as come.

    ``running`` and ``waiting`` count what all workers and replicas have there, ``running_elsewhere`` and
    ``waiting_elsewhere`` how much of it is that of others than the one that answers, as it heard a moment
    ago; everything else is of the one that answers. ``oldest_wait_seconds`` is how long the one has waited that came
    first, ``seconds_per_request`` what a request takes there on average. ``models`` are by the name that clients know.
    ``server_running`` and ``server_waiting`` are what the server says of itself, where it does.
    """

    url: str
    kind: str
    online: bool
    slots: int | None
    queue_max: int
    running: int
    waiting: int
    oldest_wait_seconds: float
    seconds_per_request: float
    models: dict[str, QueueCounts]
    keys: tuple[KeyQueueRow, ...]
    loaded: tuple[str, ...]
    server_running: int | None = None
    server_waiting: int | None = None
    running_elsewhere: int = 0
    waiting_elsewhere: int = 0


class OwnRequestRow(msgspec.Struct, frozen=True):
    """A request of the caller's. ``ahead`` is how many go before it, as it looks now."""

    model: str
    waits: bool
    seconds: float
    ahead: int


class QueueReply(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What runs and waits. ``hosts`` is for the operator; ``requests``, those of one process, for any other key."""

    running: int
    waiting: int
    hosts: tuple[HostQueueRow, ...] = ()
    requests: tuple[OwnRequestRow, ...] = ()


async def queue(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """Who waits for what, and for how long already."""
    now = office.clock.monotonic()
    hosts = office.local_hosts()
    if visit.caller.admin:
        rows = tuple(_row(host, now) for host in hosts)
        return Answer(
            QueueReply(running=sum(row.running for row in rows), waiting=sum(row.waiting for row in rows), hosts=rows)
        )
    own = tuple(
        row for host in hosts if host.queue is not None for row in _own(host.queue, visit.caller.record.token, now)
    )
    waiting = sum(row.waits for row in own)
    return Answer(QueueReply(running=len(own) - waiting, waiting=waiting, requests=own))


def _row(host: Host, now: float) -> HostQueueRow:
    line = host.queue
    running = () if line is None else line.started()
    waiting = () if line is None else tuple(line.waiters())
    uses = host.elsewhere.values()
    running_elsewhere = sum(sum(use.running.values()) for use in uses)
    waiting_elsewhere = sum(sum(use.waiting.values()) for use in uses)
    models: dict[str, QueueCounts] = {}
    for ticket in running:
        models.setdefault(ticket.group, QueueCounts()).running += 1
    for ticket in waiting:
        models.setdefault(ticket.group, QueueCounts()).waiting += 1
    return HostQueueRow(
        url=address_without_secrets(host.url),
        kind=host.kind,
        online=host.online,
        slots=host.slots,
        queue_max=host.queue_max,
        running=len(running) + running_elsewhere,
        waiting=len(waiting) + waiting_elsewhere,
        oldest_wait_seconds=max((now - ticket.entered_at for ticket in waiting), default=0.0),
        seconds_per_request=0.0 if line is None else line.seconds,
        models=models,
        keys=_keys(running, waiting),
        loaded=tuple(sorted(host.loaded)),
        server_running=host.others_running,
        server_waiting=host.others_waiting,
        running_elsewhere=running_elsewhere,
        waiting_elsewhere=waiting_elsewhere,
    )


def _keys(running: Sequence[Ticket], waiting: Iterable[Ticket]) -> tuple[KeyQueueRow, ...]:
    counts: dict[tuple[str, str | None], QueueCounts] = {}
    for ticket in running:
        counts.setdefault((ticket.key, ticket.alias), QueueCounts()).running += 1
    for ticket in waiting:
        counts.setdefault((ticket.key, ticket.alias), QueueCounts()).waiting += 1
    return tuple(KeyQueueRow(*key, each.running, each.waiting) for key, each in counts.items())


def _own(line: HostQueue, token: str, now: float) -> Iterable[OwnRequestRow]:
    for ticket in line.started():
        if ticket.key == token:
            yield OwnRequestRow(ticket.group, waits=False, seconds=now - ticket.started_at, ahead=0)
    for ticket in line.waiters():
        if ticket.key == token:
            ahead = line.ahead_of(ticket, now)
            yield OwnRequestRow(ticket.group, waits=True, seconds=now - ticket.entered_at, ahead=ahead)
