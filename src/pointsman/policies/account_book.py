"""The accounts in memory: one object for each, however many keys share it, for as long as anybody needs it.

Keys hold the accounts that they belong to, so that these live as long as the keys that are in memory; customers and
tags that requests name are kept in a list with a bound, oldest first to go, never one with a call or money under way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from weakref import WeakValueDictionary

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Forbidden, StorageUnavailable
from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.core.upstream import Ask, Deployment
from pointsman.policies.access import demand_passage
from pointsman.policies.accounts import Account, Calendar
from pointsman.policies.alerting import Watch
from pointsman.policies.bound import Bound, binding
from pointsman.policies.carrying import budget_of, budget_of_key
from pointsman.policies.day_memory import DayMemory
from pointsman.policies.durations import UTC_MIDNIGHT, ResetClock
from pointsman.policies.general_limits import NO_GENERAL_LIMITS, GeneralLimits
from pointsman.policies.key_accounts import KeyAccounts, of_model
from pointsman.policies.parties import Home, Party, budgeted, find_parties, not_at_home
from pointsman.policies.periods import durations_of, mend
from pointsman.policies.principal import Principal
from pointsman.policies.reservations import SharedCapacity
from pointsman.policies.stand_ins import BudgetedNames
from pointsman.policies.tying import Directory, tie
from pointsman.stores.charges import accounts_of
from pointsman.stores.directory.kinds import ACCESS_GROUPS, MODEL_GROUP_BUDGETS
from pointsman.stores.directory.ports import Account as StoredAccount
from pointsman.stores.directory.ports import Changed, DirectoryStore, Meter, SpendStore
from pointsman.stores.directory.records import Limits
from pointsman.wire.limits import PARTIES_CACHED_MAX

__all__ = ["AccountBook"]

_Name = tuple[str, str]
_NOBODY: Final[Sequence[str]] = ()
_KEPT_WHOLE: Final = frozenset({ACCESS_GROUPS.name, MODEL_GROUP_BUDGETS.name})


class AccountBook(KeyAccounts):
    """Knows whom calls are made for, and what these have spent. ``share`` processes serve them beside each other.

    ``watch`` notices when spending passes a threshold; those that are bound after it was set are watched. ``memory``
    knows what was used of a day's tokens before; None: nobody does.
    """

    def __init__(
        self,
        directory: DirectoryStore,
        spend: SpendStore,
        *,
        clock: Clock = SYSTEM_CLOCK,
        share: int = 1,
        memory: DayMemory | None = None,
    ) -> None:
        super().__init__(Calendar(clock))
        self._memory = memory
        self.share = share
        self._spend = spend
        self._directory = Directory(directory)
        self._limits = NO_GENERAL_LIMITS
        self._accounts: WeakValueDictionary[StoredAccount, Account] = WeakValueDictionary()
        self._parties: OrderedDict[_Name, Party | None] = OrderedDict()
        self._general: dict[_Name, Account] = {}
        self.watch: Watch | None = None
        self._capacity = SharedCapacity()

    def __len__(self) -> int:
        return len(self._accounts)

    def share_among(self, processes: int) -> None:
        """Have so many processes serve the accounts from now on."""
        self.share = processes
        for account in tuple(self._accounts.values()):
            account.share_among(processes)
        self._capacity.share_among(processes)

    @property
    def bind_calls(self) -> bool:
        """Whether limits of the configuration may bind a call of whoever it is."""
        return self._limits.bind_calls

    # -- keys ------------------------------------------------------------------------------------------

    async def bind(self, principal: Principal) -> None:
        """Find out whom a key belongs to, and what all of them have spent.

        Raises:
            StorageUnavailable: nobody can say; the key is bound as before.
        """
        ties = await tie(principal, self._directory, self._limits, self.account)
        principal.bind(ties)
        principal.watch_with(self.watch)
        if isinstance(principal.aliases, BudgetedNames):
            principal.aliases.calendar = self.calendar
        if principal.windows or principal.models:
            self._accounts[StoredAccount(principal.scope, principal.identity)] = principal
        await self._read((principal, *ties.accounts, *ties.groups.values()))

    def account(self, scope: str, identity: str, name: str, limits: Limits) -> Account:
        """The account of that id, bound by these limits from now on."""
        stored = StoredAccount(scope, identity)
        account = self._accounts.get(stored)
        if account is None:
            account = self._accounts[stored] = Account(scope, identity, share=self.share)
        account.name = name
        if account.limits != limits:
            account.adopt_limits(limits)
        account.watch_with(self.watch)
        return account

    def in_memory(self) -> tuple[Account, ...]:
        """Those that calls were made for not long ago."""
        return tuple(self._accounts.values())

    def recalled(self, scope: str, identity: str) -> Account | None:
        """One of those."""
        return self._accounts.get(StoredAccount(scope, identity))

    # -- what only a request names ---------------------------------------------------------------------

    def knows(self, principal: Principal, ask: Ask) -> bool:
        """Whether all that the request names is in memory."""
        if ask.end_user is not None:
            brought = principal.terms.customer_budget_id
            if ("customer", ask.end_user) not in self._parties:
                return False
            if brought is not None and budgeted(brought, ask.end_user) not in self._parties:
                return False
        return all(("tag", tag) in self._parties for tag in _request_tags(principal, ask))

    async def learn(self, principal: Principal, ask: Ask) -> None:
        """Find out about the customer and the tags of a request. While the storage is gone they bind nobody.

        Raises:
            Forbidden: the customer is blocked, or must be known and is not.
        """
        names = [("tag", tag) for tag in _request_tags(principal, ask)]
        if ask.end_user is not None:
            names.append(("customer", ask.end_user))
            if principal.terms.customer_budget_id is not None:
                names.append(budgeted(principal.terms.customer_budget_id, ask.end_user))
        missing = [name for name in names if name not in self._parties]
        if missing:
            try:
                found = await find_parties(missing, self._directory, self._limits, self.account)
                await self._read(party.account for party in found.values() if party is not None and party.account)
            except StorageUnavailable:
                return
            for name in missing:
                self._parties.setdefault(name, found.get(name))
            self._trim()

    def demand_open(self, ask: Ask) -> None:
        """Raise if the request's customer is let in nowhere.

        Raises:
            Forbidden: the customer is blocked, or must be known and is not.
        """
        party = None if ask.end_user is None else self._parties.get(("customer", ask.end_user))
        if party is not None and party.shut is not None:
            raise Forbidden(
                party.shut, hint="Ask the operator to unblock it.", code="customer_blocked", kind="auth_error"
            )

    def home_of(self, ask: Ask) -> Home | None:
        """See the base."""
        party = None if ask.end_user is None else self._parties.get(("customer", ask.end_user))
        return None if party is None else party.home

    def of_request(self, principal: Principal, ask: Ask, deployment: Deployment) -> Bound | None:
        """See the base."""
        bound: Bound | None = None
        if ask.end_user is not None:
            party = self._parties.get(("customer", ask.end_user))
            if party is not None:
                self._parties.move_to_end(("customer", ask.end_user))
                if party.gate is not None:
                    demand_passage(party.gate, ask.model, deployment.group, deployment.access_groups)
                if party.home is not None and deployment.region != party.home.region:
                    raise not_at_home(party.home)
            paying = self._paying(principal, ask.end_user, party)
            bound = None if paying is None else _of_party(paying, deployment)
        for tag in _request_tags(principal, ask):
            party = self._parties.get(("tag", tag))
            more = None if party is None else _of_party(party, deployment)
            if tag in principal.tag_rates:
                rate = binding(principal.tag_rates[tag])
                more = rate if more is None else more.plus(rate)
            if more is not None:
                bound = more if bound is None else bound.plus(more)
        return bound

    def _paying(self, principal: Principal, customer: str, party: Party | None) -> Party | None:
        """Whose limits bind a customer: its own, or else those that the key brings, or else everybody's."""
        brought = principal.terms.customer_budget_id
        if brought is None or (party is not None and party.is_own):
            return party
        budget = self._parties.get(budgeted(brought, customer))
        return party if budget is None or budget.account is None else budget

    # -- the operator's own limits ---------------------------------------------------------------------

    def follow(self, limits: GeneralLimits, reset: ResetClock = UTC_MIDNIGHT, watch: Watch | None = None) -> bool:
        """Take the configuration's limits, and what notices that budgets run out.

        Whether that changes anything: then keys have to be bound anew, and :meth:`catch_up` has to be awaited.
        """
        before = None if self.watch is None else self.watch.percents
        after = None if watch is None else watch.percents
        if (limits, reset, after) == (self._limits, self.calendar.reset, before):
            return False
        self.watch = watch
        self._limits = limits
        self.calendar = Calendar(self.calendar.clock, reset)
        self._parties.clear()
        self._capacity.follow(limits.reservation, self.share)
        self._general = {
            (scope, identity): self.account(scope, identity, identity or scope, its)
            for (scope, identity), its in limits.accounts.items()
        }
        return True

    async def catch_up(self) -> None:
        """Find out what was spent of the configuration's limits before.

        Raises:
            StorageUnavailable: nobody can say; they are in force all the same.
        """
        await self._read(self._general.values())

    def _of_call(self, principal: Principal, deployment: Deployment) -> Iterable[Account]:
        yield from super()._of_call(principal, deployment)
        if self._general:
            for name in _general_names(deployment):
                if name in self._general:
                    yield self._general[name]
        yield from self._capacity.accounts(deployment.group, principal.priority)

    def has_purse(self, deployment: Deployment) -> bool:
        """Whether there is a budget for the deployment, or for its provider."""
        return any(account.budget is not None for account in self._purses(deployment))

    def affords(self, deployment: Deployment) -> bool:
        """Whether its budgets leave anything, or it costs nothing."""
        return not deployment.charges or not any(account.is_gone(self.calendar) for account in self._purses(deployment))

    def _purses(self, deployment: Deployment) -> Iterable[Account]:
        names = (("deployment", deployment.id), ("provider", deployment.provider))
        return (self._general[name] for name in names if name in self._general)

    async def most_let_go(self, meter: Meter) -> int | None:
        """The budget of a period that ends, if what was spent beyond it is to count in the next; None: it is not.

        Raises:
            StorageUnavailable: nobody can say.
        """
        return await budget_of(meter, self._directory, self._limits) if self.calendar.reset.carries else None

    async def most_let_go_of_key(self, record: KeyRecord) -> int | None:
        """The same of a key's main budget.

        Raises:
            StorageUnavailable: nobody can say.
        """
        return await budget_of_key(record, self._directory) if self.calendar.reset.carries else None

    # -- keeping in step -------------------------------------------------------------------------------

    def changed(self, changes: Collection[Changed]) -> None:
        """Entries were made, changed or removed; who was bound by them finds that out anew.

        All at once, since every customer and tag in memory is looked at for it.
        """
        if any(changed.kind in _KEPT_WHOLE for changed in changes):
            self._directory.forget_groups()
        wanted = frozenset(changes)
        names = {(changed.kind, changed.identity) for changed in changes}
        for name, party in list(self._parties.items()):
            if name in names or (party is not None and not wanted.isdisjoint(party.sources)):
                del self._parties[name]

    def spent_more(self, identities: Iterable[str]) -> tuple[Account, ...]:
        """The accounts in memory among those (``scope/id``) whose spending changed."""
        found = (
            self._accounts.get(StoredAccount(*identity.split("/", 1))) for identity in identities if "/" in identity
        )
        return tuple(account for account in found if account is not None)

    async def refresh(self, accounts: Sequence[Account]) -> None:
        """Take what the store counts of them. Nothing may be on its way to the ledger meanwhile.

        Raises:
            StorageUnavailable: it cannot say.
        """
        await self._read(accounts)

    def stored(self, records: Iterable[CallRecord]) -> None:
        """The ledger took over these calls."""
        if not self._accounts:
            return
        for record in records:
            if not record.cost:
                continue
            for charged in accounts_of(record):
                self._stored(charged, record.cost)
            if record.end_user:
                self._stored(StoredAccount("customer", record.end_user), record.cost)

    def _stored(self, charged: StoredAccount, amount: int) -> None:
        if charged.scope == "key" and not charged.model:
            return  # the keyring is told of these
        account = self._accounts.get(StoredAccount(charged.scope, charged.identity))
        if account is not None and charged.model:
            account = account.models.get(charged.model)
        if account is not None:
            account.stored(amount)

    async def _read(self, accounts: Iterable[Account]) -> None:
        accounts = tuple(accounts)
        if self._memory is not None:
            await self._memory.recall(accounts)
        meters = [meter for account in accounts for meter in account.meters()]
        if not meters:
            return
        wanted = [one for account in accounts for one in durations_of(account.scope, account.identity, account.limits)]
        found = await self._spend.spent(meters)
        found = await mend(self._spend, wanted, found, self.calendar.clock.wall(), self.calendar.reset)
        for account in accounts:
            account.refresh(found)

    def _trim(self) -> None:
        while len(self._parties) > PARTIES_CACHED_MAX:
            # Not a list of all of them, since one more comes with every name that is not remembered.
            oldest = next((name for name, party in self._parties.items() if _is_idle(party)), None)
            if oldest is None:
                return
            del self._parties[oldest]


def _request_tags(principal: Principal, ask: Ask) -> Sequence[str]:
    """The tags of the request itself, those left out that are the key's anyway."""
    tags = _NOBODY if ask.routing is None else ask.routing.tags
    return tags if not tags or not principal.tags else [tag for tag in tags if tag not in principal.tags]


def _is_idle(party: Party | None) -> bool:
    return party is None or party.account is None or party.account.is_idle


def _of_party(party: Party, deployment: Deployment) -> Bound | None:
    if party.account is None:
        return None
    bound = party.bounds.get(deployment.group)
    if bound is None:
        bound = party.bounds[deployment.group] = binding((party.account, *of_model((party.account,), deployment)))
    return bound


def _general_names(deployment: Deployment) -> tuple[_Name, ...]:
    return (
        ("model", deployment.group),
        ("deployment", deployment.id),
        ("provider", deployment.provider),
        ("global", ""),
    )
