"""The two ends of a transfer, and the form in which rows travel: tuples, calls with all their columns, JSON as text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

__all__ = ["CHECKS", "DERIVED", "MADE_ANEW", "Batch", "Progress", "Source", "Sums", "Target"]

Batch: TypeAlias = Sequence[tuple[Any, ...]]
"""Some rows of a table."""

Sums: TypeAlias = tuple[int, ...]
"""The number of rows, and sums of what matters most."""

DERIVED: Final = frozenset(
    {
        "schema_migrations",
        "party_seconds",
        "stored_bytes",
        "processes",
        "audit_retention",
        "sqlite_sequence",
        "spend_news",
        "tag_user_days",
        "tag_users",
        "roll_up_progress",
    }
)
"""Tables that each end makes for itself out of the others, or that are about it alone."""

MADE_ANEW: Final = ("party_seconds", "tag_user_days", "tag_users", "roll_up_progress")
"""Those of them that are emptied with the others."""

# In halves, since a sum beyond 63 bits would be an error in SQLite. Both divide towards zero.
CHECKS: Final[Mapping[str, str]] = {
    "keys": "SELECT count(*), sum(spend / 4294967296), sum(spend % 4294967296) FROM keys",
    "deleted_keys": "SELECT count(*), sum(spend / 4294967296), sum(spend % 4294967296) FROM deleted_keys",
    "calls": (
        "SELECT count(*), sum(cost / 4294967296), sum(cost % 4294967296), sum(prompt_tokens / 4294967296), "
        "sum(prompt_tokens % 4294967296), sum(completion_tokens / 4294967296), sum(completion_tokens % 4294967296), "
        "sum(id / 4294967296), sum(id % 4294967296), sum(context), sum(party) FROM calls"
    ),
    "activity_lines": "SELECT count(*), sum(id) FROM activity_lines",
    "daily_activity": (
        "SELECT count(*), sum(spend / 4294967296), sum(spend % 4294967296), sum(calls), sum(failures), "
        "sum(prompt_tokens / 4294967296), sum(prompt_tokens % 4294967296), sum(day), sum(line) FROM daily_activity"
    ),
    "daily_failures": "SELECT count(*), sum(calls), sum(day), sum(http_status) FROM daily_failures",
    "daily_energy": "SELECT count(*), sum(energy_mwh / 4294967296), sum(energy_mwh % 4294967296) FROM daily_energy",
    "spend_totals": "SELECT count(*), sum(total / 4294967296), sum(total % 4294967296) FROM spend_totals",
    "spend_periods": "SELECT count(*), sum(baseline / 4294967296), sum(baseline % 4294967296) FROM spend_periods",
}
"""What is compared of these tables; of others it is the number of rows."""


class Progress(NamedTuple):
    """How far a transfer is: rows of ``table``, and of everything."""

    table: str
    done: int
    total: int


class Source(Protocol):
    """Where everything is read from, as it is at one moment. The place is as an operator may read it."""

    place: str

    async def tables(self) -> Mapping[str, tuple[str, ...]]:
        """The columns of each table as they travel, in an order in which each comes after those it refers to."""
        ...

    async def sums(self, table: str) -> Sums:
        """What is compared of a table."""
        ...

    def rows(self, table: str) -> AsyncIterator[Batch]:
        """All rows of a table, some at a time."""
        ...


class Target(Protocol):
    """Where everything is written to, in one transaction."""

    place: str

    async def tables(self) -> Mapping[str, tuple[str, ...]]:
        """The columns of each table as they travel."""
        ...

    async def empty(self) -> None:
        """Remove everything."""
        ...

    async def sums(self, table: str) -> Sums:
        """What is compared of a table."""
        ...

    async def put(self, table: str, columns: Sequence[str], rows: Batch) -> None:
        """Add rows."""
        ...

    async def complete(self) -> None:
        """Make what is made out of the rest."""
        ...
