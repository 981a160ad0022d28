"""A connection for one purpose, beside those of the lanes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pointsman.stores.postgres.address import PostgresAddress
from pointsman.stores.postgres.failures import REFUSALS, refusal, translated
from pointsman.stores.postgres.session import Session, connect

__all__ = ["connection"]


@asynccontextmanager
async def connection(address: PostgresAddress, timeout_seconds: float) -> AsyncIterator[Session]:
    """A connection that ends with the block; what was begun and not committed is undone.

    Raises:
        StorageUnavailable: there is none, or it broke.
        Misconfigured: the server does not let us in.
    """
    with translated(address):
        try:
            session = await connect(address, timeout_seconds)
        except REFUSALS as error:
            raise refusal(address, error) from error
        try:
            yield session
        finally:
            session.abandon()
