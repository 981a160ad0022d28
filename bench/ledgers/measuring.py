"""What a filled ledger costs those who use it directly: appends, key checks, retention, and memory."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from ledgers.asking import Cost
from ledgers.calls import DAYS, Company, key_text
from ledgers.places import Place, Stores
from ledgers.spending_time import Spending
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.outcome import CallRecord
from pointsman.core.secret import Secret
from pointsman.policies.account_book import AccountBook
from pointsman.policies.keyring import Keyring

__all__ = ["Direct", "Remembered", "keyring_of", "measure", "of_today", "remembered"]

_BATCH: Final = 2000
_BATCHES: Final = 5
_CHECKS: Final = 500
_STEPS: Final = 5
_STEP: Final = 500
_DAY_SECONDS: Final = 86_400
_FEW: Final = 50
_FOLDER: Final = Path(__file__).resolve().parent.parent


class Direct(msgspec.Struct, frozen=True):
    """Microseconds of processors per call that is appended, and what single steps cost (milliseconds)."""

    append_us: float
    append_few_us: float
    costs: dict[str, Cost]


class Remembered(msgspec.Struct, frozen=True):
    """What a process took to remember keys: how many it touched, how many it kept, and its memory before and after."""

    touched: int
    kept: int
    megabytes_before: float
    megabytes: float


async def measure(place: Place, company: Company, calls: int, servers: Sequence[int]) -> Direct:
    """Append, look keys up, and let the oldest calls go. The ledger has some calls more and some fewer afterwards."""
    async with place.stores() as stores:
        keyring = keyring_of(stores)
        numbers = count(int(time.time()) % 7919, 7919)

        async def look_up() -> None:
            await keyring.caller(_headers(next(numbers) % company.keys))

        async def prune() -> None:
            await stores.ledger.prune(company.start + DAYS * _DAY_SECONDS / 2, _STEP)

        costs = {
            "key check, not remembered": await _cost(look_up, _CHECKS, servers),
            "key check, remembered": await _remembered_check(keyring),
            "retention step of 500 calls": await _cost(prune, _STEPS, servers),
        }
        few = Company(min(_FEW, company.keys), min(5, company.teams), company.start)
        return Direct(
            append_us=await _append(stores, company, calls, servers),
            append_few_us=await _append(stores, few, calls, servers),
            costs=costs,
        )


def keyring_of(stores: Stores) -> Keyring:
    """What checks keys in a gateway."""
    accounts = AccountBook(stores.directory, stores.spend)
    return Keyring(Secret("sk-master-of-the-benchmark"), stores.keys, SYSTEM_CLOCK, accounts=accounts)


async def remembered(arguments: list[str], keys: int) -> Remembered:
    """What a process of its own takes that touches all keys, which ``ledgers.touching`` opens with ``arguments``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ledgers.touching", str(keys), *arguments, stdout=asyncio.subprocess.PIPE, cwd=_FOLDER,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(_FOLDER), str(_FOLDER.parent)))},
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit("The process that touches keys failed.")
    return msgspec.convert(json.loads(output), Remembered)


async def _append(stores: Stores, company: Company, calls: int, servers: Sequence[int]) -> float:
    """The median of some batches of calls of today, in an order of their own."""
    spent = []
    mark = f"{time.time_ns():x}-"
    fresh = company.calls(calls, calls, calls + _BATCH * _BATCHES)
    for _ in range(_BATCHES):
        batch = [of_today(record, mark, company) for record, _ in zip(fresh, range(_BATCH), strict=False)]
        spending = Spending(servers, own=True)
        await stores.ledger.append(batch)
        spent.append(spending.seconds() * 1e6 / len(batch))
    return sorted(spent)[_BATCHES // 2]


def of_today(record: CallRecord, mark: str, company: Company) -> CallRecord:
    """The call as one of the day after all others, with an id of its own."""
    number = int(record.call_id[-8:], 16)
    record.call_id = mark + record.call_id[-8:]
    record.started_at = company.start + DAYS * _DAY_SECONDS + number % _DAY_SECONDS / 10
    record.ended_at = record.started_at + 1.0
    return record


async def _cost(work: Callable[[], Awaitable[Any]], rounds: int, servers: Sequence[int]) -> Cost:
    waited = []
    spending = Spending(servers, own=True)
    for _ in range(rounds):
        started = time.perf_counter()
        await work()
        waited.append((time.perf_counter() - started) * 1000)
    return Cost(sorted(waited)[rounds // 2], spending.seconds() * 1000 / rounds)


async def _remembered_check(keyring: Keyring) -> Cost:
    """As every request does it, once the key is known."""
    headers = _headers(1)
    await keyring.caller(headers)
    rounds = 20_000
    before, started = time.process_time(), time.perf_counter()
    for _ in range(rounds):
        await keyring.caller(headers)
    waited, worked = time.perf_counter() - started, time.process_time() - before
    return Cost(waited * 1000 / rounds, worked * 1000 / rounds)


def _headers(key: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"authorization", b"Bearer " + key_text(key).encode()),)


def resident_megabytes() -> float:
    """The memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
