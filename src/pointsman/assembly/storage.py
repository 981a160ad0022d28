"""The database, the spool beside it, and the loops that keep memory and both in step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pointsman.accounting.mover import Mover
from pointsman.accounting.spool import Spool
from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.policies.durations import UTC_MIDNIGHT, next_reset
from pointsman.policies.keyring import Keyring
from pointsman.stores.response_ports import STORED_BYTES_MAX
from pointsman.stores.sqlite import (
    SqliteAuditStore,
    SqliteConversationStore,
    SqliteDatabase,
    SqliteDirectoryStore,
    SqliteKeyStore,
    SqliteLedgerStore,
    SqliteResponseStore,
    SqliteSpendStore,
)

__all__ = ["Storage"]

_KEYS_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 60.0
_START_DRAIN_SECONDS: Final = 30.0
_log: Final = logging.getLogger("pointsman.storage")


class Storage:
    """Everything that is kept. Budgets are reset by ``reset_clock``, which may be replaced.

    So may ``response_bytes_max``, the bytes that stored responses and conversations may take together, and
    ``audit_seconds``, for how long entries of the audit log are kept (None: for good).
    """

    def __init__(self, directory: Path, worker: int, clock: Clock) -> None:
        self._clock = clock
        self.database = SqliteDatabase(directory / "pointsman.db", clock=clock)
        self.keys = SqliteKeyStore(self.database)
        self.ledger = SqliteLedgerStore(self.database)
        self.directory = SqliteDirectoryStore(self.database)
        self.spend = SqliteSpendStore(self.database)
        self.audit = SqliteAuditStore(self.database)
        self.responses = SqliteResponseStore(self.database)
        self.conversations = SqliteConversationStore(self.database)
        self.spool = Spool(directory / "spool", f"worker-{worker}", clock=clock)
        self.mover = Mover(self.spool, self.ledger, self._moved, clock=clock)
        self.reset_clock = UTC_MIDNIGHT
        self.response_bytes_max = STORED_BYTES_MAX
        self.audit_seconds: float | None = None
        self._keyring: Keyring | None = None
        self._version = 0
        self._sweep_at = 0.0
        self.trouble: str | None = None

    async def open(self) -> None:
        """Open the database and bring over what an earlier process left in the spool, before keys are read.

        Raises:
            StorageUnavailable, Misconfigured: it cannot be opened.
        """
        await self.database.open()
        await self.mover.drain(_START_DRAIN_SECONDS)
        self._version = await self.keys.version()

    async def follow(self, keyring: Keyring) -> None:
        """Keep ``keyring`` in step with what other processes change, and reset budgets; runs until cancelled."""
        self._keyring = keyring
        while True:
            await asyncio.sleep(_KEYS_SECONDS)
            try:
                await self._reset_budgets()
                await self._refresh(keyring)
                await self._sweep()
            except StorageUnavailable as error:
                self.trouble = error.message
            else:
                self.trouble = None

    async def flush(self, patience_seconds: float = 1.0) -> None:
        """Bring what is spooled to the ledger, as far as that takes no longer than ``patience_seconds``."""
        await self.mover.drain(patience_seconds)

    async def close(self) -> None:
        """Bring over the last records and close; what cannot be brought over stays in the spool."""
        if not await self.mover.drain(5.0):
            _log.warning("Some call records stay in the spool; the next start brings them over.")
        self.spool.close()
        await self.database.close()

    async def _refresh(self, keyring: Keyring) -> None:
        while True:
            version, tokens = await self.keys.changed_since(self._version)
            if version == self._version:
                return
            for token in tokens:
                if keyring.remembers(token):
                    keyring.changed(token, await self.keys.get(token))
            self._version = version

    async def _reset_budgets(self) -> None:
        now = self._clock.wall()
        for record in await self.keys.budgets_due(now):
            following = next_reset(record.budget_duration, now, self.reset_clock) if record.budget_duration else None
            await self.keys.reset_budget(record.token, now, following)
        for due in await self.spend.due(now):
            await self.spend.reset(due.meter, now, next_reset(due.duration, now, self.reset_clock))

    async def _sweep(self) -> None:
        """Remove a little of what has expired; as long as there may be more, every time."""
        now = self._clock.monotonic()
        if now < self._sweep_at:
            return
        wall = self._clock.wall()
        more = await self.responses.sweep(wall, bytes_max=self.response_bytes_max)
        if self.audit_seconds is not None:
            more = await self.audit.sweep(wall - self.audit_seconds) or more
        if not more:
            self._sweep_at = now + _SWEEP_SECONDS

    def _moved(self, amounts: Mapping[str, int]) -> None:
        if self._keyring is not None:
            self._keyring.stored(amounts.items())
