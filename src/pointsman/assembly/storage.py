"""The database, the spool beside it, and the loops that keep memory and both in step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pointsman.accounting.mover import Mover
from pointsman.accounting.segments import left_behind
from pointsman.accounting.spool import Spool
from pointsman.assembly.backends import Backend
from pointsman.assembly.budget_periods import BudgetPeriods
from pointsman.assembly.newcomers import Newcomers
from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.core.outcome import CallRecord
from pointsman.policies.account_book import AccountBook
from pointsman.policies.keyring import Keyring
from pointsman.stores.directory.ports import Changed
from pointsman.stores.response_ports import STORED_BYTES_MAX
from pointsman.stores.spend_news import ANYBODY, SPENDING

__all__ = ["GRACE_SECONDS", "Storage"]

GRACE_SECONDS: Final = 3_600.0
_KEYS_SECONDS: Final = 1.0
_LATE_SECONDS: Final = 0.005
_GATHER_SECONDS: Final = 0.02
"""After so long what is changed together has been changed."""
_SWEEP_SECONDS: Final = 60.0
_START_DRAIN_SECONDS: Final = 30.0
_log: Final = logging.getLogger("pointsman.storage")


class Storage:
    """Everything that is kept. ``periods`` has budgets start over.

    What may be replaced: ``response_bytes_max``, the bytes that stored responses and conversations may take together,
    and ``grace_seconds``, how long keys in memory are believed while the database does not answer (None: for ever).
    ``accounts``, once set, is kept in step with what is spent. ``audit_seconds`` is for how long entries of the audit
    log are kept (None: for good).
    """

    def __init__(self, backend: Backend, directory: Path, worker: int, clock: Clock) -> None:
        self._clock = clock
        self._backend = backend
        self.keys = backend.keys
        self.ledger = backend.ledger
        self.directory = backend.directory
        self.spend = backend.spend
        self.audit = backend.audit
        self.sign_in = backend.sign_in
        self.responses = backend.responses
        self.conversations = backend.conversations
        self.spool = Spool(directory / "spool", f"worker-{worker}", clock=clock)
        self.periods = BudgetPeriods(self.keys, self.spend, clock)
        self.mover = Mover(
            self.spool, self.ledger, self._moved, clock=clock, on_records=self._moved_records, periods=self.periods
        )
        self.accounts: AccountBook | None = None
        self.response_bytes_max = STORED_BYTES_MAX
        self.grace_seconds: float | None = GRACE_SECONDS
        self._gone: tuple[str, ...] = ()
        self.audit_seconds: float | None = None
        self.newcomers = Newcomers(self.directory, clock)
        self._keyring: Keyring | None = None
        self._version = self._directory_version = 0
        self._listeners: list[Callable[[Collection[Changed]], None]] = []
        self._sweep_at = 0.0
        self._look = asyncio.Event()
        self._asked = False
        self._heard_at = clock.monotonic()
        self.trouble: str | None = None

    async def open(self) -> None:
        """Open the database and bring over what an earlier process left in the spool, before keys are read.

        Raises:
            StorageUnavailable, Misconfigured: it cannot be opened.
        """
        try:
            self._gone = left_behind(self.spool.directory, self.spool.name)
        except OSError as error:
            _log.warning("The spool cannot be looked through: %s", error)
        await self._backend.open()
        await self.mover.drain(_START_DRAIN_SECONDS)
        self._version = await self.keys.version()
        self._directory_version = await self.directory.version()
        self._heard_at = self._clock.monotonic()

    def on_change(self, listener: Callable[[Collection[Changed]], None]) -> None:
        """Tell ``listener`` of each entry of the directory that any process changes, a second later at most."""
        self._listeners.append(listener)

    def look(self) -> None:
        """Somebody has changed something: do not wait until it is time to look."""
        self._asked = True
        self._look.set()

    async def enter(self) -> int:
        """The number under which this process works in the background; what a former one left has failed.

        Raises:
            StorageUnavailable: the database cannot answer.
        """
        return await self._backend.enter(self.spool.name, self._gone)

    async def follow(self, keyring: Keyring) -> None:
        """Keep ``keyring`` in step with what other processes change, and reset budgets; runs until cancelled."""
        self._keyring = keyring
        while True:
            await self._wait()
            try:
                await self.periods.begin()
                await self._refresh(keyring)
                await self._refresh_entries(keyring)
                await self._sweep()
                await self._backend.beat()
            except StorageUnavailable as error:
                self._complain(keyring, error)
            else:
                self._recover(keyring)

    async def _wait(self) -> None:
        # An alarm that rings the same bell costs a fraction of a wait that is cut off, every second.
        # Periods end at whole seconds, so that is when to look.
        patience = _KEYS_SECONDS - self._clock.wall() % _KEYS_SECONDS + _LATE_SECONDS
        alarm = asyncio.get_running_loop().call_later(patience, self._look.set)
        try:
            await self._look.wait()
        finally:
            alarm.cancel()
        if self._asked:
            await asyncio.sleep(_GATHER_SECONDS)
        self._asked = False
        self._look.clear()

    async def flush(self, patience_seconds: float = 1.0) -> None:
        """Bring what is spooled to the ledger, as far as that takes no longer than ``patience_seconds``."""
        await self.mover.drain(patience_seconds)

    async def close(self) -> None:
        """Bring over the last records and close; what cannot be brought over stays in the spool."""
        if not await self.mover.drain(5.0):
            _log.warning("Some call records stay in the spool; the next start brings them over.")
        self.spool.close()
        await self._backend.close()

    def _complain(self, keyring: Keyring, error: StorageUnavailable) -> None:
        if self.trouble is None:
            meanwhile = "Keys in memory go on meanwhile, and call records wait in the spool."
            _log.error("%s %s%s", error.told(), meanwhile, f" ({error.detail})" if error.detail else "")
        self.trouble = error.told()
        silent_seconds = self._clock.monotonic() - self._heard_at
        if self.grace_seconds is not None and silent_seconds > self.grace_seconds:
            keyring.doubt = error

    def _recover(self, keyring: Keyring) -> None:
        if self.trouble is not None:
            _log.warning("The database answers again.")
        self._heard_at = self._clock.monotonic()
        self.trouble = keyring.doubt = None

    async def _refresh(self, keyring: Keyring) -> None:
        while True:
            version, tokens = await self.keys.changed_since(self._version)
            if version == self._version:
                return
            await self._refresh_keys(keyring, tokens)
            self._version = version

    async def _refresh_keys(self, keyring: Keyring, tokens: Iterable[str]) -> None:
        known = [token for token in tokens if keyring.remembers(token)]
        if known:
            async with self.mover.still():
                for token in known:
                    keyring.changed(token, await self.keys.get(token))

    async def _refresh_spending(self, keyring: Keyring, spent: Collection[str]) -> None:
        """Take over what calls, those of other processes too, added to what these (``scope/id``) have spent."""
        anybody = ANYBODY.identity in spent
        if anybody:
            keyring.spending_unknown()
        await self._refresh_keys(keyring, [name[4:] for name in spent if name.startswith("key/")])
        if self.accounts is not None:
            accounts = self.accounts.in_memory() if anybody else self.accounts.spent_more(spent)
            if accounts:
                async with self.mover.still():
                    await self.accounts.refresh(accounts)

    async def _refresh_entries(self, keyring: Keyring) -> None:
        while True:
            version, changes = await self.directory.changed_since(self._directory_version)
            if version == self._directory_version:
                return
            await self._refresh_spending(keyring, [change.identity for change in changes if change.kind == SPENDING])
            others = [change for change in changes if change.kind != SPENDING]
            if others:
                for listener in self._listeners:
                    listener(others)
            self._directory_version = version

    async def _sweep(self) -> None:
        """Remove a little of what has expired; as long as there may be more, every time."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        if now < self._sweep_at:
            return
        more = await self.responses.sweep(wall, bytes_max=self.response_bytes_max)
        more = bool(await self.sign_in.sweep(wall)) or more
        if self.audit_seconds is not None:
            more = await self.audit.sweep(wall - self.audit_seconds) or more
        if not more:
            self._sweep_at = now + _SWEEP_SECONDS

    def _moved(self, amounts: Mapping[str, int]) -> None:
        if self._keyring is not None:
            self._keyring.stored(amounts.items())

    def _moved_records(self, records: Sequence[CallRecord]) -> None:
        if self.accounts is not None:
            self.accounts.stored(records)
        if not self.mover.forgets_customers:
            self.newcomers.note(records)
