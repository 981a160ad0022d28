"""Requests whose work goes on without their client.

The work is the same story (:func:`pointsman.lifecycle.serve.serve`), told to a :class:`Job` in place of a connection.
The client that asked has a story of its own: it waits until the work is let in, hears that or why not, and may follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from pointsman.core.clock import call_id
from pointsman.core.eager import Story, become_task
from pointsman.core.errors import GatewayError, LimitReached, StorageUnavailable
from pointsman.core.exchange import Client, ClientGone, Flow, Inbound
from pointsman.core.nursery import Nursery
from pointsman.lifecycle.house import House
from pointsman.lifecycle.outbox import Outbox
from pointsman.lifecycle.serve import serve

__all__ = ["Errand", "Job", "Jobs"]

_JOBS_MAX: Final = 256
_GATHER_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 1.0
"""How often a silent job looks whether somebody has cancelled it, in another process maybe."""
_EVENTS_BYTES_MAX: Final = 16 * 1024 * 1024
"""What a job holds of its answer while the store cannot be reached."""
_FINISH_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_CLOSE_SECONDS: Final = 5.0
_BLANK_LINE: Final = b"\n\n"
_JSON: Final = b"content-type: application/json\r\n"
_STREAM: Final = b"content-type: %b\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"

_log: Final = logging.getLogger("pointsman.background")


class Errand(Protocol):
    """What is to be done: ``inbound`` is the request as the story is to be told it, as one for a stream.

    ``streams`` tells whether the client wants to follow. :meth:`begin`, :meth:`add` and :meth:`finish` raise
    ``StorageUnavailable``.
    """

    id: str
    streams: bool
    inbound: Inbound

    def accepted(self) -> bytes:
        """The answer to a client that does not follow."""
        ...

    async def begin(self) -> None:
        """Store that it is worked on; it was let in, and the upstream has been asked."""
        ...

    async def add(self, first: int, events: Sequence[bytes]) -> bool:
        """Store more of the answer; ``first`` is the number of its first event. False: nobody wants it any more."""
        ...

    async def finish(self, first: int, events: Sequence[bytes], failure: tuple[int, bytes] | None) -> bool:
        """Store the end; ``failure`` is the status and the body of an error answer. False: nobody wanted it."""
        ...

    def follow(self) -> AsyncIterator[bytes]:
        """The answer, as it is stored."""
        ...


class Job:
    """See :class:`pointsman.core.exchange.Client` and :class:`pointsman.lifecycle.outbox.Leaving`.

    ``refusal`` is the error answer to a request that was not let in, ``trouble`` why it could not be begun.
    """

    def __init__(self, errand: Errand, outbox: Outbox) -> None:
        self.errand = errand
        self.refusal: tuple[int, bytes, bytes] | None = None
        self.trouble: StorageUnavailable | None = None
        self.story: Story | None = None
        self.known = asyncio.Event()
        self._outbox = outbox
        self._news = asyncio.Event()
        self._events: list[bytes] = []
        self._first = 0
        self._failure: tuple[int, bytes] | None = None
        self._accepted = self._ending = self._over = False

    # -- the story's client ----------------------------------------------------------------------------

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """See :meth:`pointsman.core.exchange.Client.reply`; the upstream streams, so this is an error."""
        self._ending = True
        if self._accepted:
            self._failure = (status, body)
        else:
            self.refusal = (status, head, body)
        self._outbox.post(self, b"")

    def begin(self, status: int, head: bytes) -> None:
        """See :meth:`pointsman.core.exchange.Client.begin`."""

    def send(self, block: bytes) -> None:
        """See :meth:`pointsman.core.exchange.Client.send`."""
        if block:
            self._events += [event + _BLANK_LINE for event in block.removesuffix(_BLANK_LINE).split(_BLANK_LINE)]
            self._news.set()

    def end(self, block: bytes = b"") -> None:
        """See :meth:`pointsman.core.exchange.Client.end`."""
        self._ending = True
        self._outbox.post(self, block)

    def leave(self, data: bytes) -> None:
        """See :meth:`pointsman.lifecycle.outbox.Leaving.leave`."""
        self.send(data)
        self._end()

    def attach(self, flow: Flow | None) -> None:
        """See :meth:`pointsman.core.exchange.Client.attach`; called once the upstream was asked, and at the end."""
        if flow is not None:
            self._accepted = True
            self._news.set()
        elif not self._ending:
            self._end()

    def abort(self) -> None:
        """See :meth:`pointsman.core.exchange.Client.abort`."""
        self._end()

    # -- its own life ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Break the work off, the upstream included."""
        if self.story is not None:
            self.story.interrupt(ClientGone())

    async def run(self) -> None:
        """Store what comes until the work is over."""
        await self._news.wait()
        if not self._accepted:
            self.known.set()
            return
        try:
            await self.errand.begin()
        except StorageUnavailable as error:
            self.trouble = error
            self.stop()
            return
        finally:
            self.known.set()
        while not self._is_over():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._news.wait()
                    await asyncio.sleep(_GATHER_SECONDS)
            self._news.clear()
            if not self._is_over() and not await self._store():
                self.stop()
        await self._finish()

    async def _store(self) -> bool:
        """Store what has gathered; False: the work is not wanted any more, or there is no room for it."""
        events = self._events
        self._events = []
        try:
            wanted = await self.errand.add(self._first, events)
        except StorageUnavailable:
            self._events = [*events, *self._events]
            return sum(map(len, self._events)) <= _EVENTS_BYTES_MAX
        self._first += len(events)
        return wanted

    async def _finish(self) -> None:
        for seconds in _FINISH_SECONDS:
            try:
                await self.errand.finish(self._first, self._events, self._failure)
            except StorageUnavailable as error:
                _log.warning("%s is done but could not be stored yet: %s", self.errand.id, error.message)
                await asyncio.sleep(seconds)
            else:
                return
        _log.error("%s is done but could not be stored.", self.errand.id)

    def _is_over(self) -> bool:
        return self._over

    def _end(self) -> None:
        self._over = True
        self._news.set()


class Jobs:
    """The work of this process that has no client. ``read`` finds out whether a request is such an errand."""

    def __init__(self, read: Callable[[Inbound], Errand | None], nursery: Nursery, jobs_max: int = _JOBS_MAX) -> None:
        self._read = read
        self._nursery = nursery
        self._jobs_max = jobs_max
        self._jobs: dict[str, tuple[Job, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    async def attend(self, inbound: Inbound, client: Client, house: House) -> None:
        """Answer one request, and see to it that its work goes on if it asks for that. Never raises."""
        errand = self._read(inbound)
        if errand is None:
            await serve(inbound, client, house)
            return
        answered = False
        try:
            await become_task()
            await self._attend(errand, client, house)
            answered = True
        except ClientGone:
            answered = True
        except GatewayError as error:
            identity = call_id()
            body = inbound.head.route.dialect.write_error(error, identity)
            client.reply(error.status, house.heads.error(identity, error.retry_after, None, None), body)
            answered = True
        finally:
            if not answered:
                client.abort()
            client.attach(None)
            house.outbox.gathered()

    def stop(self, identity: str) -> None:
        """Break one job off, if it is of this process."""
        found = self._jobs.get(identity)
        if found is not None:
            found[0].stop()

    async def close(self) -> None:
        """Break all off, and wait until what there is of them is stored."""
        tasks = [task for _, task in self._jobs.values()]
        for job, _ in list(self._jobs.values()):
            job.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)

    async def _attend(self, errand: Errand, client: Client, house: House) -> None:
        job = self._start(errand, house)
        await job.known.wait()
        if job.trouble is not None:
            raise job.trouble
        if job.refusal is not None:
            client.reply(*job.refusal)
        elif errand.streams:
            await _tell(errand, client)
        else:
            client.reply(200, _JSON, errand.accepted())

    def _start(self, errand: Errand, house: House) -> Job:
        """Begin with the work.

        Raises:
            LimitReached: there is too much of it already.
        """
        if len(self._jobs) >= self._jobs_max:
            message = f"The gateway is at its limit of {self._jobs_max} responses in the background."
            raise LimitReached(message, hint="Try again in 10 s.", retry_after=10.0)
        job = Job(errand, house.outbox)
        job.story = Story(serve(errand.inbound, job, house), self._nursery, _escaped)
        task = self._nursery.start(job.run(), "background")
        self._jobs[errand.id] = (job, task)
        task.add_done_callback(lambda _: self._jobs.pop(errand.id, None))
        job.story.step()
        return job


class _Valve:
    """Lets a follower wait while its client does not keep up."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    def pause(self) -> None:
        """See :class:`pointsman.core.exchange.Flow`."""
        self.open.clear()

    def resume(self) -> None:
        """See :class:`pointsman.core.exchange.Flow`."""
        self.open.set()


async def _tell(errand: Errand, client: Client) -> None:
    """Let the client follow to the end."""
    valve = _Valve()
    client.begin(200, _STREAM % errand.inbound.head.route.dialect.stream_type)
    client.attach(valve)
    async for block in errand.follow():
        client.send(block)
        await valve.open.wait()
    client.end()


def _escaped(error: BaseException) -> None:
    _log.error("a story in the background raised", exc_info=error)
