"""``python -m ledgers.touching KEYS FOLDER|URL``: check every key once, and print what that took as JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from ledgers.calls import key_text
from ledgers.measuring import Remembered, keyring_of, resident_megabytes
from ledgers.places import Place, PostgresPlace, SqlitePlace
from pointsman.policies.keyring import Keyring

_AT_ONCE: Final = 32


async def main(keys: int, where: str) -> None:
    """Touch them, as that many callers at once would."""
    place: Place = PostgresPlace(where, SqlitePlace(Path())) if "://" in where else SqlitePlace(Path(where))
    async with place.stores() as stores:
        keyring = keyring_of(stores)
        await keyring.caller(_headers(0))
        before = resident_megabytes()
        numbers = iter(range(keys))
        await asyncio.gather(*(_touch(keyring, numbers) for _ in range(_AT_ONCE)))
        told = Remembered(keys, len(keyring), before, resident_megabytes())
    sys.stdout.write(msgspec.json.encode(told).decode())


async def _touch(keyring: Keyring, numbers: Iterator[int]) -> None:
    for number in numbers:
        await keyring.caller(_headers(number))


def _headers(number: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"authorization", b"Bearer " + key_text(number).encode()),)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
