"""Which connection a request goes on, how many are kept, and how a failure to connect is told."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.core.errors import Unreachable
from pointsman.providers.transport import pool as pool_module
from tests.unit.providers.transport.upstream_script import CHAT, Asked, Scene, plain, scene


async def answer(asked: Asked) -> None:
    await asked.write(plain(b"%d" % asked.connection))


async def at_once(stage: Scene, count: int) -> list[bytes | None]:
    """The answers to requests that are all under way before the first is answered."""
    flights = [stage.transport.send(stage.deployment(), CHAT, stream=False) for _ in range(count)]
    return [await asyncio.wait_for(flight.inbox.take(), 10) for flight in flights]


def counts(stage: Scene) -> tuple[int, int, int]:
    return stage.transport.counts()[f"http://127.0.0.1:{stage.port}/v1"]


async def test_no_more_connections_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "UPSTREAM_IDLE_CONNECTIONS_MAX", 2)
    async with scene(answer) as stage:
        await at_once(stage, 5)
        assert counts(stage) == (2, 0, 5)
        await at_once(stage, 2)
        assert stage.connections == 5


async def test_the_connection_that_was_used_last_is_used_first_and_the_others_fall_idle() -> None:
    async with scene(answer) as stage:
        await at_once(stage, 3)
        stage.sweep(50)
        assert len(set(await at_once(stage, 1) + await at_once(stage, 1))) == 1
        stage.sweep(6)
        assert counts(stage) == (1, 0, 3)


async def test_a_kept_connection_that_is_closing_is_not_used() -> None:
    async with scene(answer) as stage:
        assert await at_once(stage, 1) == [b"1"]
        (pool,) = stage.transport._pools.values()
        (connection,) = pool._idle
        assert connection._transport is not None
        connection._transport.close()
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        assert await asyncio.wait_for(flight.inbox.take(), 10) == b"2" and not flight.reused


async def test_the_sweep_leaves_alone_what_is_neither_overdue_nor_idle_for_long() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> None:
        await gate.wait()
        await answer(asked)

    async with scene(script) as stage:
        flight = stage.transport.send(stage.deployment(), CHAT, stream=False)
        while not stage.asked:
            await asyncio.sleep(0.001)
        stage.sweep(29)
        gate.set()
        assert await asyncio.wait_for(flight.inbox.take(), 10) == b"1"
        stage.sweep(54)
        assert counts(stage) == (1, 0, 1)


@pytest.mark.parametrize("host", ["a" * 70 + ".invalid", "a..invalid"])
async def test_a_host_that_can_be_no_name_is_unreachable(host: str) -> None:
    async with scene(answer) as stage:
        flight = stage.transport.send(stage.deployment(api_base=f"http://{host}/v1"), CHAT, stream=False)
        with pytest.raises(Unreachable, match="Cannot reach the upstream"):
            await asyncio.wait_for(flight.inbox.take(), 10)
