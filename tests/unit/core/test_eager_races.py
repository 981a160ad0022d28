"""Whatever comes in whatever order, a story reads every item once, and is interrupted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.eager import Inbox, Story, become_task
from pointsman.core.nursery import Nursery

Deed = Literal["put", "turn", "interrupt"]
Wait = Literal["read", "sleep", "become"]


class Gone(Exception):
    """What the tests interrupt with."""


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    failed: list[BaseException] = []
    nursery = Nursery(lambda _name, error: failed.append(error))
    yield nursery
    await nursery.close()
    assert failed == []


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("first", ["put", "interrupt"])
async def test_an_item_that_meets_an_interruption_stays_in_the_inbox(nursery: Nursery, first: str) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []

    async def tale() -> None:
        await become_task()
        try:
            await inbox
        except Gone:
            seen.append("gone")

    escaped: list[BaseException] = []
    story = Story(tale(), nursery, escaped.append)
    story.step()
    for _ in range(3):
        await asyncio.sleep(0)
    if first == "put":
        inbox.put("item")
    story.interrupt(Gone())
    if first == "interrupt":
        inbox.put("item")
    for _ in range(5):
        await asyncio.sleep(0)
    assert story.over and seen == ["gone"] and inbox.items == ["item"] and escaped == []


async def play(deeds: list[Deed], waits: list[Wait]) -> None:
    """A story that waits as ``waits`` says, while ``deeds`` happen around it."""
    inbox: Inbox[int] = Inbox()
    read: list[int] = []
    interrupted = 0
    ended = False

    async def tale() -> None:
        nonlocal interrupted, ended
        try:
            for wait in waits:
                if wait == "read":
                    read.append(await inbox)
                elif wait == "sleep":
                    await asyncio.sleep(0)
                else:
                    await become_task()
        except Gone:
            interrupted += 1
            await asyncio.sleep(0)
        ended = True

    failed: list[BaseException] = []
    nursery = Nursery(lambda _name, error: failed.append(error))
    story = Story(tale(), nursery, failed.append)
    story.step()
    count = 0
    for deed in [*deeds, "interrupt"]:
        if deed == "put":
            inbox.put(count)
            count += 1
        elif deed == "turn":
            await asyncio.sleep(0)
        else:
            story.interrupt(Gone())
    for _ in range(2 * len(waits) + 5):
        await asyncio.sleep(0)
    assert failed == []
    assert story.over and ended
    assert read + inbox.items == list(range(count)), "nothing lost, nothing twice, nothing out of turn"
    assert interrupted <= 1
    assert interrupted == 1 or len(read) == waits.count("read"), "a story that was not interrupted came to its end"


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["put", "put", "turn", "interrupt"]), max_size=14),
    st.lists(st.sampled_from(["read", "read", "sleep", "become"]), max_size=8),
)
def test_in_any_order_items_are_read_once_and_an_interruption_is_raised_once(
    loop: asyncio.Runner, deeds: list[Deed], waits: list[Wait]
) -> None:
    loop.run(play(deeds, waits))
