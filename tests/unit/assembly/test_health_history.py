"""What health checks found is found again by other processes and after a restart, and never too much of it."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.assembly.health_history import HealthKeeper
from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.providers.health import HealthBook, HealthEntry, Verdict
from pointsman.stores.directory.kinds import HEALTH_HISTORIES
from pointsman.stores.directory.records import HealthHistory
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.directory import MemoryDirectoryStore

HOUR = 3600.0
DAY = 24 * HOUR


def entry(number: int, *, healthy: bool, at: float, deployment: str = "dep-1", error: str | None = None) -> HealthEntry:
    verdict = Verdict(deployment_id=deployment, healthy=healthy, source="checked", at=at, seconds=0.5, error=error)
    status = "healthy" if healthy else "unhealthy"
    return HealthEntry(f"hc-{number}", "chat", deployment, status, verdict, "background")  # type: ignore[arg-type] # one of the two


class Desk:
    """A keeper, and the directory that it writes to."""

    def __init__(self) -> None:
        self.directory = MemoryDirectoryStore(MemoryDatabase())
        self.failures: list[BaseException] = []
        self.nursery = Nursery(lambda _name, error: self.failures.append(error))
        self.keeper = HealthKeeper(self.directory, self.nursery)

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        assert self.failures == []

    async def stored(self, deployment: str = "dep-1") -> HealthHistory:
        found = await self.directory.get(HEALTH_HISTORIES, deployment)
        assert found is not None
        return found


async def test_changes_are_kept_and_repetitions_once_an_hour() -> None:
    desk = Desk()
    told = [(True, 0.0), (True, 60.0), (False, 120.0), (False, 180.0), (True, 240.0), (True, 240.0 + HOUR)]
    for number, (healthy, at) in enumerate(told):
        desk.keeper.keep(entry(number, healthy=healthy, at=at, error=None if healthy else "no\ud800pe"))
    await desk.settle()
    lines = (await desk.stored()).lines
    assert [(line.id, line.healthy) for line in lines] == [
        ("hc-5", True), ("hc-4", True), ("hc-2", False), ("hc-0", True),
    ]  # fmt: skip
    assert lines[2].error == "no?pe"


async def test_no_deployment_has_more_than_its_share_and_those_that_are_gone_are_forgotten() -> None:
    desk = Desk()
    desk.keeper.keep(entry(0, healthy=True, at=0.0, deployment="gone"))
    await desk.settle()
    for number in range(300):
        desk.keeper.keep(entry(number, healthy=bool(number % 2), at=100 * DAY + number))
        if number % 50 == 0:
            await desk.settle()
    for _ in range(20):
        await desk.settle()
    lines = (await desk.stored()).lines
    assert (len(lines), lines[0].id) == (200, "hc-299")
    assert await desk.directory.get(HEALTH_HISTORIES, "gone") is None


async def test_what_cannot_be_stored_now_is_stored_with_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()

    async def gone(*_: object) -> None:
        raise StorageUnavailable("The database is gone.")

    with monkeypatch.context() as outage:
        outage.setattr(desk.directory, "update", gone)
        desk.keeper.keep(entry(0, healthy=True, at=0.0))
        await desk.settle()
    desk.keeper.keep(entry(1, healthy=False, at=60.0))
    await desk.settle()
    assert [line.id for line in (await desk.stored()).lines] == ["hc-1", "hc-0"]


def test_the_book_tells_each_line_of_its_history() -> None:
    book, told = HealthBook(), list[HealthEntry]()
    book.on_line = told.append
    assert list(book.history()) == told == []
