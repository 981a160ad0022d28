"""Limits that replicas share, as one process keeps them: from which leases a request takes, and how they are filled.

Either every request asks the store before it goes on (*exact*), or leases are filled in advance, in the background, and
most requests ask nobody (*leased*). In both, units count for everybody from the moment they are granted, so the
replicas together never hand out more than a limit leaves; what leases cost is that some of it lies idle with one
replica while another refuses, at most half of what is left, for at most two seconds.

What the store cannot answer in time is decided without it: requests are counted as if they had been granted, the
store is told later, and ``share`` says in how many parts each process on its own must take the limits meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.policies.accounts import INPUT, OUTPUT
from pointsman.policies.leases import Counts, Holding, Purse, Take, Window
from pointsman.policies.token_kinds import NO_TOKENS, KindTokens
from pointsman.stores.shared_limits import LIVE_SECONDS, SETTLED_SECONDS, Answer, Deal, SharedLimits, Trade, Used

__all__ = ["Claim", "LeaseBook", "Missed"]

_ROUND_SECONDS: Final = 0.25
_AGAIN_SECONDS: Final = 0.02
"""After so long what another process lets go of right now has arrived."""
_TELLING_SECONDS: Final = 1.0
"""After an outage of all, each has found out within this time that the store is back, and told it what it did."""
_BEAT_SECONDS: Final = LIVE_SECONDS / 4
_TELL_SECONDS: Final = 60.0
"""What is held is told again after so long, since a store forgets what nobody mentions."""
_IDLE_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 5.0
"""So long after the last word the database's spending has been heard of by everybody."""
_KINDS: Final = frozenset({INPUT, OUTPUT})
_GROWING: Final = frozenset({"tokens", *_KINDS})
_TRADES_MAX: Final = 128
_LEASES_MAX: Final = 200_000
_log: Final = logging.getLogger("pointsman.limits")

Claim = tuple[Window | Holding, int]
"""A lease, and how many of its units a request needs."""


class Missed(msgspec.Struct, frozen=True):
    """The limit that a request did not pass, what all use of it, and the seconds after which the request fits."""

    lease: Window | Holding
    units: int
    used: int
    wait: int


class _Waiting(msgspec.Struct, eq=False):
    claims: Sequence[Claim]
    future: asyncio.Future[list[Take] | Missed]


class LeaseBook:
    """The leases of this process.

    ``is_open`` tells whether the store answers; ``share`` is 1 then, else the number of replicas that lived last, of
    which each is to keep to its part, and ``at_least`` so many. ``on_turn`` is told when that changes. ``outages``
    counts how often it closed; ``refusal`` is what the store said when it was asked last and gave no answer.
    """

    def __init__(
        self, store: SharedLimits, clock: Clock, *, exact: bool, on_turn: Callable[[], None], at_least: int = 1
    ) -> None:
        self._store = store
        self._clock = clock
        self._exact = exact
        self._on_turn = on_turn
        self._leases: dict[str, Window | Holding] = {}
        self._busy: dict[str, Window | Holding] = {}
        self._waiting: list[_Waiting] = []
        self._ahead = clock.wall() - clock.monotonic()
        self._asked_at = -_BEAT_SECONDS
        self._awake = asyncio.Event()
        self.is_open = False
        self._joined_at: float | None = None
        self._is_over = False
        self._at_least = at_least
        self.replicas = at_least
        self.outages = 0
        self.refusal: str | None = None

    def __len__(self) -> int:
        return len(self._leases)

    @property
    def share(self) -> int:
        """In how many parts the limits are to be taken now."""
        return 1 if self.is_open else self.replicas

    # -- leases ----------------------------------------------------------------------------------------

    def requests(self, account: str, limit: int, seconds: int = 60) -> Window:
        """The requests of an account within a time."""
        return self._window(f"{account}|r{seconds}", limit, "requests", seconds)

    def tokens(self, account: str, limit: int, seconds: int = 60) -> Window:
        """The tokens of an account within a time."""
        return self._window(f"{account}|t{seconds}", limit, "tokens", seconds)

    def kind_tokens(self, account: str, limit: int, kind: str) -> Window:
        """The tokens of one kind, input or output, of an account within a minute."""
        return self._window(f"{account}|{kind[0]}60", limit, "input" if kind == INPUT else "output", 60)

    def slots(self, account: str, limit: int) -> Holding:
        """The requests of an account that are under way at once."""
        return self._holding(f"{account}|p", limit, "slots")

    def money(self, account: str, limit: int, purse: Purse | None = None) -> Holding:
        """What an account spends, in picodollars; a name of its own for each period, if the spending begins anew."""
        lease = self._holding(f"{account}|m", limit, "money")
        if purse is not None:
            lease.purse = purse
        return lease

    def count_anyway(self, claims: Sequence[Claim]) -> list[Take]:
        """What a request needs, whether or not there is enough of it."""
        return self._take(claims) or self._force(claims)

    # -- requests --------------------------------------------------------------------------------------

    def take(self, claims: Sequence[Claim]) -> list[Take] | None:
        """What a request needs, if that can be had without asking; None: :meth:`obtain` it.

        While the store is away, everything can be had.
        """
        if not self.is_open:
            return self._force(claims)
        if self._exact and claims:
            return None
        return self._take(claims)

    async def obtain(self, claims: Sequence[Claim]) -> list[Take] | Missed:
        """What a request needs, after asking the store; or the limit that it did not pass, and nothing is taken."""
        outcome = await self._ask(claims)
        if isinstance(outcome, Missed) and isinstance(outcome.lease, Holding):
            # Somebody's last request may just be over, and this one be its successor.
            await asyncio.sleep(_AGAIN_SECONDS)
            outcome = await self._ask(claims)
        return outcome

    def count(self, takes: Iterable[Take], tokens: int, kinds: KindTokens = NO_TOKENS) -> None:
        """Requests are over that took so many tokens: replace what was reserved of them, and put back their slots.

        Money is let go of by :meth:`spend`.
        """
        for take in takes:
            lease = take.lease
            if lease.counts == "tokens" and isinstance(lease, Window):
                lease.more(-take.units, take.moment)
                lease.more(tokens, self._moment(lease))
            elif lease.counts == "slots" and isinstance(lease, Holding):
                lease.let_go(take.units)
            elif lease.counts in _KINDS and isinstance(lease, Window):
                lease.more(-take.units, take.moment)
                lease.more(kinds.of(lease.counts), self._moment(lease))
            else:
                continue
            self.touch(lease)

    def spend(self, takes: Iterable[Take], cost: int) -> None:
        """Requests are over that cost so much: replace what was reserved of money."""
        for take in takes:
            lease = take.lease
            if lease.counts == "money" and isinstance(lease, Holding):
                lease.let_go(take.units, cost)
                self.touch(lease)

    def grow(self, takes: Iterable[Take], tokens: int, cost: int, output: int = 0) -> None:
        """A request needs more than it has taken, or less: ``output`` of limits of that kind, ``tokens`` of others."""
        for take in takes:
            lease = take.lease
            if lease.counts in _GROWING and isinstance(lease, Window):
                more = output if lease.counts == OUTPUT else tokens
                take.units += more
                lease.more(more, take.moment)
            elif lease.counts == "money" and isinstance(lease, Holding):
                take.units += cost
                lease.grow(cost)
            else:
                continue
            self.touch(lease)

    def put_back(self, takes: Iterable[Take]) -> None:
        """A request comes to nothing."""
        for take in takes:
            take.put_back()
            self.touch(take.lease)

    def touch(self, lease: Window | Holding) -> None:
        """Something about a lease has changed; the store is told, at once where somebody may be waiting for that."""
        self._leases.setdefault(lease.name, lease)
        self._busy[lease.name] = lease
        if lease.is_low or (lease.is_due and (self._exact or lease.is_scarce)):
            self._awake.set()

    # -- in the background -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Fill the leases; runs until cancelled."""
        while True:
            await self.step()
            try:
                async with asyncio.timeout(_ROUND_SECONDS):
                    await self._awake.wait()
            except TimeoutError:
                continue

    def wake(self) -> None:
        """Have another look at the store at once."""
        self._awake.set()

    async def step(self) -> None:
        """Exchanges with the store, until nobody waits."""
        if self._joined_at is None and not self._is_over:
            await self._join()
        self._awake.clear()
        await self._round()
        while self._waiting:
            await self._round()
        self._open()
        self._sweep()

    async def close(self, settled_seconds: int = SETTLED_SECONDS) -> None:
        """Let go of everything, as far as the store can be told; for the seconds see ``SharedLimits.leave``."""
        self._is_over = True
        self.is_open, self._joined_at = False, None
        self._answer_all(self._waiting)
        try:
            await self._store.leave(settled_seconds=settled_seconds)
        except StorageUnavailable:
            _log.debug("The other replicas could not be told that this one ends.")

    async def _round(self) -> None:
        """One exchange, if there is anything to say."""
        now = self._clock.monotonic()
        waiting, self._waiting = self._waiting, []
        if self._joined_at is None:
            self._answer_all(waiting)
            return
        deals: dict[str, tuple[Window | Holding, Trade]] = self._trades(waiting, now)
        if not deals and now < self._asked_at + _BEAT_SECONDS:
            return
        try:
            answer = await self._store.exchange([trade for _, trade in deals.values()], whole=len(waiting) == 1)
        except StorageUnavailable as error:
            self.refusal = error.hint or error.message
            self._shut(self.refusal)
            self._go_on_without(deals, waiting)
            return
        except asyncio.CancelledError:
            self._go_on_without(deals, waiting)
            raise
        if answer.deals is None:
            self._shut("Redis has forgotten what was counted.")
            self._go_on_without(deals, waiting)
            return
        self._hear(answer, now)
        done: dict[str, Deal] = {}
        for (lease, trade), deal in zip(deals.values(), answer.deals, strict=True):
            lease.dealt(trade, deal, now, answer)
            done[lease.name] = deal
            self.touch(lease)
        for one in waiting:
            _resolve(one, self._take(one.claims) or self._missed(one.claims, done), self)

    def _go_on_without(self, deals: Mapping[str, tuple[Window | Holding, Trade]], waiting: Iterable[_Waiting]) -> None:
        for lease, _ in deals.values():
            lease.lost()
            self.touch(lease)
        self._answer_all(waiting)

    def _trades(self, waiting: Iterable[_Waiting], now: float) -> dict[str, tuple[Window | Holding, Trade]]:
        """What is to be told of each lease, those that requests wait for first."""
        needs: dict[str, tuple[Window | Holding, int, int]] = {}
        for one in waiting:
            for lease, units in one.claims:
                _, need, single = needs.get(lease.name, (lease, 0, 0))
                needs[lease.name] = lease, need + units, max(single, units)
        for name, lease in self._busy.items():
            if len(needs) >= _TRADES_MAX:
                self._awake.set()
                break
            if name not in needs and self._is_due(lease, now):
                needs[name] = lease, 0, 0
        store_now = now + self._ahead
        return {
            name: (lease, lease.trade(need, single, now, store_now, leases=self.is_open and not self._exact))
            for name, (lease, need, single) in needs.items()
        }

    def _is_due(self, lease: Window | Holding, now: float) -> bool:
        if lease.is_due or (lease.is_low and not self._exact):
            return True
        if lease.free and now >= lease.told_at + _IDLE_SECONDS:
            return True
        if isinstance(lease, Holding):
            return lease.is_behind or (not lease.is_idle and now >= lease.told_at + _TELL_SECONDS)
        return False

    def _missed(self, claims: Sequence[Claim], deals: Mapping[str, Deal]) -> Missed:
        """Which limit a request did not pass: one that said so, else the first that has not enough for it."""
        short = [(lease, units) for lease, units in claims if deals[lease.name].missed]
        lease, units = short[0] if short else next(claim for claim in claims if not claim[0].has(claim[1], 0.0))
        deal = deals[lease.name]
        return Missed(lease, units, deal.used, deal.wait)

    # -- whether the store answers ---------------------------------------------------------------------

    async def _join(self) -> None:
        """See whether the store is there, and tell it what it has forgotten."""
        now = self._clock.monotonic()
        try:
            answer = await self._store.beat()
            self._hear(answer, now)
            if answer.lost:
                await self._store.recall(self._used(answer.now))
        except StorageUnavailable as error:
            self.refusal = error.hint or error.message
            return
        self.refusal = None
        if answer.deals is None:
            return
        self._joined_at = now
        for lease in self._leases.values():
            if not lease.is_idle and isinstance(lease, Holding):
                lease.is_due = True
                self._busy[lease.name] = lease

    def _open(self) -> None:
        """Rely on the store, once everybody who was cut off together with this process has told it what it did."""
        if self.is_open or self._joined_at is None:
            return
        if not self.outages or self._clock.monotonic() >= self._joined_at + _TELLING_SECONDS:
            self.is_open = True
            self._on_turn()

    def _used(self, store_now: float) -> list[Used]:
        windows = (lease for lease in self._leases.values() if isinstance(lease, Window))
        return [used for window in windows if (used := window.recall(store_now)).units]

    def _hear(self, answer: Answer, asked_at: float) -> None:
        self._asked_at = asked_at
        self._ahead = answer.now - asked_at
        # A store that has lost its memory knows only those that have come back: nobody's part grows for that.
        before = self.replicas if self.outages and not self.is_open else 0
        replicas = max(answer.replicas, self._at_least, before)
        if replicas != self.replicas:
            self.replicas = replicas
            if not self.is_open:
                self._on_turn()

    def _shut(self, reason: str) -> None:
        self._joined_at = None
        if not self.is_open:
            return
        self.is_open = False
        self.outages += 1
        _log.warning("Limits are kept by each of %d replicas on its own: %s", self.replicas, reason)
        self._on_turn()

    # -- giving ----------------------------------------------------------------------------------------

    async def _ask(self, claims: Sequence[Claim]) -> list[Take] | Missed:
        future: asyncio.Future[list[Take] | Missed] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(claims, future))
        self._awake.set()
        has_it = False
        try:
            outcome = await future
            has_it = True
            return outcome
        finally:
            if not has_it and future.done() and not future.cancelled():
                _return(future.result(), self)

    def _take(self, claims: Sequence[Claim]) -> list[Take] | None:
        now = self._clock.monotonic()
        for lease, units in claims:
            if not lease.has(units, now):
                return None
        takes = []
        for lease, units in claims:
            takes.append(Take(lease, units, lease.take(units)))
            self._busy[lease.name] = lease
            if lease.is_low:
                self._awake.set()
        return takes

    def _force(self, claims: Sequence[Claim]) -> list[Take]:
        takes = []
        for lease, units in claims:
            takes.append(Take(lease, units, lease.force(units, self._moment(lease))))
            self.touch(lease)
        return takes

    def _answer_all(self, waiting: Iterable[_Waiting]) -> None:
        """Let those go on who wait for a store that does not answer."""
        for one in waiting:
            _resolve(one, self._force(one.claims), self)

    def _moment(self, lease: Window | Holding) -> int:
        return lease.moment_of(self._clock.monotonic() + self._ahead) if isinstance(lease, Window) else 0

    # -- keeping ---------------------------------------------------------------------------------------

    def _window(self, name: str, limit: int, counts: Counts, seconds: int) -> Window:
        lease = self._leases.get(name)
        if not isinstance(lease, Window):
            self._make_room()
            lease = self._leases[name] = Window(name, limit, counts, seconds)
        lease.limit = limit
        return lease

    def _holding(self, name: str, limit: int, counts: Counts) -> Holding:
        lease = self._leases.get(name)
        if not isinstance(lease, Holding):
            self._make_room()
            lease = self._leases[name] = Holding(name, limit, counts)
        lease.limit = limit
        return lease

    def _sweep(self) -> None:
        """Look no more after leases about which there is nothing to be told."""
        now = self._clock.monotonic()
        for name, lease in list(self._busy.items()):
            if lease.free or lease.is_due or lease.wish or now < lease.told_at + _QUIET_SECONDS:
                continue
            if isinstance(lease, Window) or (lease.is_idle and not lease.is_behind and not lease.go_away()):
                del self._busy[name]

    def _make_room(self) -> None:
        if len(self._leases) < _LEASES_MAX:
            return
        store_now = self._clock.monotonic() + self._ahead
        for lease in self._leases.values():
            if isinstance(lease, Window):
                lease.forget(store_now)
        self._leases = {name: lease for name, lease in self._leases.items() if not lease.is_idle}


def _resolve(waiting: _Waiting, outcome: list[Take] | Missed, book: LeaseBook) -> None:
    if waiting.future.done():
        _return(outcome, book)
    else:
        waiting.future.set_result(outcome)


def _return(outcome: list[Take] | Missed, book: LeaseBook) -> None:
    """Who asked is gone."""
    if isinstance(outcome, list):
        book.put_back(outcome)
