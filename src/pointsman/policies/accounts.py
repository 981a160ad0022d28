"""Accounts: whoever has limits, and the counters that these are checked against.

A call is made for several at once: a key, the team and the user that it belongs to, the customer it serves, its tags,
its model. Each is one object in a process, however many keys share it, so that what they do together is counted
together. A key is an account, too: :class:`pointsman.policies.principal.Principal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from pointsman.accounting.windows import SlidingDay, SlidingMinute
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.policies.alerting import Watch
from pointsman.policies.durations import UTC_MIDNIGHT, ResetClock, next_reset
from pointsman.stores.directory.ports import Meter, Spent
from pointsman.stores.directory.records import NO_LIMITS, Limits, ModelLimits

__all__ = ["INPUT", "OUTPUT", "SYSTEM_CALENDAR", "Account", "Calendar", "Window", "merged"]

INPUT: Final = "input"
OUTPUT: Final = "output"
"""The kinds of tokens that can have limits of their own."""


class _NoMinute(SlidingMinute):
    """Stands where there is no limit, so that nothing has to be counted."""

    __slots__ = ()

    def add(self, units: int, second: int) -> None:
        """Count nothing."""

    def take(self, units: int, limit: int, second: int) -> bool:
        """There is always room."""
        return True

    def replace(self, units: int, then: int, by: int, second: int) -> None:
        """Count nothing."""


_UNUSED_MINUTE: Final = _NoMinute()

_MODEL_SCOPES: Final = frozenset({"model", "deployment"})


class Calendar(msgspec.Struct, frozen=True):
    """What time it is, and when budgets start over."""

    clock: Clock = SYSTEM_CLOCK
    reset: ResetClock = UTC_MIDNIGHT


SYSTEM_CALENDAR: Final = Calendar()


class Window:
    """A budget beside the main one: the same spending, within a period of its own. Money is in picodollars.

    ``known`` is the part of what is spent that the store told of, ``carried`` what the period began with.
    """

    __slots__ = ("budget", "carried", "duration", "known", "over_at", "reset_at", "spent")

    def __init__(self, duration: str, budget: int) -> None:
        self.duration = duration
        self.budget = budget
        self.spent = self.known = self.carried = 0
        self.reset_at: float | None = None
        self.over_at: float | None = None


class Account:
    """One of those that a call is made for. Money is in picodollars.

    ``scope`` and ``identity`` are those of :class:`pointsman.stores.directory.ports.Account`, ``model`` is set where
    only what is done with one model counts, ``name`` is what people call it. ``spent`` counts what is settled,
    ``pending`` the part of it that the store does not know of yet, ``known`` the part that the store told of when it
    was last asked, ``reserved`` what is under way. ``share`` is the number of processes that serve it beside each
    other: each lets through its part of the rates (``rpm``, ``tpm``, ``tpd``, ``parallel``, None: unlimited), and takes
    the others to have reserved, and settled, as much as itself. ``models`` are accounts for what single models may do
    on its behalf, ``kinds`` for its tokens of one ``kind``, input or output, which are all that they count.
    ``carried`` is what the period began with that began here.
    ``eases``, if set, tells whether its rates do not bind at a second. ``shared_name`` is what replicas call it,
    ``watch`` what to do when spending reaches ``alert_at``.
    """

    __slots__ = (
        "__weakref__",
        "alert_at",
        "budget",
        "budget_usual",
        "carried",
        "day",
        "duration",
        "eases",
        "identity",
        "in_flight",
        "increase_until",
        "kind",
        "kinds",
        "known",
        "limits",
        "model",
        "models",
        "name",
        "over_at",
        "parallel",
        "pending",
        "requests",
        "reserved",
        "reset_at",
        "rpm",
        "scope",
        "share",
        "shared_name",
        "soft",
        "spent",
        "tokens",
        "tpd",
        "tpm",
        "watch",
        "windows",
    )

    def __init__(self, scope: str, identity: str, model: str = "", *, share: int = 1, kind: str = "") -> None:
        self.scope = scope
        self.identity = identity
        self.model = model
        self.kind = kind
        self.name = identity
        self.share = share
        self.spent = self.known = self.carried = self.pending = self.reserved = self.in_flight = 0
        self.requests: SlidingMinute = _UNUSED_MINUTE
        self.tokens: SlidingMinute = _UNUSED_MINUTE
        self.day: SlidingDay | None = None
        self.reset_at: float | None = None
        self.over_at: float | None = None
        self.windows: tuple[Window, ...] = ()
        self.watch: Watch | None = None
        self.alert_at: int | None = None
        self.eases: Callable[[int], bool] | None = None
        self.shared_name = ""
        self.models: dict[str, Account] = {}
        self.kinds: tuple[Account, ...] = ()
        self.adopt_limits(NO_LIMITS)

    def adopt_limits(self, limits: Limits) -> None:
        """Be bound by these from now on; what is counted stays counted."""
        self.limits = limits
        self.duration = limits.budget_duration
        self.soft = limits.soft_budget
        self.budget_usual = limits.max_budget
        self.increase_until = None if limits.temp_budget_increase is None else limits.temp_budget_expiry
        self.budget = limits.max_budget
        if self.budget is not None and limits.temp_budget_increase is not None:
            self.budget += limits.temp_budget_increase
        self._take_part()
        if self.rpm is not None and self.requests is _UNUSED_MINUTE:
            self.requests = SlidingMinute()
        if self.tpm is not None and self.tokens is _UNUSED_MINUTE:
            self.tokens = SlidingMinute()
        if self.tpd is not None and self.day is None:
            self.day = SlidingDay()
        self._adopt_windows(limits)
        self._adopt_kinds(limits)
        self._adopt_models(limits)
        self.arm()

    def arm(self) -> None:
        """Find the next threshold of the budget that somebody is to be told of."""
        self.alert_at = None if self.watch is None else self.watch.next_above(self)

    def watch_with(self, watch: Watch | None) -> None:
        """Have it noticed by ``watch`` when spending passes a threshold; None: by nobody."""
        if watch is not self.watch:
            self.watch = watch
            self.arm()
        for its in self.models.values():
            its.watch_with(watch)

    def parties(self) -> tuple[str | None, str | None, str | None]:
        """The user, the team and the organisation that it belongs to."""
        its = self.identity
        return (
            its if self.scope == "user" else None,
            its if self.scope == "team" else None,
            its if self.scope == "organization" else None,
        )

    def share_among(self, processes: int) -> None:
        """Be served by so many processes from now on."""
        if processes != self.share:
            self.share = processes
            self._take_part()
        for its in (*self.kinds, *self.models.values()):
            its.share_among(processes)

    @property
    def held(self) -> int:
        """What is spent, and what calls under way may spend, in all processes together.

        Of what the others have done since the store was asked last nothing is known, so they are taken to be as busy.
        """
        return self.known + (self.spent - self.known + self.reserved) * self.share

    def meters(self) -> Iterable[Meter]:
        """What the store counts of it, by what its limits need."""
        yield Meter(self.scope, self.identity, self.model)
        for window in self.windows:
            yield Meter(self.scope, self.identity, self.model, window.duration)
        for its in self.models.values():
            yield from its.meters()

    def refresh(self, found: Mapping[Meter, Spent]) -> None:
        """Take what the store counts, and with it what other processes spent."""
        spent = found.get(Meter(self.scope, self.identity, self.model))
        if spent is not None:
            self.take_spent(spent.amount, spent.reset_at)
        for window in self.windows:
            its = found.get(Meter(self.scope, self.identity, self.model, window.duration))
            if its is not None:
                window.reset_at = its.reset_at
                is_over = its.reset_at is not None and its.reset_at == window.over_at
                window.known = window.carried if is_over else its.amount
                window.spent = self.pending + window.known
        for account in self.models.values():
            account.refresh(found)

    def take_spent(self, amount: int, reset_at: float | None) -> None:
        """The store says that ``amount`` was spent in the period that ends at ``reset_at``."""
        # The store may yet have to begin the period that has begun here.
        is_over = reset_at is not None and reset_at == self.over_at
        self.known = self.carried if is_over else amount
        self.spent = self.pending + self.known
        self.reset_at = reset_at
        if self.watch is not None:
            self.arm()

    def is_gone(self, calendar: Calendar) -> bool:
        """Whether the budget is used up, by what is spent and held; a period that is over is ended first."""
        if self.increase_until is not None and calendar.clock.wall() >= self.increase_until:
            self.budget, self.increase_until = self.budget_usual, None
        if self.budget is None or self.held < self.budget:
            return False
        return not (self._end_period(calendar) and self.held < self.budget)

    def window_gone(self, calendar: Calendar) -> Window | None:
        """The first of the budgets beside the main one that is used up."""
        for window in self.windows:
            if self.held_of(window) >= window.budget:
                now = calendar.clock.wall()
                if window.reset_at is None or window.reset_at > now:
                    return window
                window.carried = max(0, window.spent - window.budget) if calendar.reset.carries else 0
                window.over_at, window.spent, window.known = window.reset_at, window.carried, window.carried
                window.reset_at = next_reset(window.duration, now, calendar.reset)
                if self.held_of(window) >= window.budget:
                    return window
        return None

    def held_of(self, window: Window) -> int:
        """The same within the period of another budget."""
        return window.known + (window.spent - window.known + self.reserved) * self.share

    def settle(self, amount: int) -> None:
        """Count money spent that the store does not know of yet."""
        self.spent += amount
        self.pending += amount
        if self.alert_at is not None and self.spent >= self.alert_at and self.watch is not None:
            self.watch.crossed(self, self.spent - amount)
        for window in self.windows:
            window.spent += amount

    def stored(self, amount: int) -> None:
        """The store has taken over ``amount`` of what was pending."""
        # Calls that were under way when the account got its limits were never pending in it.
        self.pending = max(0, self.pending - amount)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when it is forgotten, but what the last minute was like."""
        if self.in_flight or self.reserved or self.pending:
            return False
        return not self.models or all(its.is_idle for its in self.models.values())

    def _end_period(self, calendar: Calendar) -> bool:
        """Begin the next period if this one is over, even if the store has not got round to it; whether it was."""
        now = calendar.clock.wall()
        if self.duration is None or self.reset_at is None or self.reset_at > now:
            return False
        self.carried = max(0, self.spent - (self.budget_usual or 0)) if calendar.reset.carries else 0
        self.over_at, self.spent, self.known = self.reset_at, self.carried, self.carried
        self.reset_at = next_reset(self.duration, now, calendar.reset)
        self.arm()
        return True

    def _take_part(self) -> None:
        limits = self.limits
        self.rpm = self._part(limits.rpm_limit)
        self.tpm = self._part(limits.tpm_limit)
        self.tpd = self._part(limits.tpd_limit)
        self.parallel = self._part(limits.max_parallel_requests)

    def _part(self, limit: int | None) -> int | None:
        """This process's part of a limit, rounded up so that none is left with nothing."""
        return None if limit is None else -(-limit // self.share)

    def _adopt_windows(self, limits: Limits) -> None:
        before = {window.duration: window for window in self.windows}
        self.windows = tuple(
            before.get(wanted.duration) or Window(wanted.duration, wanted.max_budget) for wanted in limits.budget_limits
        )
        for window, wanted in zip(self.windows, limits.budget_limits, strict=True):
            window.budget = wanted.max_budget

    def _adopt_kinds(self, limits: Limits) -> None:
        before = {one.kind: one for one in self.kinds}
        kinds = []
        for kind, limit in ((INPUT, limits.itpm_limit), (OUTPUT, limits.otpm_limit)):
            if limit is not None:
                one = before.get(kind) or Account(self.scope, self.identity, self.model, share=self.share, kind=kind)
                one.name = self.name
                one.adopt_limits(Limits(tpm_limit=limit))
                kinds.append(one)
        self.kinds = tuple(kinds)

    def _adopt_models(self, limits: Limits) -> None:
        if self.model or self.scope in _MODEL_SCOPES:
            return
        wanted = {*limits.model_limits, *limits.model_rpm_limit, *limits.model_tpm_limit}
        wanted |= {*limits.model_itpm_limit, *limits.model_otpm_limit}
        kept = {name: account for name, account in self.models.items() if name in wanted}
        for name in wanted:
            account = kept.get(name)
            if account is None:
                account = kept[name] = Account(self.scope, self.identity, name, share=self.share)
            account.name = self.name
            account.adopt_limits(_for_model(limits, name))
        self.models = kept


def _for_model(limits: Limits, model: str) -> Limits:
    """What bounds one model of an account."""
    its = limits.model_limits.get(model) or ModelLimits()
    rpm, tpm = limits.model_rpm_limit.get(model), limits.model_tpm_limit.get(model)
    return Limits(
        max_budget=its.max_budget,
        budget_duration=None if its.max_budget is None else its.duration or limits.budget_duration,
        rpm_limit=_tighter(its.rpm_limit, rpm),
        tpm_limit=_tighter(its.tpm_limit, tpm),
        itpm_limit=limits.model_itpm_limit.get(model),
        otpm_limit=limits.model_otpm_limit.get(model),
        rpm_limit_type=limits.rpm_limit_type,
        tpm_limit_type=limits.tpm_limit_type,
    )


def _tighter(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def merged(own: Limits, usual: Limits) -> Limits:
    """An entry's own limits, and those of the budget with a name that it has wherever it says nothing itself."""
    if usual == NO_LIMITS:
        return own
    if own == NO_LIMITS:
        return usual
    said = msgspec.structs.asdict(own)
    unsaid = msgspec.structs.asdict(NO_LIMITS)
    return msgspec.structs.replace(usual, **{name: value for name, value in said.items() if value != unsaid[name]})
