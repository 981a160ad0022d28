"""Whose turn it is at a local server that takes only so many requests at once. Pure: moments are given as arguments.

Who goes next, of those who wait:

1. the most important: interactive before batch, then by ``priority``, the lower number first. Waiting makes important:
   every ``ageing_seconds`` count for one step, so that nobody waits for ever;
2. of these, who wants the model that the server was last sent, as another one may have to be loaded first. That lasts
   until somebody who wants another has been passed over for ``group_wait_seconds``, or nobody wants it any more; then
   one in the server's memory is taken before one that is not, with the same bound;
3. of these, the key that has had the least of the server's time, in proportion to its weight;
4. of these, who came first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Final

import msgspec

from pointsman.core.eager import Inbox

__all__ = ["BATCH_STEPS", "PRIORITY_MAX", "WAIT_BUCKETS", "HostQueue", "QueueRules", "Ticket"]

PRIORITY_MAX: Final = 255
BATCH_STEPS: Final = 60
"""So many steps of priority batch stands behind interactive: ten minutes of waiting, at ten seconds a step."""
WAIT_BUCKETS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 420.0, 600.0,
)  # fmt: skip
"""Upper bounds in seconds of what is counted of waiting times."""
_SECONDS_ASSUMED: Final = 1.0
"""How long a request takes while none has ended."""
_NEWS_SHARE: Final = 0.2
_ACCOUNTS_MAX: Final = 1024

_Bucket = tuple[int, str, str]
"""Steps of importance it lacks, model, key."""


class QueueRules(msgspec.Struct, frozen=True):
    """What holds for the queues of all hosts, see above. ``default_priority`` is that of who says none.

    Nobody waits longer than ``wait_seconds_max``, whatever its client says.
    """

    group_wait_seconds: float = 30.0
    ageing_seconds: float = 10.0
    default_priority: int = 0
    wait_seconds_max: float = 1800.0


class Ticket(msgspec.Struct, eq=False):
    """One request's place. ``model`` is its name at the server, ``group`` the one that clients know, ``key`` a digest.

    ``expires_at`` is when its client gives up. ``bell`` is where it waits to be called, if it waits. ``started_at`` is
    when it had its turn, 0: not yet.
    """

    model: str
    group: str
    key: str
    entered_at: float
    alias: str | None = None
    priority: int = 0
    batch: bool = False
    weight: float = 1.0
    expires_at: float = inf
    bell: Inbox[bool] | None = None
    started_at: float = 0.0
    number: int = 0
    charged: float = 0.0

    @property
    def steps(self) -> int:
        """By how many steps it stands behind the most important ones, before it has waited."""
        return self.priority + BATCH_STEPS if self.batch else self.priority


class HostQueue:
    """Who runs at one host and who waits for it.

    ``slots`` is how many may run at once, None: all. ``running`` and ``waiting`` count by model, for others to read.
    ``is_loaded`` tells whether a model is in the host's memory. ``called`` are those whose turn it is and who are still
    to be told, ``is_calling`` whether somebody is about to.

    Where other processes send requests there, too, each slot is asked for (``is_shared``) and this one runs no more
    than were granted; ``running_elsewhere`` and ``waiting_elsewhere`` are theirs, as far as that was heard. ``part``
    is how many this process takes while nobody can be asked.
    """

    __slots__ = (
        "_accounts",
        "_buckets",
        "_count",
        "_granted",
        "_is_loaded",
        "_model",
        "_numbers",
        "_of_key",
        "_started",
        "_turned_at",
        "_virtual",
        "called",
        "is_calling",
        "is_shared",
        "part",
        "rules",
        "running",
        "running_elsewhere",
        "seconds",
        "slots",
        "wait_counts",
        "wait_seconds",
        "waiting",
        "waiting_elsewhere",
        "waiting_max",
    )

    def __init__(
        self,
        running: dict[str, int],
        waiting: dict[str, int],
        *,
        slots: int | None = None,
        waiting_max: int = 512,
        rules: QueueRules | None = None,
        is_loaded: Callable[[str], bool] = lambda _model: False,
    ) -> None:
        self.running = running
        self.waiting = waiting
        self.slots = slots
        self.waiting_max = waiting_max
        self.rules = rules or QueueRules()
        self.seconds = 0.0
        self.wait_counts = [0] * (len(WAIT_BUCKETS) + 1)
        self.wait_seconds = 0.0
        self.called: deque[Ticket] = deque()
        self.is_calling = False
        self.is_shared = False
        self.part: int | None = None
        self.running_elsewhere = self.waiting_elsewhere = 0
        self._granted = 0
        self._is_loaded = is_loaded
        self._started: dict[Ticket, None] = {}
        self._buckets: dict[_Bucket, dict[Ticket, None]] = {}
        self._count = 0
        self._numbers = 0
        self._of_key: dict[str, int] = {}
        self._accounts: dict[str, float] = {}
        self._model = ""
        self._turned_at = 0.0
        self._virtual = 0.0

    @property
    def depth(self) -> int:
        """How many wait."""
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether one more would be turned away."""
        return self._count + self.waiting_elsewhere >= self.waiting_max and not self.is_free

    @property
    def is_free(self) -> bool:
        """Whether one more would have its turn at once, as far as that is known."""
        if self._count or self.slots is None:
            return not self._count
        if self.is_shared:
            return not self.waiting_elsewhere and len(self._started) + self.running_elsewhere < self.slots
        return self._has_room

    @property
    def turn(self) -> tuple[str, float]:
        """The model that the host was last sent, and since when."""
        return self._model, self._turned_at

    def started(self) -> Sequence[Ticket]:
        """Who runs, the longest first."""
        return tuple(self._started)

    def waiters(self) -> Iterator[Ticket]:
        """Who waits, in no order."""
        for bucket in self._buckets.values():
            yield from bucket

    # -- coming and going ------------------------------------------------------------------------------

    def enter(self, ticket: Ticket, now: float) -> bool:
        """Take a place; True: it may run at once. There must be room, see :attr:`is_full`."""
        self._numbers += 1
        ticket.number = self._numbers
        self._join(ticket.key)
        if self._has_room and not self._count:
            self._start(ticket, now)
            return True
        self._buckets.setdefault(_bucket_of(ticket), {})[ticket] = None
        self._count += 1
        _add(self.waiting, ticket.model, 1)
        return False

    def leave(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        """Give up a place, waiting or running; gives those whose turn it is now. A second time does nothing."""
        if ticket in self._started:
            del self._started[ticket]
            _add(self.running, ticket.model, -1)
            self._settle(ticket, now - ticket.started_at)
        elif not self._take(ticket):
            return ()
        self._part(ticket.key)
        return self.advance(now)

    def advance(self, now: float) -> Sequence[Ticket]:
        """Start those for whom there is room, and give them."""
        called: list[Ticket] = []
        while self._count and self._has_room:
            ticket = self._next(now)
            self._take(ticket)
            self._start(ticket, now)
            called.append(ticket)
        return called

    # -- beside other processes ------------------------------------------------------------------------

    def grant(self, number: int, now: float) -> Sequence[Ticket]:
        """Let so many more run; gives those whose turn it is. What nobody here wants any more is let go of."""
        self._granted = number
        try:
            return self.advance(now)
        finally:
            self._granted = 0

    def heard_turn(self, model: str, turned_at: float) -> None:
        """The host was last sent this model, at that moment, by whatever process."""
        if turned_at > self._turned_at or model == self._model:
            self._model, self._turned_at = model, turned_at

    def head(self, now: float) -> tuple[Ticket, int] | None:
        """Whose turn is next, and by how many steps it stands behind by now; None: nobody waits."""
        if not self._count:
            return None
        ticket = self._next(now)
        return ticket, self._steps(ticket, ticket.steps, now)

    # -- estimates -------------------------------------------------------------------------------------

    def ahead(self, steps: int, now: float) -> int:
        """How many of those who wait are at least as important as one who comes now, ``steps`` behind."""
        return sum(
            len(bucket)
            for key, bucket in self._buckets.items()
            if self._steps(next(iter(bucket)), key[0], now) <= steps
        )

    def ahead_of(self, ticket: Ticket, now: float) -> int:
        """How many of those who wait go before one of them, as far as that can be told: those at least as important."""
        own = self._steps(ticket, ticket.steps, now)
        return sum((self._steps(each, each.steps, now), each.number) < (own, ticket.number) for each in self.waiters())

    def wait_estimate(self, ahead: int, seconds: float = 0.0) -> float:
        """Seconds until it is the turn of who has so many ``ahead``; ``seconds`` is a call's where none ended here."""
        if self.slots is None:
            return 0.0
        return (ahead + self.waiting_elsewhere + 1) * (self.seconds or seconds or _SECONDS_ASSUMED) / max(self.slots, 1)

    # -- the order -------------------------------------------------------------------------------------

    def _next(self, now: float) -> Ticket:
        heads = [(self._steps(head, key[0], now), head) for key, head in self._heads()]
        least = min(steps for steps, _ in heads)
        peers = [head for steps, head in heads if steps == least]
        same = [head for head in peers if head.model == self._model]
        loaded = same or [head for head in peers if self._is_loaded(head.model)]
        if loaded:
            models = {head.model for head in loaded}
            latest = now - self.rules.group_wait_seconds
            overdue = [head for head in peers if head.model not in models and self._passed_over(head) <= latest]
            peers = overdue or loaded
        accounts = self._accounts
        return min(peers, key=lambda head: (accounts[head.key], head.number))

    def _passed_over(self, ticket: Ticket) -> float:
        """Since when others go before it for the sake of the model that is the server's now."""
        return max(ticket.entered_at, self._turned_at)

    def _heads(self) -> Iterator[tuple[_Bucket, Ticket]]:
        for key, bucket in self._buckets.items():
            yield key, next(iter(bucket))

    def _steps(self, ticket: Ticket, steps: int, now: float) -> int:
        """By how many steps it stands behind now that it has waited."""
        return max(0, steps - int((now - ticket.entered_at) / self.rules.ageing_seconds)) if steps else 0

    # -- what is kept ----------------------------------------------------------------------------------

    @property
    def _has_room(self) -> bool:
        if self.slots is None:
            return True
        if self.is_shared:
            return self._granted > 0
        return len(self._started) < (self.slots if self.part is None else min(self.part, self.slots))

    def _start(self, ticket: Ticket, now: float) -> None:
        ticket.started_at = now
        if self._granted:
            self._granted -= 1
        self._started[ticket] = None
        _add(self.running, ticket.model, 1)
        if ticket.model != self._model:
            self._model, self._turned_at = ticket.model, now
        ticket.charged = (self.seconds or _SECONDS_ASSUMED) / ticket.weight
        self._virtual = self._accounts[ticket.key]
        self._accounts[ticket.key] += ticket.charged
        waited = now - ticket.entered_at
        self.wait_counts[bisect_left(WAIT_BUCKETS, waited)] += 1
        self.wait_seconds += waited

    def _take(self, ticket: Ticket) -> bool:
        """Take it out of those who wait; False: it did not."""
        key = _bucket_of(ticket)
        bucket = self._buckets.get(key)
        if bucket is None or ticket not in bucket:
            return False
        del bucket[ticket]
        if not bucket:
            del self._buckets[key]
        self._count -= 1
        _add(self.waiting, ticket.model, -1)
        return True

    def _settle(self, ticket: Ticket, seconds: float) -> None:
        """Charge what was really used in place of what was assumed."""
        self._accounts[ticket.key] += seconds / ticket.weight - ticket.charged
        self.seconds = self.seconds + _NEWS_SHARE * (seconds - self.seconds) if self.seconds else seconds

    def _join(self, key: str) -> None:
        """A key has one more here. One that comes anew stands where the last one stood when it had its turn."""
        there = self._of_key.get(key, 0)
        self._of_key[key] = there + 1
        if there:
            return
        accounts = self._accounts
        least = min((accounts[other] for other in self._of_key if other != key), default=0.0)
        least = min(least, self._virtual)
        accounts[key] = max(accounts.get(key, least), least)

    def _part(self, key: str) -> None:
        left = self._of_key[key] - 1
        if left:
            self._of_key[key] = left
            return
        del self._of_key[key]
        if not self._of_key:
            self._accounts.clear()
            self._virtual = 0.0
        elif len(self._accounts) >= _ACCOUNTS_MAX + len(self._of_key):
            self._accounts = {kept: self._accounts[kept] for kept in self._of_key}


def _bucket_of(ticket: Ticket) -> _Bucket:
    return ticket.steps, ticket.model, ticket.key


def _add(counts: dict[str, int], model: str, more: int) -> None:
    number = counts.get(model, 0) + more
    if number:
        counts[model] = number
    else:
        counts.pop(model, None)
