"""Entries of the directory, written into a gateway's database as another process would."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from pointsman.stores.directory.kinds import Kind
from pointsman.stores.directory.ports import Write
from pointsman.stores.sqlite import SqliteDatabase, SqliteDirectoryStore
from tests.support.gateway import Gateway

__all__ = ["put_entries"]


def put_entries(gateway: Gateway, *entries: tuple[Kind[Any], msgspec.Struct]) -> None:
    """Put entries in their place, whatever was there."""

    async def put() -> None:
        database = SqliteDatabase(gateway.data_dir / "pointsman.db")
        await database.open()
        try:
            writes = [Write(kind, kind.identity(record), record) for kind, record in entries]
            await SqliteDirectoryStore(database).write(writes)
        finally:
            await database.close()

    asyncio.run(put())
