"""What can be told of a database: which it is, its schema, its size, what is in it, and who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import apsw
import msgspec

from pointsman.cli.db.places import Place, sqlite_pending
from pointsman.stores.sqlite.failures import translated
from pointsman.stores.sqlite.migrate import shipped

if TYPE_CHECKING:
    from pointsman.stores.postgres import PostgresDatabase

__all__ = ["Fact", "facts"]

_IN_FILE: Final = (
    ("keys", "keys", "SELECT count(*) FROM keys"),
    ("deleted_keys", "deleted keys", "SELECT count(*) FROM deleted_keys"),
    ("calls", "calls", "SELECT coalesce(sum(calls), 0) FROM daily_activity WHERE scope = 1"),
    ("calls_kept", "calls kept", "SELECT count(*) FROM calls"),
    ("stored_responses", "stored responses", "SELECT count(*) FROM responses"),
)
_SIDE_FILES: Final = ("", "-wal")


class Fact(msgspec.Struct, frozen=True):
    """Something about a database; ``name`` is for programs, ``title`` for people."""

    name: str
    title: str
    value: str | int

    @classmethod
    def table(cls, found: Sequence[Self]) -> str:
        """Facts for people."""
        width = max(len(fact.title) for fact in found)
        return "\n".join(f"{fact.title:{width}}  {_said(fact.value)}" for fact in found)

    @classmethod
    def json(cls, found: Sequence[Self]) -> str:
        """Facts for programs."""
        told = {fact.name: fact.value for fact in found}
        return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


async def facts(place: Place) -> tuple[Fact, ...]:
    """What can be told.

    Raises:
        StorageUnavailable, Misconfigured: nothing can be.
    """
    return _of_file(place) if isinstance(place, Path) else await _of_server(place)


def _of_file(path: Path) -> tuple[Fact, ...]:
    missing, known = sqlite_pending(path), len(shipped())
    found = [Fact("kind", "kind", "SQLite"), Fact("place", "file", str(path)), _schema(known - len(missing), known)]
    if not path.exists():
        return (*found, Fact("bytes", "bytes", 0))
    size = sum(side.stat().st_size for suffix in _SIDE_FILES if (side := Path(f"{path}{suffix}")).exists())
    found.append(Fact("bytes", "bytes", size))
    if missing:  # the tables may be none of these
        return tuple(found)
    with translated(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            found += [Fact(name, title, int(connection.execute(text).get)) for name, title, text in _IN_FILE]
        finally:
            connection.close()
    return tuple(found)


async def _of_server(database: PostgresDatabase) -> tuple[Fact, ...]:
    report = await database.report()
    found = [
        Fact("kind", "kind", "PostgreSQL"),
        Fact("place", "database", database.address.place),
        Fact("version", "server", report.version),
        _schema(report.applied, report.known),
    ]
    counted = [Fact(name, name.replace("_", " "), number) for name, number in report.numbers]
    return (*found, *counted)


def _schema(applied: int, known: int) -> Fact:
    missing = known - applied
    more = f"; {missing} to come: pointsman db migrate" if missing > 0 else ""
    newer = "; a newer version uses it, too" if missing < 0 else ""
    return Fact("schema", "schema", f"{applied} of {known}{more}{newer}")


def _said(value: str | int) -> str:
    return value if isinstance(value, str) else f"{value:,}"
