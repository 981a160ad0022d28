"""One call of LiteLLM's library, in the form in which the story knows requests to upstreams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from pointsman.core.eager import Inbox
from pointsman.core.errors import Broken, GatewayError, TimedOut, Unreachable, Unsupported, UpstreamFailed
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment, Outbound
from pointsman.providers.long_tail.library import LibraryAnswer, Loading, failure_of, refusal_body

__all__ = ["LibraryFlight"]

_DONE: Final = b"data: [DONE]\n\n"
_OK: Final = 200
_CLOSE_SECONDS: Final = 0.4


class LibraryFlight:
    """See :class:`pointsman.core.flight.Flight`. Of a silence of ``silence_seconds`` a streaming client is told."""

    def __init__(
        self,
        loading: Loading,
        nursery: Nursery,
        deployment: Deployment,
        outbound: Outbound,
        *,
        stream: bool,
        silence_seconds: float,
    ) -> None:
        self.inbox: Inbox[bytes | None] = Inbox()
        self.sink: Callable[[bytes], None] | None = None
        self.status = 0
        self.complete = False
        self.reused = False
        self.spoken = False
        self._stream = stream
        self._nursery = nursery
        self._deployment = deployment
        self._silence_seconds = silence_seconds
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._task = nursery.start(self._run(loading, outbound), "litellm call")

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """None are known of."""
        return ()

    def pause(self) -> None:
        """See the protocol."""
        self._may_go_on.clear()

    def resume(self) -> None:
        """See the protocol."""
        self._may_go_on.set()

    def hurry(self, seconds: float) -> None:
        """See the protocol; what the library serves is never a model of ours that would have to be loaded."""

    def close(self) -> None:
        """See the protocol."""
        if not self.complete:
            self._task.cancel()

    async def _run(self, loading: Loading, outbound: Outbound) -> None:
        try:
            answer = await self._wait(self._ask(loading, outbound), first=True)
            if isinstance(answer, AsyncIterator):
                await self._relay(answer)
            else:
                self._finish(answer.model_dump_json().encode())
        except Unsupported as error:
            self.status, self.complete = error.status, True
            self.inbox.put(refusal_body(error))
        except GatewayError as error:
            self._fail(Unreachable(error.message, hint=error.hint))
        except TimeoutError:
            self._fail(TimedOut(f"{self._deployment.provider} was silent for too long."))
        except Exception as error:  # noqa: BLE001 - the library raises what its hundred providers raise
            self._refused(error)

    async def _ask(self, loading: Loading, outbound: Outbound) -> LibraryAnswer | AsyncIterator[LibraryAnswer]:
        library = await loading.done()
        return await library.ask(self._deployment, outbound.path, outbound.body)

    async def _relay(self, pieces: AsyncIterator[LibraryAnswer]) -> None:
        iterator = aiter(pieces)
        try:
            while True:
                try:
                    piece = await self._wait(_next(iterator), first=not self.status)
                except StopAsyncIteration:
                    break
                self.status = _OK
                self._deliver(b"data: %b\n\n" % piece.model_dump_json(exclude_none=True).encode())
                await self._may_go_on.wait()
        finally:
            await _closed(pieces)
        self._finish(_DONE)

    async def _wait(self, work: Coroutine[Any, Any, Any], *, first: bool) -> Any:  # noqa: ANN401 - what the work gives
        """Wait within the bounds of the phase, and tell a streaming client of silence."""
        timeouts = self._deployment.timeouts
        left = timeouts.load if first else timeouts.idle
        task = self._nursery.start(_outcome(work), "litellm wait")
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=min(left, self._silence_seconds))
                if done:
                    return task.result().given()
                left -= self._silence_seconds
                if left <= 0:
                    raise TimeoutError
                if self._stream:
                    self.inbox.put(None)
        finally:
            task.cancel()

    def _refused(self, error: Exception) -> None:
        """Before the first piece a failure is an error answer, after it the end of the stream."""
        status, body = failure_of(error, self._deployment.api_key)
        if self.status:
            self._fail(Broken(f"{self._deployment.provider} broke off its answer."))
        else:
            self.status, self.complete = status, True
            self.inbox.put(body)

    def _deliver(self, data: bytes) -> None:
        (self.sink or self.inbox.put)(data)

    def _finish(self, data: bytes) -> None:
        self.status = self.status or _OK
        self.complete = True
        self.inbox.put(data)

    def _fail(self, error: UpstreamFailed) -> None:
        self.complete = True
        self.inbox.put(error)


class _Outcome(msgspec.Struct, frozen=True):
    """What a wait came to; a task that raises would be told of as a mistake of ours."""

    value: Any = None
    error: Exception | None = None

    def given(self) -> Any:  # noqa: ANN401 - what the work gave
        if self.error is not None:
            raise self.error
        return self.value


async def _outcome(work: Coroutine[Any, Any, Any]) -> _Outcome:
    try:
        return _Outcome(await work)
    except Exception as error:  # noqa: BLE001 - it is raised again where the outcome is awaited
        return _Outcome(error=error)


async def _next(iterator: AsyncIterator[LibraryAnswer]) -> LibraryAnswer:
    return await anext(iterator)


async def _closed(pieces: AsyncIterator[LibraryAnswer]) -> None:
    """Close a stream that may not be at its end, so that its connection does not wait for a garbage collection."""
    close = getattr(pieces, "aclose", None)
    if close is not None:
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await close()
