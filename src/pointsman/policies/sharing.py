"""How what a request needs of its accounts is counted together with other replicas.

The counters of this process (:mod:`pointsman.policies.admission`) have let the request in already; here the same limits
are asked about for all replicas. What the request has taken goes back, or is corrected, as its grant is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from pointsman.core.usage import Usage
from pointsman.policies.accounts import Account, Window
from pointsman.policies.admission import Grant
from pointsman.policies.bound import Bound
from pointsman.policies.budgets import exceeded
from pointsman.policies.lease_book import LeaseBook, Missed
from pointsman.policies.leases import Holding, Take
from pointsman.policies.leases import Window as LeasedWindow
from pointsman.policies.principal import Principal
from pointsman.policies.rates import reached
from pointsman.policies.token_kinds import used_kinds

__all__ = ["SharedAccounts"]

_NAME_CHARACTERS_MAX: Final = 96
_DAY_SECONDS: Final = 86_400
_BUSY_RETRY_SECONDS: Final = 1
_DYNAMIC: Final = "dynamic"
_HASHED: Final = frozenset({"key", "tag_per_key"})
"""Scopes whose names are not for others to read."""


class SharedAccounts:
    """Asks for what requests need; ``book`` has the leases."""

    def __init__(self, book: LeaseBook) -> None:
        self.book = book

    def enter(self, grant: Grant) -> bool:
        """Take what the request needs, where that can be had without asking; whether it could."""
        wants = list(_wants(grant, self.book))
        if wants:
            takes = self.book.take([(want.lease, want.units) for want in wants if want.binds])
            if takes is None:
                return False
            grant.elsewhere = _Share(self.book, takes + self._unbound(wants))
        return True

    async def ask(self, grant: Grant, second: int) -> None:
        """Take what the request needs after asking for it.

        Raises:
            BudgetExceeded, LimitReached: there is not enough; the grant is withdrawn, and nothing has been taken.
        """
        wants = list(_wants(grant, self.book))
        outcome = await self.book.obtain([(want.lease, want.units) for want in wants if want.binds])
        if isinstance(outcome, Missed):
            want = next(want for want in wants if want.lease is outcome.lease)
            grant.withdraw(second)
            raise _refusal(want, outcome, grant)
        if grant.open:
            grant.elsewhere = _Share(self.book, outcome + self._unbound(wants))
        else:
            self.book.put_back(outcome)

    def count(self, grant: Grant) -> None:
        """Take what the request needs whether or not there is enough of it."""
        claims = [(want.lease, want.units) for want in _wants(grant, self.book)]
        if claims:
            grant.elsewhere = _Share(self.book, self.book.count_anyway(claims))

    def _unbound(self, wants: Sequence[_Want]) -> list[Take]:
        """What counts and does not bind now, as a part of a model's capacity while there is enough of it."""
        claims = [(want.lease, want.units) for want in wants if not want.binds]
        return self.book.count_anyway(claims) if claims else []


class _Want(msgspec.Struct, frozen=True):
    """Units of a lease that a request needs, and whose limit that is; ``window`` is the budget, where not the main.

    Where it does not ``bind``, what is used counts all the same.
    """

    lease: LeasedWindow | Holding
    units: int
    account: Account
    what: str
    window: Window | None = None
    binds: bool = True


class _Share(msgspec.Struct, eq=False):
    """What a request has taken; see :class:`pointsman.policies.admission.Elsewhere`."""

    book: LeaseBook
    takes: list[Take]

    def settle(self, cost: int, tokens: int, usage: Usage) -> None:
        """See the protocol."""
        self.book.count(self.takes, tokens, used_kinds(usage))
        self.book.spend(self.takes, cost)

    def grow(self, cost: int, tokens: int) -> None:
        """See the protocol."""
        self.book.grow(self.takes, tokens, cost)

    def withdraw(self) -> None:
        """See the protocol."""
        self.book.put_back(self.takes)

    def move(self, grant: Grant) -> None:
        """See the protocol."""
        wanted: dict[str, tuple[LeasedWindow | Holding, int]] = {
            want.lease.name: (want.lease, want.units) for want in _wants(grant, self.book)
        }
        kept = [take for take in self.takes if take.lease.name in wanted]
        self.book.put_back(take for take in self.takes if take.lease.name not in wanted)
        for take in kept:
            more = wanted.pop(take.lease.name)[1] - take.units
            if more:
                self.book.grow([take], more, more, more)
        self.takes = kept + self.book.count_anyway(list(wanted.values()))


class _WindowPurse:
    """A budget beside the main one, as somebody who spends."""

    __slots__ = ("_account", "_window")

    def __init__(self, account: Account, window: Window) -> None:
        self._account = account
        self._window = window

    def is_of(self, account: Account, window: Window) -> bool:
        """Whether it is theirs."""
        return self._account is account and self._window is window

    @property
    def spent(self) -> int:
        """See :class:`pointsman.policies.leases.Purse`."""
        return self._window.spent

    @property
    def known(self) -> int:
        """See :class:`pointsman.policies.leases.Purse`."""
        return self._window.known


def _wants(grant: Grant, book: LeaseBook) -> Iterable[_Want]:
    """What the request needs, of each lease once."""
    return {want.lease.name: want for want in _each_want(grant, book)}.values()


def _each_want(grant: Grant, book: LeaseBook) -> Iterator[_Want]:
    """What each account of the request needs, budgets first, as in admission."""
    admission, principal = grant.admission, grant.principal
    bound = grant.bound or _by_itself(principal)
    if grant.cost_reserved:
        for account in bound.purses:
            yield from _money(account, grant.cost_reserved, book)
    usual = admission.settings.parallel_per_key
    for account in bound.rated:
        limits, name = account.limits, _name(account)
        parallel = limits.max_parallel_requests
        if parallel is None and account is principal:
            parallel = usual
        if parallel is not None:
            yield _Want(book.slots(name, parallel), 1, account, "max_parallel_requests")
        if limits.rpm_limit is not None:
            binds = _binds(account, limits.rpm_limit_type, grant.second)
            yield _Want(book.requests(name, limits.rpm_limit), 1, account, "requests", binds=binds)
    for account in bound.minutes:
        limit = account.limits.tpm_limit
        if limit is not None:
            binds = _binds(account, account.limits.tpm_limit_type, grant.second)
            yield _Want(book.tokens(_name(account), limit), grant.tokens_reserved, account, "tokens", binds=binds)
    for account in bound.days:
        limit = account.limits.tpd_limit
        if limit is not None:
            lease = book.tokens(_name(account), limit, _DAY_SECONDS)
            yield _Want(lease, grant.tokens_reserved, account, "tokens_per_day")
    for account in bound.kinds:
        limit, kind = account.limits.tpm_limit, account.kind
        if limit is not None:
            yield _Want(book.kind_tokens(_name(account), limit, kind), grant.kinds.of(kind), account, f"{kind}_tokens")


def _binds(account: Account, kind: str | None, second: int) -> bool:
    """Whether a rate binds; one that does so only while its model fails is kept by each replica by itself."""
    return kind != _DYNAMIC and (account.eases is None or not account.eases(second))


def _money(account: Account, amount: int, book: LeaseBook) -> Iterator[_Want]:
    name = _name(account)
    if account.budget is not None:
        lease = book.money(f"{name}|{account.reset_at or 0:.0f}", account.budget, account)
        yield _Want(lease, amount, account, "budget")
    for window in account.windows:
        lease = book.money(f"{name}|{window.duration}|{window.reset_at or 0:.0f}", window.budget)
        if not (isinstance(lease.purse, _WindowPurse) and lease.purse.is_of(account, window)):
            lease.purse = _WindowPurse(account, window)
        yield _Want(lease, amount, account, "budget", window)


def _by_itself(principal: Principal) -> Bound:
    """What binds a call that is only bound by its key, and by nothing special of it."""
    alone = (principal,)
    purses = () if principal.budget is None else alone
    minutes = () if principal.limits.tpm_limit is None else alone
    return Bound(purses, alone, minutes, (), None)


def _name(account: Account) -> str:
    """The account's name among replicas: short, and without what is nobody's business."""
    if not account.shared_name:
        account.shared_name = _named(account)
    return account.shared_name


def _named(account: Account) -> str:
    name = f"{account.scope}:{account.identity}:{account.model}"
    if account.scope in _HASHED or len(name) > _NAME_CHARACTERS_MAX:
        if account.scope == "tag_per_key":
            name = f"{account.name}:{name}"
        return f"{account.scope}:{blake2b(name.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
    return name


def _refusal(want: _Want, missed: Missed, grant: Grant) -> Exception:
    account, lease = want.account, missed.lease
    if isinstance(lease, Holding) and lease.counts == "money":
        status = grant.admission.settings.budget_exceeded_status
        window = want.window
        spent, reset_at, period = account.spent, account.reset_at, ""
        if window is not None:
            spent, reset_at, period = window.spent, window.reset_at, f" per {window.duration}"
        return exceeded(account, missed.used, lease.limit, spent, status, reset_at, period)
    wait = missed.wait if isinstance(lease, LeasedWindow) else _BUSY_RETRY_SECONDS
    return reached(account, want.what, lease.limit, wait, needed=want.units)
