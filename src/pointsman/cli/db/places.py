"""Databases as operators name them, and both ends of a transfer between them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import apsw

from pointsman.assembly.backends import SQLITE_FILE, postgres_database, sqlite_file
from pointsman.config.data_directory import default_data_directory, in_container
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.config.load import Loaded, load
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.stores.sqlite import SqliteDatabase
from pointsman.stores.sqlite.failures import for_operators, translated
from pointsman.stores.sqlite.migrate import pending, shipped
from pointsman.stores.transfer import Source, Target
from pointsman.stores.transfer.sqlite_end import SqliteEnd, back_up

if TYPE_CHECKING:
    from pointsman.stores.postgres import PostgresDatabase

__all__ = [
    "Place",
    "configured_place",
    "named_place",
    "place_of",
    "sqlite_pending",
    "told",
    "transfer_source",
    "transfer_target",
]

Place: TypeAlias = "Path | PostgresDatabase"
"""A SQLite file, or a PostgreSQL database that is not open."""

_SQLITE_HEADER: Final = b"SQLite format 3\x00"


def configured_place(config_path: Path | None, data_directory: Path | None) -> Place:
    """The database that ``pointsman serve`` would use with the same options.

    Raises:
        Misconfigured: the configuration is wrong.
    """
    environment = process_environment()
    said = EnvironmentSettings.read(environment)
    directory = (
        data_directory
        or said.data_directory
        or default_data_directory(environment, container=in_container(environment))
    )
    return place_of(load(config_path or said.config_path, environment), directory)


def place_of(loaded: Loaded, data_directory: Path) -> Place:
    """The database that a gateway uses which is set up by ``loaded``.

    Raises:
        Misconfigured: its URL is wrong, or what is needed for it is not installed.
    """
    if loaded.database_url is None:
        return data_directory / SQLITE_FILE
    url, source = loaded.database_url
    return sqlite_file(url.reveal()) or postgres_database(url, source, loaded, SYSTEM_CLOCK)


def named_place(text: str, option: str) -> Place:
    """The database that an option names: a URL, or a file.

    Raises:
        Misconfigured: it is a URL that is not understood.
    """
    if "://" not in text:
        return Path(text).expanduser()
    return sqlite_file(text) or postgres_database(Secret(text), option, None, SYSTEM_CLOCK)


def told(place: Place) -> str:
    """What an operator may read of a database."""
    return str(place) if isinstance(place, Path) else place.address.place


def sqlite_pending(path: Path) -> tuple[str, ...]:
    """The names of the steps that a file still needs.

    Raises:
        StorageUnavailable, Misconfigured: it cannot be read, or is no file of ours.
    """
    if not path.exists():
        return tuple(step.name for step in shipped())
    with for_operators(), translated(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            return tuple(step.name for step in pending(connection, path, shipped()))
        finally:
            connection.close()


@asynccontextmanager
async def transfer_source(place: Place) -> AsyncIterator[Source]:
    """Where to read from, with this version's schema; an older file is copied and the copy brought up to date.

    Raises:
        StorageUnavailable, Misconfigured: it cannot be read.
    """
    if not isinstance(place, Path):
        from pointsman.stores.transfer.postgres_end import PostgresEnd  # noqa: PLC0415 - an extra

        await _demand_current(place)
        async with PostgresEnd.reading(place.address) as end:
            yield end
        return
    if not place.is_file():
        raise Misconfigured(f"There is no file {place}.", hint="Name the database of a gateway, or a backup.")
    if not await asyncio.to_thread(_is_sqlite, place):
        raise Misconfigured(
            f"{place} is no backup and no database of a gateway.",
            hint="Name a file as `pointsman db backup` wrote it; a compressed one has to be unpacked before.",
        )
    if not sqlite_pending(place):
        with SqliteEnd.reading(place) as file:
            yield file
        return
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".pointsman-") as folder:
        copy = Path(folder) / SQLITE_FILE
        for _ in back_up(place, copy):
            pass
        await _bring_up_to_date(copy)
        with SqliteEnd.reading(copy) as file:
            file.place = str(place)
            yield file


@asynccontextmanager
async def transfer_target(place: Place) -> AsyncIterator[Target]:
    """Where to write to, made or brought to this version's schema before; kept when the block ends well.

    Raises:
        StorageUnavailable, Misconfigured: it cannot be written.
    """
    if isinstance(place, Path):
        with _removed_if_it_fails(place):
            await _bring_up_to_date(place)
            with SqliteEnd.writing(place) as file:
                yield file
        return
    from pointsman.stores.transfer.postgres_end import PostgresEnd  # noqa: PLC0415 - an extra

    await place.open()
    await place.close()
    async with PostgresEnd.writing(place.address) as end:
        yield end


def _is_sqlite(path: Path) -> bool:
    """Whether a file begins as every SQLite database does that has something in it."""
    with path.open("rb") as file:
        return file.read(len(_SQLITE_HEADER)) == _SQLITE_HEADER


@contextmanager
def _removed_if_it_fails(path: Path) -> Iterator[None]:
    """Leave no empty database behind where none was before."""
    keeps = path.exists()
    try:
        yield
        keeps = True
    finally:
        if not keeps:
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)


async def _bring_up_to_date(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.open()
    await database.close()


async def _demand_current(database: PostgresDatabase) -> None:
    missing = await database.pending()
    if missing:
        raise Misconfigured(
            f"The database {database.address.place} lacks {missing[0].name}.",
            hint="Bring it up to date first with: pointsman db migrate",
        )
