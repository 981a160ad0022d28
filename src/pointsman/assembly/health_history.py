"""Brings what health checks found into the directory, where all processes and the next start find it."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.core.errors import NotFound, StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.providers.health import HealthEntry, HealthWatch
from pointsman.stores.directory.kinds import HEALTH_HISTORIES
from pointsman.stores.directory.ports import DirectoryQuery, DirectoryStore, EntryExists
from pointsman.stores.directory.records import HealthHistory, HealthLine

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway

__all__ = ["HealthKeeper", "kept"]

_LINES_MAX: Final = 200
"""Kept of each deployment: more than a week of hourly lines."""
_PENDING_MAX: Final = 10_000
_REPEAT_SECONDS: Final = 3600.0
_FORGOTTEN_SECONDS: Final = 90 * 86_400.0
"""After so long without a check a deployment is taken to be gone."""
_AT_ONCE_MAX: Final = 100
_ERROR_CHARACTERS_MAX: Final = 1000
_log: Final = logging.getLogger("pointsman.health")


def kept(gateway: Gateway, watch: HealthWatch) -> HealthWatch:
    """The watch, whose findings are kept from now on."""
    keeper = HealthKeeper(gateway.storage.directory, gateway.nursery)
    watch.book.on_line = keeper.keep
    return watch


class HealthKeeper:
    """Stores lines in the background, one batch after the other; what cannot be stored now is, with the next one."""

    def __init__(self, directory: DirectoryStore, nursery: Nursery) -> None:
        self._directory = directory
        self._nursery = nursery
        self._pending: deque[HealthEntry] = deque(maxlen=_PENDING_MAX)
        self._is_storing = False
        self._swept_at = 0.0

    def keep(self, entry: HealthEntry) -> None:
        """Store a line soon."""
        self._pending.append(entry)
        if not self._is_storing:
            self._is_storing = True
            self._nursery.start(self._store_pending(), "health history")

    async def _store_pending(self) -> None:
        try:
            while self._pending:
                entry = self._pending[0]
                await self._store(entry)
                self._pending.popleft()
                await self._sweep(entry.verdict.at)
        except StorageUnavailable as error:
            _log.warning("What health checks found is kept in memory for now: %s", error.message)
        finally:
            self._is_storing = False

    async def _store(self, entry: HealthEntry) -> None:
        """Add a line; after a start, and of several processes, only one that tells something new.

        Raises:
            StorageUnavailable: it cannot be stored now.
        """
        verdict, line = entry.verdict, _line(entry)

        def change(before: HealthHistory) -> HealthHistory:
            last = before.lines[0] if before.lines else None
            if last is not None and last.healthy is line.healthy and abs(line.at - last.at) < _REPEAT_SECONDS:
                return before
            lines = (line, *before.lines)[:_LINES_MAX]
            return msgspec.structs.replace(before, lines=lines, model_name=entry.model_name, updated_at=verdict.at)

        try:
            await self._directory.update(HEALTH_HISTORIES, entry.model_id, change)
        except NotFound:
            first = HealthHistory(
                deployment_id=entry.model_id,
                model_name=entry.model_name,
                lines=(line,),
                created_at=verdict.at,
                updated_at=verdict.at,
            )
            try:
                await self._directory.insert(HEALTH_HISTORIES, first)
            except EntryExists:
                await self._directory.update(HEALTH_HISTORIES, entry.model_id, change)

    async def _sweep(self, now: float) -> None:
        """Now and then, forget deployments that are gone."""
        if now - self._swept_at < _REPEAT_SECONDS:
            return
        self._swept_at = now
        query = DirectoryQuery(sort_by="updated_at", sort_order="asc", size=_AT_ONCE_MAX)
        oldest = (await self._directory.find(HEALTH_HISTORIES, query)).records
        gone = [one.deployment_id for one in oldest if now - one.updated_at > _FORGOTTEN_SECONDS]
        if gone:
            await self._directory.delete(HEALTH_HISTORIES, gone)


def _line(entry: HealthEntry) -> HealthLine:
    verdict = entry.verdict
    # A server may write anything, and what it writes need not be text that can be kept.
    error = verdict.error and verdict.error[:_ERROR_CHARACTERS_MAX].encode("utf-8", "replace").decode()
    return HealthLine(entry.id, verdict.healthy, verdict.at, verdict.seconds, error, entry.checked_by)
