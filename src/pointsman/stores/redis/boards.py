"""Small documents in Redis or Valkey that processes change one after the other: who was overtaken tries again."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import msgspec

from pointsman.stores.redis.link import RedisLink

__all__ = ["BoardAnswer", "RedisBoards"]

_KEPT_SECONDS: Final = 3600
"""A document that nobody changes for so long tells of nobody that lives."""


class BoardAnswer(msgspec.Struct, frozen=True):
    """``document`` and ``version`` as they are now; ``now`` and ``since`` are seconds by the server's clock.

    ``since`` is when the server first had a document: what was before it has forgotten.
    """

    is_written: bool
    version: str
    document: bytes
    now: float
    since: float


class RedisBoards:
    """The documents of one namespace."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._script = files("pointsman.stores.redis").joinpath("board.lua").read_text("utf-8")

    async def exchange(self, name: str, version: str, document: bytes = b"") -> BoardAnswer:
        """Replace a document of that version; only read it where ``document`` is empty.

        Raises:
            StorageUnavailable: the server does not answer.
        """
        keys = [self._link.name(f"slots:{name}"), self._link.name("slots-since")]
        answer = await self._link.evaluate(self._script, keys, version, document, _KEPT_SECONDS * 1_000)
        is_written = bool(answer[0])
        return BoardAnswer(
            is_written,
            answer[1].decode(),
            document if is_written else answer[2],
            int(answer[3]) / 1_000,
            int(answer[4]) / 1_000,
        )
