"""The way to Redis or Valkey: commands with a time limit, and a circuit that opens so that nobody waits in vain.

A server that does not answer costs whoever asks it at that moment the time limit, and nobody after: the link is *down*,
and every command fails at once, until the server has answered a question that is asked in the background.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha1
from typing import Any, Final

from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.stores.redis.client import client_of, close
from pointsman.stores.redis.settings import RedisSettings

__all__ = ["Part", "RedisLink"]

Part = bytes | str | int | float
"""One word of a command."""

_Command = tuple[tuple[Part, ...], asyncio.Future[Any]]
_Batch = Sequence[_Command]

_PIPELINE_MAX: Final = 256
_LISTEN_SECONDS: Final = 1.0
_TOLD_MAX: Final = 200
_USELESS: Final = ("MISCONF ", "NOREPLICAS ")
"""Begin answers of a server that takes no changes now, beside those for which the library has a class."""
_log: Final = logging.getLogger("pointsman.redis")


class RedisLink:
    """A link that knows whether it is ``up``; ``on_up`` of :meth:`keep_up` is told each time it comes up again.

    Names of keys and channels are given without the namespace, which :meth:`name` adds.
    """

    def __init__(self, settings: RedisSettings, nursery: Nursery) -> None:
        self.settings = settings
        self._nursery = nursery
        self._client = client_of(settings)
        self._digests: dict[str, str] = {}
        self._waiting: list[_Command] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._closed = False
        self.up = False
        self.failures = 0
        self.trouble: str | None = None
        self._eviction: str | None = None

    # -- commands --------------------------------------------------------------------------------------

    def name(self, text: str) -> str:
        """The full name; everything of a namespace is in one slot of a cluster."""
        return f"{{{self.settings.namespace}}}:{text}"

    async def run(self, *command: Part) -> Any:  # noqa: ANN401 - whatever the server answers
        """The answer to a command; commands that come in one turn of the event loop share a round trip.

        Raises:
            StorageUnavailable: the link is down, the time is over, or the server refuses.
        """
        if not self.up:
            raise self._unavailable()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, future))
        if len(self._waiting) == 1:
            loop.call_soon(self._send)
        return await future

    async def evaluate(self, script: str, keys: Sequence[str], *words: Part) -> Any:  # noqa: ANN401 - see run
        """The answer of a Lua script; ``keys`` are full names.

        Raises:
            StorageUnavailable: as :meth:`run`.
        """
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self.run("EVALSHA", digest, len(keys), *keys, *words)
        except _UnknownScript:
            return await self.run("EVAL", script, len(keys), *keys, *words)

    async def listen(self, channel: str, on_joined: Callable[[], None], on_message: Callable[[bytes], None]) -> None:
        """Hear the messages of a channel, given by its full name, until the connection breaks or is cancelled.

        Raises:
            StorageUnavailable: the connection is broken, or cannot be made.
        """
        if not self.up:
            raise self._unavailable()
        listener = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            await self._asked(listener.subscribe(channel))
            on_joined()
            while self.up:
                message = await self._asked(listener.get_message(timeout=_LISTEN_SECONDS), _LISTEN_SECONDS)
                if message is not None and isinstance(message["data"], bytes):
                    on_message(message["data"])
        finally:
            with suppress(OSError, _library().RedisError):
                async with asyncio.timeout(self.settings.command_seconds):
                    await listener.aclose()  # type: ignore[no-untyped-call]
        raise self._unavailable()

    # -- life ------------------------------------------------------------------------------------------

    async def open(self) -> bool:
        """Try once whether the server answers, and say so."""
        return await self._probe()

    async def keep_up(self, on_up: Callable[[], None]) -> None:
        """Ask a server that is down again and again; runs until cancelled."""
        while True:
            if not self.up and await self._probe():
                on_up()
            await asyncio.sleep(self.settings.retry_seconds)

    async def close(self) -> None:
        """Cut the connections, once nobody is on the way to make another."""
        self._closed, self.up = True, False
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self.settings.command_seconds)
        with suppress(OSError, _library().RedisError):
            async with asyncio.timeout(self.settings.command_seconds):
                await close(self._client)

    async def _probe(self) -> bool:
        if self.trouble is not None:
            await self._hang_up()
        try:
            # Changes nothing, and only who takes changes answers it: of a cluster, the server that has what is ours.
            await self._asked(self._client.delete(self.name("probe")))
        except StorageUnavailable:
            return False
        if self.trouble is not None:
            _log.warning("Redis answers again.")
        self.up, self.trouble = True, None
        self._nursery.start(self._mind_eviction(), "redis memory")
        return True

    async def _hang_up(self) -> None:
        """Cut idle connections: an address may lead to another server by now, and they would not.

        A cluster's client finds out by itself who has what.
        """
        pool = getattr(self._client, "connection_pool", None)
        if pool is not None:
            with suppress(OSError, TimeoutError, _library().RedisError):
                async with asyncio.timeout(self.settings.command_seconds):
                    await pool.disconnect(inuse_connections=False)

    async def _mind_eviction(self) -> None:
        """Say it where the server throws away what is kept there when its memory is full: nobody would notice."""
        try:
            async with asyncio.timeout(self.settings.command_seconds):
                told = await self._client.info("memory")
        except (OSError, TimeoutError, _library().RedisError):
            return  # not everybody may ask
        policy = _eviction(told)
        if policy is not None and policy != self._eviction:
            _log.warning(
                "Redis throws keys away when its memory is full (maxmemory-policy %s), and limits with them. "
                "Set its maxmemory-policy to noeviction.",
                policy,
            )
        self._eviction = policy

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._closed:
            self._let_down(waiting)
            return
        for start in range(0, len(waiting), _PIPELINE_MAX):
            batch = waiting[start : start + _PIPELINE_MAX]
            task = self._nursery.start(self._pipeline(batch), "redis")
            self._under_way.add(task)
            task.add_done_callback(partial(self._ended, batch))

    def _ended(self, batch: _Batch, task: asyncio.Task[None]) -> None:
        """Tell those who have no answer: there is none, or the task was cancelled, maybe before it had begun."""
        self._under_way.discard(task)
        self._let_down(batch)

    def _let_down(self, batch: _Batch) -> None:
        for _, future in batch:
            _settle(future, self._unavailable())

    async def _pipeline(self, batch: _Batch) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for command, _ in batch:
            pipeline.execute_command(*command)
        try:
            answers = await self._asked(pipeline.execute(raise_on_error=False))
        except StorageUnavailable:
            return  # which those who asked are told when this has ended
        for (_, future), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception) and _is_useless(answer):
                self._fail(answer)
            _settle(future, answer)

    async def _asked(self, question: Any, more_seconds: float = 0.0) -> Any:  # noqa: ANN401 - an awaitable of theirs
        """The answer, within the time limit and ``more_seconds``; whatever else happens takes the link down.

        Raises:
            StorageUnavailable: there is none.
        """
        try:
            async with asyncio.timeout(self.settings.command_seconds + more_seconds):
                return await question
        except (OSError, TimeoutError, _library().RedisError) as error:
            self._fail(error)
            raise self._unavailable() from None

    def _fail(self, error: Exception) -> None:
        self.failures += 1
        self.up = False
        said = _told(error)
        if said != self.trouble and not self._closed:
            _log.error("Redis cannot be used: %s Limits are kept by each process on its own until it is back.", said)
        self.trouble = said

    def _unavailable(self) -> StorageUnavailable:
        return StorageUnavailable("Redis cannot be used.", hint=self.trouble)


class _UnknownScript(StorageUnavailable):
    """The server has forgotten the script, as after a restart."""


def _settle(future: asyncio.Future[Any], answer: object) -> None:
    if future.done():
        return
    if isinstance(answer, StorageUnavailable):
        future.set_exception(answer)
    elif isinstance(answer, _library().NoScriptError):
        future.set_exception(_UnknownScript("The script is not known."))
    elif isinstance(answer, Exception):
        future.set_exception(StorageUnavailable("Redis refuses a command.", hint=_told(answer)))
    else:
        future.set_result(answer)


def _is_useless(answer: Exception) -> bool:
    """Whether the server that says this takes no changes at present, whatever the command."""
    library, said = _library(), str(answer)
    if isinstance(answer, library.ReadOnlyError | library.ClusterDownError):
        return True
    return said.startswith(_USELESS) or "-READONLY" in said  # scripts of Redis 6 have the word within a sentence


def _eviction(told: Mapping[str, object]) -> str | None:
    """The policy by which a server, or one of a cluster, throws keys away; None: it does not."""
    for one in (told, *told.values()):
        if isinstance(one, Mapping) and one.get("maxmemory") not in {None, 0}:
            policy = one.get("maxmemory_policy")
            if isinstance(policy, str) and policy != "noeviction":
                return policy
    return None


def _told(error: Exception) -> str:
    """What went wrong, without addresses and passwords that a message of the library may hold."""
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "it does not answer in time."
    if "Auth" in type(error).__name__ or "WRONGPASS" in str(error) or "NOAUTH" in str(error):
        return "it does not accept the password."
    if "ReadOnly" in type(error).__name__ or "READONLY" in str(error):
        return "it is a replica, and takes no changes."
    _, untrusted, why = str(error).partition("certificate verify failed: ")
    if untrusted:
        return f"its certificate is not to be trusted ({why.partition(' (_ssl')[0]})."
    if isinstance(error, OSError) or type(error).__name__ == "ConnectionError":
        return "it cannot be reached."
    return f"it refuses a command ({str(error)[:_TOLD_MAX]})."


def _library() -> Any:  # noqa: ANN401 - the module redis.exceptions
    from redis import exceptions  # noqa: PLC0415 - an optional extra, and slow to import

    return exceptions
