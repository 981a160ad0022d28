"""Background tasks are kept alive, and their failures are told."""

from __future__ import annotations

import asyncio
import gc

from pointsman.core.nursery import Nursery


def told() -> tuple[Nursery, list[tuple[str, str]]]:
    failures: list[tuple[str, str]] = []
    return Nursery(lambda name, error: failures.append((name, repr(error)))), failures


async def test_a_task_nobody_else_holds_survives_the_garbage_collector() -> None:
    nursery, failures = told()
    gate = asyncio.Event()
    done: list[bool] = []

    async def work() -> None:
        await gate.wait()
        done.append(True)

    nursery.start(work(), "work")
    await asyncio.sleep(0)
    gc.collect()
    assert len(nursery) == 1
    gate.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert done == [True] and len(nursery) == 0 and failures == []


async def test_a_failure_is_told_with_the_name_of_the_task() -> None:
    nursery, failures = told()

    async def work() -> None:
        raise ValueError("broken")

    nursery.start(work(), "the work")
    for _ in range(3):
        await asyncio.sleep(0)
    assert failures == [("the work", "ValueError('broken')")] and len(nursery) == 0


async def test_closing_cancels_and_waits_for_the_cleanup_and_tells_of_no_failure() -> None:
    nursery, failures = told()
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    nursery.start(work(), "work")
    await asyncio.sleep(0)
    await nursery.close()
    assert cleaned == [True] and len(nursery) == 0 and failures == []


async def test_closing_is_not_held_up_by_a_task_that_will_not_end() -> None:
    nursery, _ = told()
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    task = nursery.start(stubborn(), "stubborn")
    await asyncio.sleep(0)
    await nursery.close(patience_seconds=0)
    assert not task.done()
    release.set()
    await task


async def test_an_empty_nursery_closes() -> None:
    nursery, failures = told()
    await nursery.close()
    assert failures == []
