"""Moves call records from the spool to the ledger, in batches, behind everybody's back.

Where a batch ended is remembered only in memory: after a crash a file is read again from its beginning, and the
ledger ignores the calls it knows. So nothing has to be written twice in one transaction, and any ledger will do.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

import msgspec

from pointsman.accounting.segments import Batch, Orphan, Segment, SegmentReader, orphans, read_lines
from pointsman.accounting.spool import Spool
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import Malformed, StorageUnavailable
from pointsman.core.outcome import CallRecord
from pointsman.stores.ports import LedgerStore

__all__ = ["Backlog", "Mover", "Periods"]

_log: Final = logging.getLogger("pointsman.accounting")

_BATCH_RECORDS: Final = 2_000
"""Telling of them and letting go of them holds the event loop for less than a millisecond."""
_BATCH_RECORDS_MIN: Final = 100
_BATCH_SECONDS: Final = 0.05
"""How long one batch may take: whoever asks the database for a key that is not in memory waits for it."""
_HELD_BATCH_LINES: Final = 250
_GATHER_SECONDS: Final = 0.1
_MANY_RECORDS: Final = 200
"""Gathered in one time, these show that it is worth the while to gather for four times as long."""
_ADOPT_SECONDS: Final = 30.0
_RETRY_FIRST_SECONDS: Final = 0.1
_RETRY_MAX_SECONDS: Final = 2.0
_UNHEALTHY_LOOK_SECONDS: Final = 1.0
_REJECTED_BYTES_MAX: Final = 64 * 1024 * 1024


class Backlog(msgspec.Struct, frozen=True):
    """What waits for the ledger.

    ``records`` are this process's; ``oldest_seconds`` is how long the oldest of them has waited, or a little more.
    ``rejected`` counts lines set aside since the start; ``trouble`` says why nothing moves, or is None.
    """

    records: int
    oldest_seconds: float
    rejected: int
    trouble: str | None


class Periods(Protocol):
    """Periods of budgets, which are to begin before what was spent in them is added to what was spent."""

    async def over_at(self) -> float | None:
        """When the first ended of those that the store has not begun anew, in seconds since the epoch; None: none has.

        Raises:
            StorageUnavailable: nobody can say.
        """
        ...

    async def begin(self) -> None:
        """Have the store begin all that are due.

        Raises:
            StorageUnavailable: it could not.
        """
        ...


class Mover:
    """Brings what ``spool`` takes, and what dead processes left beside it, to ``ledger``.

    ``on_moved`` is told, after each batch and exactly once for every record that this process appended, the
    picodollars by ``key_token`` that the ledger now has; what other processes left is not told. ``on_records`` is
    told of these records themselves. Neither may raise. What was spent before a period of ``periods`` ended is brought
    before that is begun anew, and what was spent after it afterwards. With ``forgets_customers`` the ledger is not told
    for whom calls were made.
    """

    def __init__(
        self,
        spool: Spool,
        ledger: LedgerStore,
        on_moved: Callable[[Mapping[str, int]], None],
        *,
        clock: Clock = SYSTEM_CLOCK,
        gather_seconds: float = _GATHER_SECONDS,
        on_records: Callable[[Sequence[CallRecord]], None] = lambda _records: None,
        periods: Periods | None = None,
    ) -> None:
        self._periods = periods
        self._spool = spool
        self._ledger = ledger
        self._on_moved = on_moved
        self._on_records = on_records
        self._clock = clock
        self._gather_seconds = gather_seconds
        self.forgets_customers = False
        self._decoder = msgspec.json.Decoder(CallRecord)
        self._moving = asyncio.Lock()
        self._moved = 0
        self._batch_records = _BATCH_RECORDS
        self._waiting_since: float | None = None
        self._rejected = 0
        self._trouble: str | None = None

    # -- what others call ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Move for as long as the process lives; trouble with the ledger is waited out, at most 2 s at a time."""
        adopt_at = self._clock.monotonic()
        delay = 0.0
        while True:
            try:
                await self._move_own()
                if self._clock.monotonic() >= adopt_at:
                    await self._adopt()
                    adopt_at = self._clock.monotonic() + _ADOPT_SECONDS
            except (StorageUnavailable, OSError) as error:
                delay = min(delay * 2, _RETRY_MAX_SECONDS) or _RETRY_FIRST_SECONDS
                self._complain(error)
                await asyncio.sleep(delay)
                continue
            delay = 0.0
            self._recover()
            await self._wait_for_records(adopt_at)

    async def drain(self, timeout_seconds: float) -> bool:
        """Move everything now, what dead processes left included; whether that was done in time.

        For the start (before keys are read) and for the end (after the last call).
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    if await self._drained():
                        return True
                    await asyncio.sleep(_RETRY_FIRST_SECONDS)
        except TimeoutError:
            return False

    def still(self) -> asyncio.Lock:
        """Held, it keeps records from moving, so that what the ledger has and what waits add up."""
        return self._moving

    def backlog(self) -> Backlog:
        """What waits now."""
        waiting = self._spool.appended - self._spool.lost - self._moved
        since = self._waiting_since
        oldest = max(self._clock.wall() - since, 0.0) if since is not None and waiting else 0.0
        return Backlog(waiting, oldest, self._rejected, self._trouble)

    # -- waiting ---------------------------------------------------------------------------------------

    async def _drained(self) -> bool:
        try:
            await self._move_own()
            await self._adopt()
        except (StorageUnavailable, OSError) as error:
            self._complain(error)
            return False
        self._recover()
        return self._spool.healthy

    async def _wait_for_records(self, until: float) -> None:
        """Wait for the next append and then a moment for more to gather, or until it is time to look for orphans."""
        appended = asyncio.Event()
        self._spool.on_append(appended.set)
        if self._unread():
            # Appended between the last look and this one.
            appended.set()
        patience = max(until - self._clock.monotonic(), 0.0)
        if not self._spool.healthy:
            patience = min(patience, _UNHEALTHY_LOOK_SECONDS)
        try:
            async with asyncio.timeout(patience):
                await appended.wait()
        except TimeoutError:
            self._spool.retry()
            return
        if self._waiting_since is None:
            self._waiting_since = self._clock.wall()
        await asyncio.sleep(self._gather_seconds)
        if self.backlog().records >= _MANY_RECORDS:
            # Each batch has its price, whatever its size: a transaction, the sums of each key, the pages it touches.
            await asyncio.sleep(self._gather_seconds * 3)

    def _unread(self) -> bool:
        return any(segment.size > segment.moved for segment in self._spool.segments())

    def _complain(self, error: StorageUnavailable | OSError) -> None:
        said = error.told() if isinstance(error, StorageUnavailable) else str(error)
        if said != self._trouble:
            _log.error("Call records wait in the spool: %s", said)
        self._trouble = said

    def _recover(self) -> None:
        if self._trouble is not None:
            _log.warning("Call records move to the ledger again.")
        self._trouble = None

    # -- moving ----------------------------------------------------------------------------------------

    async def _move_own(self) -> None:
        async with self._moving:
            self._spool.flush()
            self._spool.look()
            for segment in self._spool.segments():
                await self._move_segment(segment)
            await self._move_held()
            if not self._unread() and self._spool.healthy:
                self._moved = self._spool.appended - self._spool.lost - self._spool.unflushed
                self._waiting_since = None

    async def _move_segment(self, segment: Segment) -> None:
        goal = segment.size  # what comes meanwhile waits for its own batch: each costs a transaction, however small
        if segment.moved >= goal:
            return
        while segment.moved < goal:
            batch = segment.remembered(self._batch_records) or _read(segment)
            if batch.end == segment.moved:
                return
            kept = await self._bring(batch)
            self._spool.moved(segment, batch.end)
            self._acknowledge(kept)

    async def _move_held(self) -> None:
        """Bring to the ledger what the spool's disk does not take."""
        while lines := self._spool.take_held(_HELD_BATCH_LINES):
            kept: list[CallRecord] | None = None
            try:
                batch = read_lines(self._decoder, b"".join(lines), 0)
                kept = await self._bring(batch)
            finally:
                if kept is None:
                    self._spool.give_back(lines)
            self._acknowledge(kept)

    def _acknowledge(self, kept: Sequence[CallRecord]) -> None:
        self._moved += len(kept)
        if not kept:
            return
        self._waiting_since = kept[-1].ended_at
        amounts: dict[str, int] = {}
        for record in kept:
            amounts[record.key_token] = amounts.get(record.key_token, 0) + record.cost
        self._on_moved(amounts)
        self._on_records(kept)

    async def _adopt(self) -> None:
        async with self._moving:
            try:
                with closing(orphans(self._spool.directory, self._spool.name)) as found:
                    for orphan in found:
                        await self._move_orphan(orphan)
            except OSError as error:
                # Somebody else's files are no reason to hold up our own records.
                _log.error("What a dead process left in %s cannot be moved: %s", self._spool.directory, error)

    async def _move_orphan(self, orphan: Orphan) -> None:
        count = 0
        for path in orphan.paths:
            with closing(SegmentReader(path)) as reader:
                position = 0
                while True:
                    # Old files may have to come from the disk, and that is no wait for the event loop.
                    batch = await asyncio.to_thread(reader.read, position, sealed=True)
                    if batch.end == position:
                        break
                    count += len(await self._bring(batch))
                    position = batch.end
            path.unlink()
        if count:
            _log.warning("Recovered %d call records that a process called %s left.", count, orphan.name)

    async def _bring(self, batch: Batch) -> list[CallRecord]:
        """Bring a batch to the ledger, set aside what it or we cannot read, and give what it has now."""
        await asyncio.sleep(0)  # a ledger that answers at once gives nobody else a turn
        kept: list[CallRecord] = []
        refused: list[CallRecord] = []
        records = batch.records
        over_at = None if self._periods is None or not records else await self._periods.over_at()
        if self._periods is not None and over_at is not None:
            before = [record for record in records if record.ended_at < over_at]
            kept, refused = await self._append_unnamed(before)
            records = [record for record in records if record.ended_at >= over_at]
            if records:
                await self._periods.begin()
        began = self._clock.monotonic()
        more_kept, more_refused = await self._append_unnamed(records)
        self._learn(len(records), self._clock.monotonic() - began)
        self._set_aside([*batch.rejected, *map(msgspec.json.encode, [*refused, *more_refused])])
        return kept + more_kept

    async def _append_unnamed(self, records: list[CallRecord]) -> tuple[list[CallRecord], list[CallRecord]]:
        """Append, without the customers where the ledger is not told of them."""
        if not self.forgets_customers:
            return await self._append(records)
        kept, refused = await self._append([msgspec.structs.replace(record, end_user=None) for record in records])
        return kept if refused else records, refused

    def _learn(self, records: int, seconds: float) -> None:
        """Have the next batch take about as long as one may: calls of one key cost a fraction of calls of many."""
        if seconds > _BATCH_SECONDS:
            wanted = int(records * _BATCH_SECONDS / seconds)
            self._batch_records = min(self._batch_records, max(wanted, _BATCH_RECORDS_MIN))
        elif records >= self._batch_records:
            self._batch_records = min(self._batch_records * 2, _BATCH_RECORDS)

    async def _append(self, records: list[CallRecord]) -> tuple[list[CallRecord], list[CallRecord]]:
        """Append; where the ledger refuses one record, the others are kept. Gives the kept and the refused ones."""
        if not records:
            return [], []
        try:
            await self._ledger.append(records)
        except Malformed as error:
            if len(records) == 1:
                _log.error("The ledger refuses a call record: %s", error.told())
                return [], records
        else:
            return records, []
        half = len(records) // 2
        kept, refused = await self._append(records[:half])
        more_kept, more_refused = await self._append(records[half:])
        return kept + more_kept, refused + more_refused

    def _set_aside(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        self._rejected += len(lines)
        path = self._spool.directory / "rejected.jsonl"
        _log.error("%d lines of the spool cannot be read as call records; see %s", len(lines), path)
        try:
            _append_lines(path, lines)
        except OSError as error:
            _log.error("They cannot be set aside there either: %s", error.strerror)


def _read(segment: Segment) -> Batch:
    """What comes next in a segment, from its file, as far as that is not in memory; nothing if the file is gone."""
    try:
        with closing(SegmentReader(segment.path)) as reader:
            return reader.read(segment.moved, sealed=segment.sealed, until=segment.read_until)
    except FileNotFoundError:
        gone = segment.read_until - segment.moved
        _log.error("%s is gone, and with it the call records that waited only there (%d bytes).", segment.path, gone)
        return Batch([], [], segment.read_until)


def _append_lines(path: Path, lines: Sequence[bytes]) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_size < _REJECTED_BYTES_MAX:
            os.write(file, b"".join(line + b"\n" for line in lines))
    finally:
        os.close(file)
