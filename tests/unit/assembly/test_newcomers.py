"""Customers that calls name become entries."""

from __future__ import annotations

import pytest

from pointsman.assembly import newcomers as module
from pointsman.assembly.newcomers import Newcomers
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.outcome import CallRecord
from pointsman.stores.directory.kinds import CUSTOMERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Customer
from pointsman.stores.memory import MemoryDatabase, MemoryDirectoryStore


@pytest.fixture
def directory() -> MemoryDirectoryStore:
    return MemoryDirectoryStore(MemoryDatabase())


@pytest.fixture
def newcomers(directory: MemoryDirectoryStore) -> Newcomers:
    return Newcomers(directory, SYSTEM_CLOCK)


def calls(*names: str | None, status: str = "success") -> list[CallRecord]:
    return [CallRecord("c", "acompletion", "/r", 1.0, end_user=name, status=status) for name in names]  # type: ignore[arg-type]


async def listed(directory: MemoryDirectoryStore) -> list[str]:
    return sorted(one.customer_id for one in (await directory.find(CUSTOMERS, DirectoryQuery())).records)


async def test_who_is_named_gets_an_entry_and_who_has_one_keeps_it(
    directory: MemoryDirectoryStore, newcomers: Newcomers
) -> None:
    await directory.insert(CUSTOMERS, Customer(customer_id="dora", alias="Dora"))
    newcomers.note(calls("carol", None, "", "dora", "carol"))
    await newcomers.make()
    assert await listed(directory) == ["carol", "dora"] and newcomers.made == 1
    dora = await directory.get(CUSTOMERS, "dora")
    assert dora is not None and dora.alias == "Dora"
    carol = await directory.get(CUSTOMERS, "carol")
    assert carol is not None and carol.created_at > 0


async def test_a_call_that_failed_makes_nobody_known(directory: MemoryDirectoryStore, newcomers: Newcomers) -> None:
    newcomers.note(calls("carol", status="failure"))
    await newcomers.make()
    assert await listed(directory) == []


async def test_there_is_an_end_of_them(
    directory: MemoryDirectoryStore, newcomers: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAITING_MAX", 5)
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    monkeypatch.setattr(module, "_MADE_MAX", 4)
    monkeypatch.setattr(module, "_SEEN_MAX", 2)
    newcomers.note(calls(*[f"c{number}" for number in range(10)]))
    for _ in range(3):
        await newcomers.make()
    assert len(await listed(directory)) == 4 == newcomers.made
    newcomers.note(calls("another"))
    await newcomers.make()
    assert len(await listed(directory)) == 4


async def test_a_name_that_cannot_be_kept_stops_nobody(directory: MemoryDirectoryStore, newcomers: Newcomers) -> None:
    newcomers.note(calls("\ud800"))
    newcomers.note(calls("carol"))
    await newcomers.make()
    assert await listed(directory) == ["carol"]
