"""Which of several replicas looks after the warmth of models: one does, so that no two load what one is to.

Whoever writes its name into a document in Redis has the turn for as long as it says so again. While Redis is away each
does what it would do alone, save unloading what others may use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.stores.redis import RedisBoards

__all__ = ["WarmTurn"]

_NAME: Final = "warmth"
_TELL_SECONDS: Final = 2.0
_LEASE_SECONDS: Final = 8.0


class _Turn(msgspec.Struct, frozen=True, array_like=True):
    """Whose turn it is, told at a moment of the server's clock."""

    holder: str
    at: float


_decode: Final = msgspec.json.Decoder(_Turn).decode
_encode: Final = msgspec.json.Encoder().encode


class WarmTurn:
    """``holder`` is this process; ``is_up`` tells whether Redis is there."""

    def __init__(self, boards: RedisBoards, holder: str, is_up: Callable[[], bool], clock: Clock) -> None:
        self._boards = boards
        self._holder = holder
        self._is_up = is_up
        self._clock = clock
        self._is_held = False
        self._up_since = inf

    def is_held(self) -> bool:
        """Whether it is this process's turn; without Redis it is everybody's."""
        return self._is_held or not self._is_up()

    def has_heard_all(self, seconds: float) -> bool:
        """Whether Redis has been there for so long, in one go."""
        return self._is_up() and self._clock.monotonic() - self._up_since >= seconds

    async def run(self) -> None:
        """Take the turn where nobody has it, and keep it; runs until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(_TELL_SECONDS)

    async def step(self) -> None:
        """Ask once."""
        if not self._is_up():
            self._up_since, self._is_held = inf, False
            return
        self._up_since = min(self._up_since, self._clock.monotonic())
        try:
            found = await self._boards.exchange(_NAME, "0")
            turn = _read(found.document)
            if turn is not None and turn.holder != self._holder and found.now - turn.at < _LEASE_SECONDS:
                self._is_held = False
                return
            written = await self._boards.exchange(_NAME, found.version, _encode(_Turn(self._holder, found.now)))
            self._is_held = written.is_written
        except StorageUnavailable:
            self._up_since, self._is_held = inf, False


def _read(document: bytes) -> _Turn | None:
    try:
        return _decode(document) if document else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
