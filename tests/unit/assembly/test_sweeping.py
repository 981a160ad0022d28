"""What has expired is removed a little at a time, and looked for now and then."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pointsman.assembly.backends import SqliteBackend
from pointsman.assembly.storage import Storage
from pointsman.core.identity import Owner
from pointsman.stores.response_ports import ResponseRecord
from tests.unit.assembly.test_budget_resets import SetClock

EVERYBODY = Owner("", sees_all=True)


async def test_expired_responses_go_in_small_steps(tmp_path: Path) -> None:
    clock = SetClock(1000.0)
    backend = SqliteBackend(tmp_path / "pointsman.db", clock)
    storage = Storage(backend, tmp_path, 0, clock)
    await storage.open()

    async def put(*names: str) -> None:
        for name in names:
            body = msgspec.Raw(b'{"status":"completed"}')
            await storage.responses.put(
                ResponseRecord(
                    id=name, owner="me", model="m", status="completed", created_at=0, expires_at=1010, body=body
                )
            )

    async def left() -> int:
        return await backend._database.read(lambda connection: connection.execute("SELECT count(*) FROM responses").get)

    await put(*(f"resp_{number}" for number in range(70)))
    await storage._sweep()
    assert await left() == 70
    clock.now = 1030.0
    await storage._sweep()
    assert await left() == 70, "it looks once a minute"
    clock.now = 1061.0
    await storage._sweep()
    assert await left() == 20, "a little at a time"
    await storage._sweep()
    assert await left() == 0
    assert await storage.responses.get("resp_1", EVERYBODY, 0.0) is None
    await storage.close()
