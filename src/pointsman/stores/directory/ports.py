"""The promises of the directory and of the spend counters; those of :mod:`pointsman.stores.ports` hold here too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from pointsman.core.errors import Malformed
from pointsman.stores.directory.kinds import Kind

__all__ = [
    "INTEGER_MAX",
    "Account",
    "AliasTaken",
    "Changed",
    "DirectoryPage",
    "DirectoryQuery",
    "DirectoryStore",
    "Due",
    "EntryExists",
    "Meter",
    "SpendStore",
    "Spent",
    "Write",
]

T = TypeVar("T", bound=msgspec.Struct)

INTEGER_MAX: Final = 2**63 - 1
"""The largest whole number kept: as picodollars, 9.2 million dollars."""


class EntryExists(Malformed):
    """There is an entry with this id already."""

    default_code = "entry_exists"


class AliasTaken(Malformed):
    """Another entry of the kind has this alias."""

    default_code = "alias_exists"


class DirectoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of a kind to list. Filters hold together; those that are None do not count.

    ``search`` need only occur in the id or the alias, upper or lower ASCII case. Absent aliases come first in rising
    order; ties are in the order of the ids. Pages count from 1. By ``spend`` is by what the account of the same id has
    spent in its present period. ``stored`` occurs in the entry as it is stored, which is JSON without spaces: so those
    that have something in common that no index knows are found without reading all of them.
    """

    ids: tuple[str, ...] | None = None
    parent: str | None = None
    owner: str | None = None
    alias: str | None = None
    search: str | None = None
    stored: str | None = None
    page: int = 1
    size: int = 100
    sort_by: Literal["id", "alias", "created_at", "updated_at", "spend"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"


class DirectoryPage(msgspec.Struct, Generic[T], frozen=True):
    """One page of entries and the number of all that match."""

    records: tuple[T, ...]
    total: int


class Changed(NamedTuple):
    """An entry that was made, changed or removed. For spending (``kind`` "spend") the id is ``scope/id``."""

    kind: str
    identity: str


class Write(NamedTuple):
    """An entry to be put in its place (``record``), or to be removed (None)."""

    kind: Kind[Any]
    identity: str
    record: msgspec.Struct | None


class DirectoryStore(Protocol):
    """Entries by kind and id."""

    async def get(self, kind: Kind[T], identity: str) -> T | None:
        """The entry with this id."""
        ...

    async def look_up(self, wanted: Sequence[tuple[Kind[Any], str]]) -> tuple[Any | None, ...]:
        """Entries of several kinds, in the order asked for, all of one moment."""
        ...

    async def insert(self, kind: Kind[T], record: T) -> None:
        """Add an entry.

        Raises:
            EntryExists, AliasTaken: it cannot be added.
            Malformed: a value cannot be kept (not Unicode).
        """
        ...

    async def update(self, kind: Kind[T], identity: str, change: Callable[[T], T]) -> T:
        """Replace an entry by what ``change`` makes of it, and give it as it now is.

        ``change`` is pure, must not change the id, and may be called more than once; what it raises leaves the entry
        as it was. Nobody else changes the entry meanwhile.

        Raises:
            NotFound: no such entry.
            AliasTaken, Malformed: see :meth:`insert`.
        """
        ...

    async def write(self, writes: Sequence[Write]) -> None:
        """Put and remove entries, all of it or none, in this order; what is there already is replaced.

        Raises:
            AliasTaken, Malformed: see :meth:`insert`.
        """
        ...

    async def delete(self, kind: Kind[Any], identities: Sequence[str]) -> tuple[str, ...]:
        """Remove those that exist, and name them in the order given."""
        ...

    async def find(self, kind: Kind[T], query: DirectoryQuery) -> DirectoryPage[T]:
        """One page of the entries that match."""
        ...

    async def changed_since(self, version: int) -> tuple[int, tuple[Changed, ...]]:
        """What changed after ``version``, each once, and the version to ask with next time.

        Spending that rose counts as a change of kind "spend" with the id ``scope/id``, that of keys too. It is told for
        a minute; who did not ask for longer may be told that anybody may have spent, by an id that is empty.
        ``changed_since(0)`` begins at the beginning. An answer may be cut short; asking on continues it, and the same
        version back means there is no more.
        """
        ...

    async def version(self) -> int:
        """The present version."""
        ...


class Account(NamedTuple):
    """What spending is counted by.

    ``scope``: key, user, team, member, project, organization, organization_member, customer, tag, model, model_group,
    deployment, provider or global (whose id is empty); ``model`` is a model group, ``""`` for all of them together.
    What a key has spent since its budget began anew is in its record; here it is counted since ever, for its further
    budgets.
    """

    scope: str
    identity: str
    model: str = ""


class Meter(NamedTuple):
    """An account within a period that starts over now and then; ``window`` tells periods of one account apart.

    ``""`` is the period of the main budget, another text the duration of a budget beside it.
    """

    scope: str
    identity: str
    model: str = ""
    window: str = ""


class Spent(msgspec.Struct, frozen=True):
    """Picodollars: ``total`` since ever, and what it was when the period began."""

    total: int = 0
    baseline: int = 0
    reset_at: float | None = None

    @property
    def amount(self) -> int:
        """What the period has spent."""
        return self.total - self.baseline


class Due(NamedTuple):
    """A period that is over, with its duration."""

    meter: Meter
    duration: str
    reset_at: float


class SpendStore(Protocol):
    """What accounts have spent. Totals only rise, within the transaction that appends to the ledger."""

    async def spent(self, meters: Sequence[Meter]) -> Mapping[Meter, Spent]:
        """What each has spent, all of one moment, in the order of ``meters``; nothing where nothing is known."""
        ...

    async def set_amount(self, meter: Meter, amount: int) -> Spent:
        """Have the period have spent ``amount`` so far, to which later calls add."""
        ...

    async def schedule(self, meter: Meter, duration: str | None, reset_at: float | None) -> Spent:
        """Have the period end at ``reset_at`` and then every ``duration``; None: never."""
        ...

    async def reset(self, meter: Meter, now: float, next_reset_at: float | None, at_most: int | None = None) -> bool:
        """If the end of the period has come, begin the next one. Of two processes that try, one does it.

        With ``at_most`` (picodollars) what was spent beyond that counts in the next one.
        """
        ...

    async def due(self, now: float, limit: int = 1000) -> tuple[Due, ...]:
        """Periods whose end has come, the longest due first."""
        ...

    async def forget(self, scope: str, identity: str) -> None:
        """Remove the periods of an account that is no more. Its totals stay, since the calls stay."""
        ...
