"""How long a server may take to give a sign of life, and whose time that is."""

from __future__ import annotations

import asyncio
import time

import pytest

from pointsman.stores.postgres.pulse import within_own_time

_SECONDS = 0.2


async def test_a_process_that_was_itself_held_up_does_not_blame_the_server() -> None:
    loop = asyncio.get_running_loop()

    async def greet() -> str:
        for _ in range(4):
            await asyncio.sleep(0)
            loop.call_soon(time.sleep, _SECONDS)
            await asyncio.sleep(0)
        return "here"

    assert await within_own_time(_SECONDS, greet()) == "here"


async def test_a_server_that_says_nothing_is_given_up_in_time_and_let_go_of() -> None:
    left: list[str] = []

    async def greet() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            left.append("let go")

    before = time.monotonic()
    with pytest.raises(TimeoutError):
        await within_own_time(_SECONDS, greet())
    assert time.monotonic() - before >= _SECONDS * 0.9
    assert left == ["let go"]


async def test_what_the_server_refuses_is_told() -> None:
    async def greet() -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await within_own_time(_SECONDS, greet())


async def test_who_is_cancelled_asks_no_longer() -> None:
    left: list[str] = []

    async def greet() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            left.append("let go")

    asking = asyncio.create_task(within_own_time(30.0, greet()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert left == ["let go"]
