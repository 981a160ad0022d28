"""Short news that processes tell one another at once, over a channel of Redis or Valkey.

News may be lost, come late or twice: whoever hears of nothing finds out some other way, if more slowly. It holds no
secrets, since whoever can read Redis can read it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.errors import StorageUnavailable
from pointsman.core.nursery import Nursery
from pointsman.stores.redis.link import RedisLink

__all__ = ["Hearer", "RedisBulletin"]

Hearer = Callable[[bytes], None]
"""Is told what others say of a topic, as JSON. Does not wait and does not raise."""

_CHANNEL: Final = "bulletin"
_NEWS_BYTES_MAX: Final = 4096
_POSTS_MAX: Final = 64
"""Posts under way at once; what is beyond that is not told."""


class _News(msgspec.Struct, frozen=True):
    teller: str
    topic: str
    body: msgspec.Raw


_decode: Final = msgspec.json.Decoder(_News).decode
_encode: Final = msgspec.json.Encoder().encode


class RedisBulletin:
    """What the process ``teller`` tells and hears. ``on_joined`` is called when it begins to hear, also after a gap."""

    def __init__(self, link: RedisLink, teller: str, nursery: Nursery, on_joined: Callable[[], None]) -> None:
        self._link = link
        self._teller = teller
        self._nursery = nursery
        self._on_joined = on_joined
        self._hearers: dict[str, Hearer] = {}
        self._posting = 0

    def hear(self, topic: str, hearer: Hearer) -> None:
        """From now on ``hearer`` is told what others say of the topic."""
        self._hearers[topic] = hearer

    def post(self, topic: str, body: bytes = b"null") -> None:
        """Tell the others; ``body`` is JSON. Nothing is waited for, and nothing is said where Redis is away."""
        if not self._link.up or self._posting >= _POSTS_MAX:
            return
        news = _encode(_News(self._teller, topic, msgspec.Raw(body)))
        if len(news) <= _NEWS_BYTES_MAX:
            self._posting += 1
            self._nursery.start(self._post(news), "bulletin")

    async def run(self) -> None:
        """Listen, again and again where the connection breaks; runs until cancelled."""
        channel = self._link.name(_CHANNEL)
        while True:
            try:
                await self._link.listen(channel, self._on_joined, self._hear)
            except StorageUnavailable:
                await asyncio.sleep(self._link.settings.retry_seconds)

    async def _post(self, news: bytes) -> None:
        try:
            await self._link.run("PUBLISH", self._link.name(_CHANNEL), news)
        except StorageUnavailable:
            return  # the link has told of it
        finally:
            self._posting -= 1

    def _hear(self, said: bytes) -> None:
        if len(said) > _NEWS_BYTES_MAX:
            return
        try:
            news = _decode(said)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        hearer = self._hearers.get(news.topic)
        if hearer is not None and news.teller != self._teller:
            hearer(bytes(news.body))
