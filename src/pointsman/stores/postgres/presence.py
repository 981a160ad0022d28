"""Which gateway processes use the database, so that work which one left unfinished can be told from another's.

A process gets a number that nobody had before, and says every few seconds that it is still there. One that has not
been heard of for a while is taken to have ended; what it had begun has failed. The server's clock decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.migrate import shipped
from pointsman.stores.postgres.response_statements import (
    BEAT,
    ENTER,
    FAIL_LEFT,
    FORGET_NAMED,
    FORGET_PROCESSES,
    LEAVE,
)
from pointsman.stores.postgres.session import Session

__all__ = ["BEAT_SECONDS", "SILENT_SECONDS_MAX", "PostgresPresence"]

BEAT_SECONDS: Final = 5.0
SILENT_SECONDS_MAX: Final = 30.0


class PostgresPresence:
    """This process's place among all. ``number`` is 0 until :meth:`enter`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self.number = 0
        self._database = database
        self._name = ""
        self._steps = len(shipped())

    async def enter(self, name: str, gone: Sequence[str] = ()) -> int:
        """Be there from now on, under a number of its own, which is given.

        Processes whose names begin so (``gone``, each up to and with its @) are known to have ended.

        Raises:
            StorageUnavailable: the database cannot answer.
        """

        async def job(session: Session) -> int:
            if gone:
                await session.execute(FORGET_NAMED, list(gone))
                await session.execute(FAIL_LEFT)
            return await session.whole(ENTER, name, self._steps) or 0

        self._name = name
        self.number = await self._database.write(job)
        return self.number

    async def beat(self, *, look_after_others: bool = True) -> int:
        """Say that it is still there, and mark as failed what those left who are not; gives how much that was.

        After an outage nobody could say so for a while, and others are to be given time before they are looked after.

        Raises:
            StorageUnavailable: as :meth:`enter`.
        """

        async def job(session: Session) -> int:
            await session.execute(BEAT, self.number, self._name, self._steps)
            if not look_after_others:
                return 0
            await session.execute(FORGET_PROCESSES, SILENT_SECONDS_MAX)
            return await session.execute(FAIL_LEFT)

        return await self._database.write(job)

    async def leave(self) -> None:
        """Be there no more; what is unfinished has failed.

        Raises:
            StorageUnavailable: as :meth:`enter`.
        """

        async def job(session: Session) -> None:
            await session.execute(LEAVE, self.number)
            await session.execute(FAIL_LEFT)

        await self._database.write(job)
