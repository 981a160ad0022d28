"""Stories are stepped by whoever has the next thing for them, and lose nothing when they have to become tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from pointsman.core.eager import Inbox, Story, become_task
from pointsman.core.nursery import Nursery


class Gone(Exception):
    """What the tests interrupt with."""


class Stage:
    """Starts stories and keeps what escaped from them."""

    def __init__(self) -> None:
        self.escaped: list[BaseException] = []
        self.failed: list[tuple[str, BaseException]] = []
        self.nursery = Nursery(lambda name, error: self.failed.append((name, error)))

    def tell(self, coroutine: Coroutine[Any, Any, None]) -> Story:
        story = Story(coroutine, self.nursery, self.escaped.append)
        story.step()
        return story

    async def settled(self, *stories: Story) -> None:
        """Let the loop turn until the stories are over; a story that never ends fails the test."""
        for _ in range(50):
            if all(story.over for story in stories):
                return
            await asyncio.sleep(0)
        pytest.fail("a story did not end")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.nursery.close()
    assert stage.failed == []


def reader(inbox: Inbox[str], seen: list[str], count: int) -> Coroutine[Any, Any, None]:
    async def read() -> None:
        while len(seen) < count:
            seen.append(await inbox)

    return read()


async def test_items_that_are_there_are_read_in_the_first_step_without_a_task(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("a")
    inbox.put("b")
    seen: list[str] = []
    story = stage.tell(reader(inbox, seen, 2))
    assert seen == ["a", "b"] and story.over and len(stage.nursery) == 0


async def test_a_parked_story_runs_on_inside_the_put(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []
    story = stage.tell(reader(inbox, seen, 2))
    assert seen == []
    inbox.put("a")
    assert seen == ["a"]
    inbox.put("b")
    assert seen == ["a", "b"] and story.over and len(stage.nursery) == 0


async def test_an_exception_in_the_inbox_is_raised_where_the_story_waits(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []

    async def tale() -> None:
        try:
            await inbox
        except Gone:
            seen.append("caught")
        seen.append(await inbox)

    stage.tell(tale())
    inbox.put(Gone())
    inbox.put("after")
    assert seen == ["caught", "after"]


async def test_items_put_while_the_story_runs_are_read_next_and_do_not_reenter_it(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []

    async def tale() -> None:
        seen.append(await inbox)
        inbox.put("own")
        seen.append("still first")
        seen.append(await inbox)

    story = stage.tell(tale())
    inbox.put("a")
    assert seen == ["a", "still first", "own"] and story.over


async def test_interrupting_a_parked_story_raises_at_its_wait_and_at_once(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []

    async def tale() -> None:
        try:
            await inbox
        except Gone:
            seen.append("gone")

    story = stage.tell(tale())
    story.interrupt(Gone())
    assert seen == ["gone"] and story.over
    inbox.put("late")
    assert inbox.items == type(inbox.items)(["late"])


async def test_a_running_story_is_interrupted_at_its_next_wait(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []
    stories: list[Story] = []

    async def tale() -> None:
        await inbox
        stories[0].interrupt(Gone())
        seen.append("runs on")
        try:
            await inbox
        except Gone:
            seen.append("gone")

    stories.append(stage.tell(tale()))
    inbox.put("go")
    assert seen == ["runs on", "gone"] and stories[0].over


async def test_a_running_story_is_interrupted_at_its_next_wait_even_if_that_makes_it_a_task(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []
    stories: list[Story] = []
    never = asyncio.get_running_loop().create_future()

    async def tale() -> None:
        await inbox
        stories[0].interrupt(Gone())
        try:
            await never
        except Gone:
            seen.append("gone")

    stories.append(stage.tell(tale()))
    inbox.put("go")
    await stage.settled(*stories)
    assert seen == ["gone"]


async def test_only_the_first_interruption_counts(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []

    async def tale() -> None:
        try:
            await inbox
        except Gone as gone:
            seen.append(str(gone))
        seen.append(await inbox)

    story = stage.tell(tale())
    story.interrupt(Gone("first"))
    story.interrupt(Gone("second"))
    inbox.put("goes on")
    assert seen == ["first", "goes on"] and story.over


async def test_interrupting_a_story_that_is_over_does_nothing(stage: Stage) -> None:
    async def tale() -> None: ...

    story = stage.tell(tale())
    story.interrupt(Gone())
    assert story.over and stage.escaped == []


async def threads() -> None:
    assert await asyncio.to_thread(lambda: 42) == 42


async def gives_way() -> None:
    await asyncio.sleep(0)


async def awaits_a_future() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 42)
    assert await future == 42


async def times_out() -> None:
    await become_task()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()


async def groups() -> None:
    await become_task()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gives_way())
    assert task.done()


@pytest.mark.parametrize("wait", [threads, gives_way, awaits_a_future, times_out, groups])
async def test_a_story_may_wait_for_anything_and_go_on_reading(
    stage: Stage, wait: Callable[[], Awaitable[None]]
) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []
    reached = asyncio.Event()

    async def tale() -> None:
        seen.append(await inbox)
        await wait()
        reached.set()
        seen.append(await inbox)
        seen.append(await inbox)

    story = stage.tell(tale())
    inbox.put("before")
    await asyncio.wait_for(reached.wait(), 10)
    inbox.put("after")
    inbox.put("both")
    await stage.settled(story)
    assert seen == ["before", "after", "both"] and stage.escaped == []


async def test_items_that_came_before_the_story_became_a_task_are_not_lost(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []

    async def tale() -> None:
        await asyncio.sleep(0)
        seen.append(await inbox)

    story = stage.tell(tale())
    inbox.put("early")
    await stage.settled(story)
    assert seen == ["early"]


async def test_an_exception_item_is_raised_in_a_story_that_is_a_task(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []
    waiting = asyncio.Event()

    async def tale() -> None:
        await become_task()
        waiting.set()
        try:
            await inbox
        except Gone:
            seen.append("gone")

    story = stage.tell(tale())
    await waiting.wait()
    inbox.put(Gone())
    await stage.settled(story)
    assert seen == ["gone"]


async def test_the_failure_of_what_a_story_waits_for_is_raised_in_it(stage: Stage) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def tale() -> None:
        try:
            await future
        except Gone:
            seen.append("failed")

    story = stage.tell(tale())
    await asyncio.sleep(0)
    future.set_exception(Gone())
    await stage.settled(story)
    assert seen == ["failed"]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("foreign", [True, False], ids=["waits for a future", "waits for its inbox"])
async def test_a_story_that_is_a_task_is_interrupted_at_whatever_moment_and_cleans_up(
    stage: Stage, turns: int, foreign: bool
) -> None:
    inbox: Inbox[str] = Inbox()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def tale() -> None:
        try:
            if foreign:
                await future
            else:
                await become_task()
                await inbox
        except Gone:
            seen.append("gone")
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    story = stage.tell(tale())
    for _ in range(turns):
        await asyncio.sleep(0)
    story.interrupt(Gone())
    story.interrupt(Gone())
    await stage.settled(story)
    assert seen == ["gone", "cleaned up"] and stage.escaped == []


async def test_cleaning_up_after_an_interruption_may_use_a_timeout(stage: Stage) -> None:
    seen: list[str] = []
    waiting = asyncio.Event()

    async def tale() -> None:
        await become_task()
        try:
            waiting.set()
            await asyncio.Event().wait()
        except Gone:
            seen.append("gone")
            try:
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                seen.append("timed out")

    story = stage.tell(tale())
    await waiting.wait()
    story.interrupt(Gone())
    await stage.settled(story)
    assert seen == ["gone", "timed out"] and stage.escaped == []


async def test_an_interruption_inside_a_timeout_is_not_mistaken_for_the_timeout(stage: Stage) -> None:
    seen: list[str] = []
    waiting = asyncio.Event()

    async def tale() -> None:
        await become_task()
        try:
            async with asyncio.timeout(60):
                waiting.set()
                await asyncio.Event().wait()
        except Gone:
            seen.append("gone")

    story = stage.tell(tale())
    await waiting.wait()
    story.interrupt(Gone())
    await stage.settled(story)
    assert seen == ["gone"]


async def test_an_item_that_came_together_with_an_interruption_stays_in_the_inbox(stage: Stage) -> None:
    inbox: Inbox[str] = Inbox()
    seen: list[str] = []
    waiting = asyncio.Event()

    async def tale() -> None:
        await become_task()
        waiting.set()
        try:
            await inbox
        except Gone:
            seen.append("gone")
        seen.append(await inbox)

    story = stage.tell(tale())
    await waiting.wait()
    await asyncio.sleep(0)
    inbox.put("item")
    story.interrupt(Gone())
    await stage.settled(story)
    assert seen == ["gone", "item"]


@pytest.mark.parametrize("as_task", [False, True])
async def test_what_a_story_lets_escape_is_told_and_ends_it(stage: Stage, as_task: bool) -> None:
    async def tale() -> None:
        if as_task:
            await become_task()
        raise Gone

    story = stage.tell(tale())
    await stage.settled(story)
    assert [type(error) for error in stage.escaped] == [Gone]


async def test_closing_the_nursery_cancels_a_story_that_is_a_task(stage: Stage) -> None:
    seen: list[str] = []

    async def tale() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    story = stage.tell(tale())
    await asyncio.sleep(0)
    await stage.nursery.close()
    assert seen == ["cleaned up"] and story.over


async def test_take_gives_items_to_a_plain_task() -> None:
    inbox: Inbox[str] = Inbox()
    task = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    inbox.put("a")
    assert await task == "a"
    inbox.put(Gone())
    with pytest.raises(Gone):
        await inbox.take()


async def test_take_can_be_given_up_and_tried_again() -> None:
    inbox: Inbox[str] = Inbox()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.take(), 0)
    inbox.put("a")
    assert await inbox.take() == "a"
