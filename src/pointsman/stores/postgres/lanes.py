"""Who waits for a connection, and the connections that take one call after the other.

A call that has begun goes on to its end though whoever made it stops waiting, so that clients who leave cost no
connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar

from pointsman.core.nursery import Nursery
from pointsman.stores.postgres.failures import LOST, breaks_connection
from pointsman.stores.postgres.session import Session

__all__ = ["Call", "Job", "Kind", "Lane", "Source"]

T = TypeVar("T")
Job: TypeAlias = Callable[[Session], Awaitable[T]]
Kind: TypeAlias = Literal["look", "read", "write", "alone"]
"""A single statement; statements that see one state; a transaction; a transaction beside no other of this kind."""

_IDLE_SECONDS: Final = 300.0
_WAITING_MAX: Final = 2_000
"""Calls that may wait; more only come when the server is stuck, and waiting would not help them."""


class Call:
    """A job on its way, for ``seconds``. ``begun`` tells that the server may have done something for it."""

    __slots__ = ("answer", "begun", "deadline", "job", "kind", "seconds")

    def __init__(self, kind: Kind, job: Job[Any], answer: asyncio.Future[Any], seconds: float) -> None:
        self.kind = kind
        self.job = job
        self.answer = answer
        self.seconds = seconds
        self.deadline = asyncio.get_running_loop().time() + seconds
        self.begun = False

    @property
    def may_begin_again(self) -> bool:
        """Whether doing it once more can do no harm."""
        return not self.begun or self.kind in {"look", "read"}

    def fail(self, error: BaseException) -> None:
        """Tell whoever waits, if somebody does."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Source(Protocol):
    """Where connections come from, and what is done over them."""

    async def session(self) -> Session:
        """A new connection."""
        ...

    async def perform(self, session: Session, call: Call) -> object:
        """What the job of ``call`` gives."""
        ...

    def too_late(self, seconds: float) -> Exception:
        """What to say when time is over."""
        ...


class Lane:
    """Calls in their order, for ``width`` connections, each of which is made when it is needed."""

    def __init__(self, source: Source, width: int) -> None:
        self.lines = [_Line(self, source) for _ in range(width)]
        self.calls: deque[Call] = deque()
        self.closing = False
        self._source = source
        self._sleepers: list[asyncio.Future[None]] = []
        self._running: list[asyncio.Task[None]] = []

    @property
    def is_full(self) -> bool:
        """Whether as many calls wait as may."""
        return len(self.calls) >= _WAITING_MAX

    def start(self, nursery: Nursery) -> None:
        """Take calls from now on."""
        self.closing = False
        self._running = [nursery.start(line.run(), "database") for line in self.lines]

    async def call(self, kind: Kind, job: Job[T], seconds: float) -> T:
        """What ``job`` gives, which may take so many ``seconds``."""
        call = Call(kind, job, asyncio.get_running_loop().create_future(), seconds)
        self.calls.append(call)
        self._wake(1)
        result: T = await call.answer
        return result

    async def close(self, patience_seconds: float) -> None:
        """Take no more calls, and wait for those that are there."""
        self.closing = True
        self._wake(len(self.lines))
        if self._running:
            await asyncio.wait(self._running, timeout=patience_seconds)

    def give_up(self, error: BaseException) -> None:
        """Wait for nothing any longer: all calls fail, and all connections are let go of."""
        while self.calls:
            self.calls.popleft().fail(error)
        for line in self.lines:
            line.give_up(error)

    async def next(self, on_idle: Callable[[], None]) -> Call | None:
        """The call that is next; None: no more will come. ``on_idle`` is called when there was none for long."""
        while not self.calls:
            if self.closing:
                return None
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.append(sleeper)
            try:
                async with asyncio.timeout(_IDLE_SECONDS):
                    await sleeper
            except TimeoutError:
                if sleeper in self._sleepers:  # else it is called at this very moment
                    self._sleepers.remove(sleeper)
                on_idle()
        return self.calls.popleft()

    def _wake(self, count: int) -> None:
        while count and self._sleepers:
            # The one that served last has the warmest connection, and others may never be needed.
            sleeper = self._sleepers.pop()
            if not sleeper.done():
                sleeper.set_result(None)
                count -= 1


class _Line:
    """One connection."""

    def __init__(self, lane: Lane, source: Source) -> None:
        self.session: Session | None = None
        self._lane = lane
        self._source = source
        self._given_up: BaseException | None = None
        self._bound: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Take call after call until the lane closes."""
        try:
            while (call := await self._lane.next(self._drop)) is not None:
                if not call.answer.done():
                    await self._serve(call)
        finally:
            self._drop()

    def give_up(self, error: BaseException) -> None:
        """Wait for the answer to the present call no longer, and let go of the connection."""
        if self._bound is None:
            self._drop()
            return
        self._given_up = error
        if not self._bound.expired():  # else its time is over at this very moment
            self._bound.reschedule(asyncio.get_running_loop().time())

    async def _serve(self, call: Call) -> None:
        try:
            async with asyncio.timeout_at(call.deadline) as self._bound:
                result = await self._perform(call)
        except asyncio.CancelledError:
            call.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is handed on to whoever called
            # After a time-out nobody knows what the connection is about.
            if breaks_connection(error):
                self._drop()
            late = type(error) is TimeoutError
            call.fail((self._given_up or self._source.too_late(call.seconds)) if late else error)
        else:
            if not call.answer.done():
                call.answer.set_result(result)
        finally:
            self._bound = self._given_up = None

    async def _perform(self, call: Call) -> object:
        session = self.session
        if session is not None and not session.is_closed:
            try:
                return await self._source.perform(session, call)
            except LOST as error:
                # Nobody tells an idle client that the server is another one now; it shows when it is used.
                if isinstance(error, TimeoutError) or not call.may_begin_again:
                    raise
        self._drop()
        self.session = session = await self._source.session()
        return await self._source.perform(session, call)

    def _drop(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.abandon()
