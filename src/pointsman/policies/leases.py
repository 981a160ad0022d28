"""What one process has of the accounts that replicas share: units at hand, and what it owes the others.

A lease is handed out without asking anybody; :mod:`pointsman.policies.lease_book` sees to it that there is something to
hand out. Windows (requests and tokens of a minute or a day) and what is held (slots, money) differ in what happens to
units afterwards.
"""

from __future__ import annotations

from math import ceil
from typing import Final, Literal, Protocol

import msgspec

from pointsman.stores.shared_limits import Answer, Deal, Trade, Used

__all__ = ["LEASE_SECONDS", "Counts", "Holding", "Lease", "Purse", "Take", "Window"]

Counts = Literal["requests", "tokens", "input", "output", "slots", "money"]

LEASE_SECONDS: Final = 2
"""For so long units of a window may be handed out after they were granted, and so long beyond the window they count."""

_MOMENTS_MAX: Final = 60
"""A window is divided into so many moments, of a second at least."""
_SINGLES_MIN: Final = 4
"""Units are kept in advance only where they are enough for so many requests."""
_LOW: Final = 0.5


class Lease:
    """One account, as this process has it; ``limit`` is what all may use together.

    ``free`` are units at hand, ``wish`` how many there should be for the next ``LEASE_SECONDS``, by what was used of
    late, and ``keeps`` how many may be kept while nobody asks for them, by what is left for the others. ``is_due`` says
    that the store is to be told something; ``told_at`` is the monotonic second at which it last was.
    """

    __slots__ = (
        "_measured_at", "_rate", "_single", "_used", "counts", "free", "is_due", "keeps", "limit", "name", "told_at",
        "wish",
    )  # fmt: skip

    def __init__(self, name: str, limit: int, counts: Counts) -> None:
        self.name = name
        self.limit = limit
        self.counts = counts
        self.free = 0
        self.wish = 0
        self.keeps = 0
        self.is_due = False
        self.told_at = 0.0
        self._used = 0
        self._rate = 0.0
        self._single = 1
        self._measured_at = 0.0

    @property
    def is_low(self) -> bool:
        """Whether it is time for more, so that nobody has to wait for it."""
        return self.free < min(self.wish, self.keeps) * _LOW

    @property
    def is_scarce(self) -> bool:
        """Whether so little is left that what one gives back another may be waiting for."""
        return self.keeps < _SINGLES_MIN * self._single

    def _see(self, deal: Deal, idle: int, replicas: int) -> None:
        """Reckon what may be kept, as the store does: each has a part of what is left, and half of all is left."""
        left = self.limit - deal.used + deal.granted + idle
        self.keeps = max(left, 0) // (2 * replicas)
        if self.free > self.keeps:
            self.is_due = True

    def _expect(self, single: int, now: float) -> None:
        """Reckon what will be used next from what was used of late; little is left: nothing in advance."""
        since = now - self._measured_at
        if since >= 1.0:
            self._rate = self._used / since
            self._used, self._measured_at = 0, now
        else:
            self._rate = max(self._rate, float(self._used))
        self._single = single or self._single
        self.told_at = now
        self.wish = 0 if self.is_scarce else ceil(self._rate * LEASE_SECONDS)


class Window(Lease):
    """Units over a stretch of time. ``until`` is the monotonic second up to which those at hand may be handed out.

    ``granted`` is what the store counts for this process, and ``changes`` what it does not know yet, by the moment.
    """

    __slots__ = ("_sent", "changes", "grain", "granted", "moment", "moments", "until")

    def __init__(self, name: str, limit: int, counts: Counts, seconds: int) -> None:
        super().__init__(name, limit, counts)
        self.grain = max(1, seconds // _MOMENTS_MAX)
        # The moment that has begun, and those in which units may still be handed out that were granted before it.
        self.moments = seconds // self.grain + 1 + ceil(LEASE_SECONDS / self.grain)
        self.moment = 0
        self.until = 0.0
        self.granted: dict[int, int] = {}
        self.changes: dict[int, int] = {}
        self._sent: dict[int, int] = {}

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember. What was granted is forgotten as it stops to count."""
        return not (self.free or self.changes or self.granted)

    def has(self, units: int, now: float) -> bool:
        """Whether so many are at hand."""
        return self.free >= units and now < self.until

    def take(self, units: int) -> int:
        """Hand out units that are at hand; gives the moment in which they count."""
        self.free -= units
        self._used += units
        return self.moment

    def force(self, units: int, moment: int) -> int:
        """Count units that the store was not asked for."""
        self._used += units
        self.more(units, moment)
        return moment

    def more(self, units: int, moment: int) -> None:
        """Count units besides, negative ones as given back."""
        self.changes[moment] = self.changes.get(moment, 0) + units
        self.granted[moment] = self.granted.get(moment, 0) + units
        self.is_due = True

    def trade(self, need: int, single: int, now: float, store_now: float, *, leases: bool) -> Trade:
        """What to tell the store, and to ask of it: ``need`` units more than there are, the largest request's."""
        self._expect(single, now)
        keeps = min(self.free, max(self.wish, need), max(self.keeps, need)) if leases and now < self.until else 0
        if self.free > keeps:
            self.more(keeps - self.free, self.moment)
            self.free = keeps
        self.forget(store_now)
        self.is_due = False
        self._sent, self.changes = self.changes, {}
        return Trade(
            account=self.name,
            limit=self.limit,
            grain=self.grain,
            moments=self.moments,
            need=max(need - self.free, 0),
            single=single,
            wish=max(self.wish - self.free, 0) if leases else 0,
            kept=self.free,
            kept_at=self.moment,
            changes=tuple(self._sent.items()),
        )

    def dealt(self, trade: Trade, deal: Deal, asked_at: float, answer: Answer) -> None:
        """The store has done the trade. Units count from the moment of its answer."""
        moment = self.moment_of(answer.now)
        if trade.kept and trade.kept_at < moment:
            self._add(trade.kept_at, -trade.kept)
            self._add(moment, trade.kept)
        self._add(moment, deal.granted)
        self.free += deal.granted
        self.moment = moment
        self.until = asked_at + LEASE_SECONDS
        self._sent = {}
        self._see(deal, trade.kept, answer.replicas)

    def lost(self) -> None:
        """It is not known whether the store did the trade: what it may have taken back is not given back again."""
        for moment, units in self._sent.items():
            if units > 0:
                self.changes[moment] = self.changes.get(moment, 0) + units
        self._sent = {}

    def moment_of(self, store_now: float) -> int:
        """The moment at the store's time."""
        return int(store_now) // self.grain

    def recall(self, store_now: float) -> Used:
        """What a store that has forgotten everything is to count for this process."""
        self.forget(store_now)
        self.changes, self._sent = {}, {}
        units = tuple((moment, units) for moment, units in self.granted.items() if units > 0)
        return Used(self.name, self.grain, self.moments, units)

    def _add(self, moment: int, units: int) -> None:
        if units:
            self.granted[moment] = self.granted.get(moment, 0) + units

    def forget(self, store_now: float) -> None:
        """Forget units that count no more."""
        first = self.moment_of(store_now) - self.moments + 1
        if any(at < first for at in self.granted):
            self.granted = {at: units for at, units in self.granted.items() if at >= first}
        if any(at < first for at in self.changes):
            self.changes = {at: units for at, units in self.changes.items() if at >= first}


class Purse(Protocol):
    """Whoever spends: ``spent`` counts what is settled, ``known`` the part of it that the database told of.

    What it was told must be all that the database has, and not a sum of what this process knows to be there: only then
    does it hold what other replicas spent.
    """

    @property
    def spent(self) -> int:
        """Picodollars."""
        ...

    @property
    def known(self) -> int:
        """Picodollars."""
        ...


class Holding(Lease):
    """What is held until it is let go: ``in_use`` by requests, and of money ``settled``, which the database lacks.

    ``spent`` is what the database says of the account; both are the ``purse``'s, where there is one. The store is
    always told all of it, but for the database's spending where this process is ``away``: it has not spent anything
    lately, and what it knows may grow old.
    """

    __slots__ = ("away", "in_use", "purse", "settled", "spent")

    def __init__(self, name: str, limit: int, counts: Counts) -> None:
        super().__init__(name, limit, counts)
        self.in_use = 0
        self.settled = 0
        self.spent = 0
        self.purse: Purse | None = None
        self.away = True

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.free or self.in_use or self.settled)

    @property
    def is_behind(self) -> bool:
        """Whether money was spent, or brought to the database, that the store was not told of."""
        purse = self.purse
        if purse is None or self.away:
            return False
        return purse.known != self.spent or purse.spent != self.spent + self.settled

    def has(self, units: int, now: float) -> bool:
        """Whether so many are at hand."""
        return self.free >= units

    def take(self, units: int) -> int:
        """Hand out units that are at hand."""
        self.free -= units
        self.in_use += units
        self._used += units
        self.away = False
        return 0

    def force(self, units: int, moment: int) -> int:
        """Hold units that the store was not asked for."""
        self.in_use += units
        self._used += units
        self.is_due = True
        self.away = False
        return 0

    def let_go(self, units: int, cost: int = 0) -> None:
        """A request is over: it needs its ``units`` no more, and has cost so much for good."""
        self.in_use -= units
        self.settled += cost
        self.free += units - cost
        if self.free < 0:
            self.free = 0  # more was spent than was held: the store learns of it now
            self.is_due = True
        elif self.free > min(self.wish, self.keeps):
            self.is_due = True

    def grow(self, units: int) -> None:
        """A request needs more, or less, than it had taken."""
        self.in_use += units
        self.free = max(self.free - units, 0)
        self.is_due = True

    def go_away(self) -> bool:
        """Tell no more of the database's spending; whether that has to be said."""
        had_told = not self.away and self.spent > 0
        self.away, self.is_due = True, had_told
        return had_told

    def know(self, spent: int, pending: int) -> None:
        """The database says that so much is spent, and ``pending`` is settled here and no part of it."""
        if (spent, pending) != (self.spent, self.settled):
            self.spent, self.settled = spent, pending
            self.is_due = True

    def trade(self, need: int, single: int, now: float, store_now: float, *, leases: bool) -> Trade:
        """See :meth:`Window.trade`."""
        self._expect(single, now)
        if self.purse is not None:
            self.spent = self.purse.known
            self.settled = max(self.purse.spent - self.spent, 0)
        self.free = min(self.free, max(self.wish, need), max(self.keeps, need)) if leases else 0
        self.is_due = False
        return Trade(
            account=self.name,
            limit=self.limit,
            need=max(need - self.free, 0),
            single=single,
            wish=max(self.wish - self.free, 0) if leases else 0,
            edge=self.counts == "money",
            idle=self.free,
            held=self.in_use + self.free,
            settled=self.settled,
            spent=0 if self.away and not need else self.spent,
        )

    def dealt(self, trade: Trade, deal: Deal, asked_at: float, answer: Answer) -> None:
        """See :meth:`Window.dealt`."""
        self.free += deal.granted
        self._see(deal, trade.idle, answer.replicas)

    def lost(self) -> None:
        """See :meth:`Window.lost`."""
        self.is_due = True


class Take(msgspec.Struct, eq=False):
    """Units that a request has of one lease; ``moment`` is when those of a window count."""

    lease: Window | Holding
    units: int
    moment: int = 0

    def put_back(self) -> None:
        """The request comes to nothing."""
        if isinstance(self.lease, Window):
            self.lease.more(-self.units, self.moment)
        else:
            self.lease.let_go(self.units)
