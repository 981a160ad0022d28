"""Stories: coroutines stepped directly by whoever has the next thing for them.

A request that only passes through costs no task, no future and no turn of the event loop: its first step runs inside
the read that completed the request, and the upstream connection resumes it with a plain ``send`` when bytes arrive. It
waits on an :class:`Inbox`. When it has to wait for anything else (a database, a sleep, a lock) it is handed to a real
task and goes on as usual; code about to use ``asyncio.timeout`` or a task group first awaits :func:`become_task`.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from pointsman.core.nursery import Nursery

__all__ = ["Inbox", "Story", "become_task"]

Item = TypeVar("Item")


class _Resumable(Protocol):
    def step(self) -> None: ...


class Inbox(msgspec.Struct, Generic[Item], eq=False):
    """A mailbox with one reader: awaiting it gives the next item, an exception item is raised."""

    items: list[Item | BaseException] = []
    reader: _Resumable | None = None

    def put(self, item: Item | BaseException) -> None:
        """Leave an item; a reader that waits runs on at once, inside this call."""
        self.items.append(item)
        reader = self.reader
        if reader is not None:
            self.reader = None
            reader.step()

    async def take(self) -> Item:
        """The next item, for code that may run in a plain task and not in a story."""
        while not self.items:
            future = asyncio.get_running_loop().create_future()
            self.reader = _Wake(future)
            await future
        return await self

    def __await__(self) -> Generator[Any, None, Item]:
        while not self.items:
            yield self
        item = self.items.pop(0)  # there is hardly ever a second one: a reader that waits runs at once
        if isinstance(item, BaseException):
            raise item
        return item


@types.coroutine
def become_task() -> Generator[None, None, None]:
    """Go on inside a real task, from where ``asyncio.timeout`` and task groups may be used."""
    yield None


class Story(msgspec.Struct, eq=False):
    """Drives one coroutine; ``on_escape`` is told if it ever raises, which it never should."""

    _coroutine: Coroutine[Any, Any, None]
    _nursery: Nursery
    _on_escape: Callable[[BaseException], None]
    _parked: Inbox[Any] | None = None
    _task: asyncio.Task[Any] | None = None
    _carried: bool = False
    _interruption: BaseException | None = None
    _pending: bool = False
    over: bool = False

    def step(self, error: BaseException | None = None) -> None:
        """Run until the next wait. ``error`` is raised at the place where the coroutine waits."""
        self._parked = None
        coroutine = self._coroutine
        try:
            waits_for = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration:
            self.over = True
            return
        except BaseException as escaped:  # noqa: BLE001 - the last line before the parser's callback
            self.over = True
            self._on_escape(escaped)
            return
        if waits_for.__class__ is not Inbox:
            self._task = self._nursery.start(_as_task(self, waits_for), "story")
        elif self._pending:
            self._pending = False
            self.step(self._interruption)
        else:
            waits_for.reader = self
            self._parked = waits_for

    def interrupt(self, error: BaseException) -> None:
        """Raise ``error`` where the coroutine waits, now or at its next wait."""
        if self.over or self._interruption is not None:
            return
        self._interruption = error
        if self._parked is not None:
            self._parked.reader = None
            self.step(error)
            return
        self._pending = True
        if self._task is not None and self._carried:
            self._task.cancel()

    def _raised_by(self, cancelled: asyncio.CancelledError) -> BaseException:
        """What a cancellation of the task means to the coroutine: the interruption once, else itself."""
        if not self._pending or self._task is None or self._interruption is None:
            return cancelled
        self._pending = False
        self._task.uncancel()
        return self._interruption


class _Wake:
    """Lets an inbox resume a story that has become a task."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._future = future

    def step(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


async def _as_task(story: Story, waits_for: Any) -> None:  # noqa: ANN401 - whatever was awaited
    """A task takes nothing but a true coroutine since Python 3.12."""
    await _carry_on(story, waits_for)


@types.coroutine
def _carry_on(story: Story, waits_for: Any) -> Generator[Any, None, None]:  # noqa: ANN401 - whatever was awaited
    """The rest of a story, as the body of a task."""
    coroutine = story._coroutine  # noqa: SLF001 - the two halves of one driver
    story._carried = True  # noqa: SLF001
    if story._pending and story._task is not None:  # noqa: SLF001
        # A task cancelled before its first step would never run at all, and the coroutine would not be told.
        story._task.cancel()  # noqa: SLF001
    while True:
        error: BaseException | None = None
        try:
            if waits_for.__class__ is Inbox:
                future = asyncio.get_running_loop().create_future()
                waits_for.reader = _Wake(future)
                if waits_for.items:
                    waits_for.reader.step()
                yield from future
            else:
                yield waits_for
        except asyncio.CancelledError as cancelled:
            if waits_for.__class__ is Inbox:
                waits_for.reader = None
            error = story._raised_by(cancelled)  # noqa: SLF001
        except BaseException as failure:  # noqa: BLE001 - whatever it is, it belongs to the coroutine
            error = failure
        try:
            waits_for = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration:
            story.over = True
            return
        except BaseException as escaped:  # noqa: BLE001
            story.over = True
            story._on_escape(escaped)  # noqa: SLF001
            return
