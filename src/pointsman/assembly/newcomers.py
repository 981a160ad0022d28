"""Customers that calls name for the first time become entries, as in LiteLLM: a moment later, and up to a bound.

So that they are listed, and can be given a budget or be blocked, without anybody having made them by hand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import islice
from typing import Final

from pointsman.core.clock import Clock
from pointsman.core.errors import GatewayError, StorageUnavailable
from pointsman.core.outcome import CallRecord
from pointsman.stores.directory.kinds import CUSTOMERS
from pointsman.stores.directory.ports import DirectoryStore
from pointsman.stores.directory.records import Customer

__all__ = ["Newcomers"]

_log: Final = logging.getLogger("pointsman.customers")

_AT_ONCE: Final = 200
_PAUSE_SECONDS: Final = 1.0
_SEEN_MAX: Final = 16_384
"""Customers who are remembered to have been seen, so that nobody looks for them again."""
_WAITING_MAX: Final = 4_096
"""Customers who wait for their entry; whoever comes beyond that gets one the next time they call."""
_MADE_MAX: Final = 100_000
"""Entries that one process makes: whoever calls may make up as many names as they like."""


class Newcomers:
    """Makes the entries. ``made`` counts those of this process."""

    def __init__(self, directory: DirectoryStore, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._seen: set[str] = set()
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.made = 0

    def note(self, records: Iterable[CallRecord]) -> None:
        """These calls are in the ledger."""
        for customer_id in {record.end_user for record in records if record.end_user and record.status == "success"}:
            if customer_id not in self._seen and len(self._waiting) < _WAITING_MAX and self.made < _MADE_MAX:
                self._waiting[customer_id] = None
        if self._waiting:
            self._wake.set()

    async def run(self) -> None:
        """Make entries as there are newcomers; runs until cancelled."""
        while True:
            await self._wake.wait()
            try:
                await self.make()
            except StorageUnavailable:
                _log.debug("The database does not answer; customers wait for their entries.")
            if not self._waiting:
                self._wake.clear()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def make(self) -> None:
        """Make some of the entries that are missing.

        Raises:
            StorageUnavailable: the database cannot answer; nobody is forgotten.
        """
        names = list(islice(self._waiting, _AT_ONCE))
        found = await self._directory.look_up([(CUSTOMERS, name) for name in names])
        for name, entry in zip(names, found, strict=True):
            if entry is None and self.made < _MADE_MAX:
                await self._insert(name)
            del self._waiting[name]
            if len(self._seen) >= _SEEN_MAX:
                self._seen.clear()
            self._seen.add(name)

    async def _insert(self, name: str) -> None:
        now = self._clock.wall()
        try:
            await self._directory.insert(CUSTOMERS, Customer(customer_id=name, created_at=now, updated_at=now))
        except StorageUnavailable:
            raise
        except GatewayError:
            return  # somebody else was faster, or it is no name that can be kept
        self.made += 1
        if self.made == _MADE_MAX:
            _log.warning("Calls have named %d new customers; further ones get no entry of their own.", _MADE_MAX)
