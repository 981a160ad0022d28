"""The promises every store keeps, whatever it is made of.

These hold for all of them:

- Every method is a coroutine and never blocks the event loop. What is said of keys, the directory, spending and appends
  arrives in the order of the calls, across all stores of one database; lists, reports, stored responses need not.
- Every call ends within the database's time limit. What cannot be answered in time, or at all, raises
  ``StorageUnavailable``; after a write that means: it is not known whether it happened. Every write may be repeated.
- A write is one transaction: all of it is kept or none.
- Money is in whole picodollars (1e-12 USD), times are in seconds since the epoch, days are days of UTC.
- Whole numbers have 63 bits. Ledgers saturate at the end of that range, key stores refuse what is beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.stores.activity import ActivityQuery, ActivityRow, Cell, Counts, FailureQuery, FailureRow, Ranked, Scope
from pointsman.stores.directory.ports import INTEGER_MAX, Account
from pointsman.stores.pages import CallPage, CallQuery
from pointsman.stores.performance import DeploymentUse, PerformanceFound, PerformanceQuery
from pointsman.stores.tag_users import TagQuery, TagUserPage, TagUsersFound

__all__ = [
    "INTEGER_MAX",
    "Appended",
    "Conflict",
    "DaySpend",
    "EnergySpend",
    "KeyChange",
    "KeyChanges",
    "KeyOwner",
    "KeyPage",
    "KeyQuery",
    "KeyRenewal",
    "KeySort",
    "KeyStore",
    "LedgerQuery",
    "LedgerStore",
    "LedgerTotals",
    "Removal",
    "SummaryQuery",
]

KeyOwner = Literal["user", "team"]

KeySort = Literal[
    "created_at", "updated_at", "spend", "max_budget", "key_alias", "key_name", "token", "expires", "last_active",
    "budget_reset_at", "tpm_limit", "rpm_limit",
]  # fmt: skip
"""What a list of keys can be ordered by."""


class Conflict(Malformed):
    """Another key has this alias (``key_alias_exists``) or this token (``key_exists``) already."""

    default_code = "key_alias_exists"


class KeyChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a key; a field that is not given stays as it is.

    ``spend`` sets what was spent so far, to which later calls add.
    """

    updated_at: float
    key_name: str | UnsetType = UNSET
    key_alias: str | UnsetType | None = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    aliases: dict[str, str] | UnsetType = UNSET
    metadata: msgspec.Raw | UnsetType = UNSET
    user_id: str | UnsetType | None = UNSET
    team_id: str | UnsetType | None = UNSET
    spend: int | UnsetType = UNSET
    max_budget: int | UnsetType | None = UNSET
    soft_budget: int | UnsetType | None = UNSET
    budget_duration: str | UnsetType | None = UNSET
    budget_reset_at: float | UnsetType | None = UNSET
    rpm_limit: int | UnsetType | None = UNSET
    tpm_limit: int | UnsetType | None = UNSET
    max_parallel_requests: int | UnsetType | None = UNSET
    expires: float | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    extra: msgspec.Raw | UnsetType = UNSET


KeyChange = KeyChanges | Callable[[KeyRecord], KeyChanges]
"""What to change of a key, or what tells that of the key as it is just then."""

KeyRenewal = KeyRecord | Callable[[KeyRecord], KeyRecord]
"""The key that comes in the place of another, or what makes it of that one as it is just then."""


class Removal(msgspec.Struct, frozen=True):
    """When and by whom a key was deleted, or which key took its place (its spending goes on there)."""

    at: float
    by: str | None = None
    replaced_by: str | None = None


class KeyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys to list. Filters hold together; those that are None do not count.

    With ``substring``, ``user_id`` and ``key_alias`` need only occur, upper or lower ASCII case. Absent values
    come first in rising order, last in falling order; ties are in the order of the tokens. Pages count from 1.
    ``status`` "deleted" lists the history instead of the live keys. Where nobody wants to know how many match, they are
    not ``counted``, which takes longer than the rest where there are millions.

    ``also_teams``: keys of these teams are listed beside those of ``user_id``. ``search`` is a token, or occurs in the
    alias. ``expires`` compares with ``now``. ``organization_id``, ``project_id``, ``agent_id`` and ``access_group_id``
    are what a key keeps as JSON (an array in the case of groups); keys of ``organization_teams`` count as those of the
    organization.
    """

    page: int = 1
    size: int = 10
    counted: bool = True
    user_id: str | None = None
    team_id: str | None = None
    key_alias: str | None = None
    substring: bool = False
    key_hash: str | None = None
    also_teams: tuple[str, ...] = ()
    search: str | None = None
    blocked: bool | None = None
    expires: Literal["active", "expired"] | None = None
    now: float = 0.0
    organization_id: str | None = None
    organization_teams: tuple[str, ...] = ()
    project_id: str | None = None
    agent_id: str | None = None
    access_group_id: str | None = None
    sort_by: KeySort = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    status: Literal["live", "deleted"] = "live"

    @property
    def is_searching(self) -> bool:
        """Whether something is asked for that has no index."""
        wanted = (self.search, self.expires, self.organization_id, self.project_id, self.agent_id, self.access_group_id)
        return bool(self.also_teams) or self.blocked is not None or wanted != (None,) * len(wanted)


class KeyPage(msgspec.Struct, frozen=True):
    """One page of keys, and the number of all that match, if that was asked for.

    ``removals`` stand beside deleted records, by position.
    """

    records: tuple[KeyRecord, ...]
    total: int
    removals: tuple[Removal, ...] = ()


class KeyStore(Protocol):
    """Virtual keys, found by the digest (``token``) of the key; the key itself is never kept."""

    async def get(self, token: str) -> KeyRecord | None:
        """The live key with this token."""
        ...

    async def insert(self, record: KeyRecord) -> None:
        """Add a key.

        Raises:
            Conflict: a live key has this alias or this token.
            Malformed: a value cannot be kept (beyond 63 bits, not Unicode).
        """
        ...

    async def update(self, token: str, changes: KeyChange) -> KeyRecord:
        """Change a live key and give it as it now is. Spending that goes on meanwhile is not lost.

        What tells the changes of the key as it is, is pure and may be asked more than once; what it raises leaves the
        key as it was. Nobody else changes the key meanwhile.

        Raises:
            NotFound: no such live key.
            Conflict, Malformed: see :meth:`insert`.
        """
        ...

    async def rotate(self, old_token: str, renewed: KeyRenewal) -> KeyRecord:
        """Put a key in the place of another, which is deleted, and give it as it is now kept.

        ``renewed`` is the new key, or makes it of the old one as it is just then, as in :meth:`update`. ``spend``,
        ``created_at`` and ``last_active`` are taken over from the old key, and what calls of the old key still cost is
        added to the new one. The history says that it happened at the new key's ``updated_at``, by its ``created_by``.

        Raises:
            NotFound: no such live key.
            Conflict, Malformed: see :meth:`insert`.
        """
        ...

    async def delete(self, tokens: Sequence[str], at: float, by: str | None = None) -> tuple[str, ...]:
        """Move the live ones among these keys to the history, and name them in the order given."""
        ...

    async def find(self, query: KeyQuery) -> KeyPage:
        """One page of the keys that match."""
        ...

    async def count_of(self, whose: KeyOwner, identities: Sequence[str]) -> Mapping[str, int]:
        """How many live keys each of these users or teams has, but for those who have none."""
        ...

    async def changed_since(self, version: int) -> tuple[int, tuple[str, ...]]:
        """The tokens of keys that changed after ``version``, each once, and the version to ask with next time.

        Made, updated, rotated, deleted and reset keys count, so that a process that asks now and then learns what the
        others did; what calls added to their spending the directory's store tells. ``changed_since(0)`` begins at the
        beginning. An answer may be cut short; asking on with the version it gave continues it, and the same version
        back means there is no more.
        """
        ...

    async def version(self) -> int:
        """The present version: what :meth:`changed_since` gives to one who knows everything."""
        ...

    async def reset_budget(
        self, token: str, now: float, next_reset_at: float | None, at_most: int | None = None
    ) -> KeyRecord | None:
        """If the key's ``budget_reset_at`` has come, set ``spend`` to 0 and ``budget_reset_at`` to the next one.

        With ``at_most`` (picodollars) only so much is let go of, and what was spent beyond stays spent.
        Gives the key as it now is; None if it is not live or not due, so that of two processes one resets it.
        """
        ...

    async def budgets_due(self, now: float, limit: int = 1000) -> tuple[KeyRecord, ...]:
        """Live keys whose ``budget_reset_at`` has come, the longest due first."""
        ...


class Appended(msgspec.Struct, frozen=True):
    """What an append added: new calls, and new picodollars by ``key_token`` as recorded, and by account."""

    calls: int
    spend: Mapping[str, int]
    accounts: Mapping[Account, int] = {}


class LedgerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls to give, latest start first. Filters hold together; ``start`` is included, ``end`` is not.

    ``answer_id`` is not given together with ``call_id``, and may be that of several calls. Of those that began within
    the same minutes ``limit`` may leave out any.
    """

    call_id: str | None = None
    answer_id: str | None = None
    key_token: str | None = None
    user_id: str | None = None
    start: float | None = None
    end: float | None = None
    limit: int = 100
    offset: int = 0


class SummaryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which days to sum up, both ends included, and whose calls; None: everybody's."""

    first_day: date
    last_day: date
    key_token: str | None = None
    user_id: str | None = None


class DaySpend(msgspec.Struct, frozen=True):
    """One day that had calls: picodollars in all, by key token, by user (``""`` for nobody), by model group.

    Calls that reached no deployment count under the model ``""``, so that no client can invent models here.
    """

    day: date
    calls: int
    spend: int
    keys: Mapping[str, int]
    users: Mapping[str, int]
    models: Mapping[str, int]


class EnergySpend(msgspec.Struct, frozen=True):
    """What one host drew on one day for one caller's calls of one model.

    ``energy_mwh`` is in milliwatt-hours, ``energy_cost`` in picodollars; ``host`` is an address without path.
    """

    day: date
    key_token: str
    user_id: str
    model_group: str
    host: str
    calls: int
    energy_mwh: int
    energy_cost: int


class LedgerTotals(msgspec.Struct, frozen=True):
    """Everything ever recorded. ``failures`` are calls that did not succeed, cancelled ones included."""

    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    spend: int = 0


class LedgerStore(Protocol):
    """The record of all calls. Nothing is changed after it was added; the oldest are let go of where that is wanted."""

    async def append(self, records: Sequence[CallRecord]) -> Appended:
        """Add calls. One that is known already (``call_id``) is left as it was and counts for nothing.

        In the same transaction the key's ``spend`` and ``last_active`` rise (a rotated key's in its successor, a
        deleted key's in the history), so do the totals of every account that the call was made for
        (:class:`pointsman.stores.directory.ports.SpendStore`), and the sums that :meth:`summary` and :meth:`totals`
        give.
        """
        ...

    async def find(self, query: LedgerQuery) -> tuple[CallRecord, ...]:
        """The calls that match."""
        ...

    async def set_activity(self, day: int, routes: str, sums: Mapping[Cell, Counts]) -> int:
        """Put sums of calls of one day that another gateway served in place of those from before; how many changed.

        Their routes begin with ``routes``, and none of this gateway's own does: other sums of the day that are told by
        such routes, in the scopes of ``sums``, are removed. No total of an account changes.
        """
        ...

    async def page(self, query: CallQuery) -> CallPage:
        """Calls that match, the latest start first, and a cursor for what follows.

        Calls that are added meanwhile are not told twice, nor do they move others off the pages.

        Raises:
            Malformed: the cursor is none.
        """
        ...

    async def count(self, query: CallQuery, most: int) -> int:
        """How many calls match, as far as ``most`` and as far as one page would look."""
        ...

    async def prune(self, before: float, limit: int) -> int:
        """Remove up to ``limit`` of the oldest calls that started before a moment; how many there were. Sums stay."""
        ...

    async def summary(self, query: SummaryQuery) -> tuple[DaySpend, ...]:
        """The days that match, in their order."""
        ...

    async def energy(self, query: SummaryQuery) -> tuple[EnergySpend, ...]:
        """What local hosts drew, by day, then by the other fields in their order."""
        ...

    async def activity(self, query: ActivityQuery) -> tuple[ActivityRow, ...]:
        """Calls added up as the query says: always from sums, never from the calls themselves."""
        ...

    async def ranked(self, scope: Scope, first_day: date, last_day: date, limit: int = 100) -> tuple[Ranked, ...]:
        """Who of a scope spent most within the days, both included, the greatest first."""
        ...

    async def tag_users(self, query: TagQuery) -> TagUsersFound:
        """How many different users the keys of each tag's calls have."""
        ...

    async def users_of_tags(self, query: TagQuery) -> TagUserPage:
        """What each user did under the tags, as far as the latest ``pointsman.stores.tag_users.SUMS_MAX`` sums tell."""
        ...

    async def catch_up(self, limit: int) -> int:
        """Count in what was recorded before there were counts of it, by up to so many sums; 0: nothing is left."""
        ...

    async def lines(self, most: int) -> int:
        """How many different lines were ever told apart, as far as ``most``: whether a report may name every key."""
        ...

    async def failed_calls(self, query: FailureQuery) -> tuple[FailureRow, ...]:
        """How many calls of a model group failed with a status, by day and host."""
        ...

    async def totals(self) -> LedgerTotals:
        """The sums of everything."""
        ...

    async def performance(self, query: PerformanceQuery) -> PerformanceFound:
        """How fast and how well calls went that reached a deployment, ordered by day, deployment and outcome.

        No more than :data:`pointsman.stores.performance.CALLS_MAX` calls are looked at.
        """
        ...

    async def use_of_deployments(self, start: float, end: float) -> tuple[DeploymentUse, ...]:
        """What each deployment was sent that calls reached, of those from ``start`` to before ``end``; by its id."""
        ...
