"""Shared limits in Redis or Valkey: one Lua script does all trades of an exchange in one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final

from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.stores.redis.link import Part, RedisLink
from pointsman.stores.shared_limits import (
    GATHER_SECONDS,
    LIVE_SECONDS,
    SETTLED_SECONDS,
    Answer,
    Deal,
    Trade,
    Used,
)

__all__ = ["RedisSharedLimits"]

_PART_WINDOWS: Final = 200
_HEAD: Final = 3
_DEAL: Final = 4


class RedisSharedLimits:
    """What the process ``holder`` has to do with the limits; see the protocol.

    ``clock`` takes the place of the server's, in tests.
    """

    def __init__(self, link: RedisLink, holder: str, clock: Clock | None = None) -> None:
        self._link = link
        self._holder = holder
        self._clock = clock
        self._epoch = b""
        self._seen_epoch = b""
        scripts = files("pointsman.stores.redis")
        self._exchange = scripts.joinpath("exchange.lua").read_text("utf-8")
        self._recall = scripts.joinpath("recall.lua").read_text("utf-8")

    async def exchange(self, trades: Sequence[Trade], *, whole: bool = False) -> Answer:
        """See :class:`pointsman.stores.shared_limits.SharedLimits`."""
        keys = [self._link.name("epoch"), self._link.name("holders"), *(self._key(trade.account) for trade in trades)]
        words: list[Part] = [self._holder, self._now(), int(whole), self._epoch, *_TIMES]
        for trade in trades:
            words.extend(_words(trade))
        answer = await self._link.evaluate(self._exchange, keys, *words)
        now, replicas = int(answer[1]) / 1_000, int(answer[2])
        if not answer[0]:
            self._seen_epoch = answer[3]
            return Answer(now, replicas, None, self._epoch != self._seen_epoch)
        numbers = [int(number) for number in answer[_HEAD:]]
        parts = (numbers[at : at + _DEAL] for at in range(0, len(numbers), _DEAL))
        deals = (Deal(granted, used, wait, bool(missed)) for granted, used, wait, missed in parts)
        return Answer(now, replicas, tuple(deals))

    async def recall(self, used: Sequence[Used]) -> None:
        """See :class:`pointsman.stores.shared_limits.SharedLimits`."""
        epoch = self._seen_epoch
        if not epoch:
            raise StorageUnavailable("Redis was not asked yet.")
        for start in range(0, len(used), _PART_WINDOWS):
            part = used[start : start + _PART_WINDOWS]
            keys = [self._link.name("epoch"), self._link.name(f"told:{epoch.decode()}")]
            keys += [self._key(one.account) for one in part]
            words: list[Part] = [f"{self._holder}:{start}", self._now(), epoch]
            for one in part:
                words += [one.grain, one.moments, len(one.units)]
                words += [number for pair in one.units for number in pair]
            await self._link.evaluate(self._recall, keys, *words)
        self._epoch = epoch

    async def beat(self) -> Answer:
        """See :class:`pointsman.stores.shared_limits.SharedLimits`."""
        return await self.exchange(())

    async def leave(self, holder: str | None = None, *, settled_seconds: int = SETTLED_SECONDS) -> None:
        """See :class:`pointsman.stores.shared_limits.SharedLimits`."""
        now = (await self.exchange(())).now
        # Not removed: the score tells for how long what it has settled counts.
        score = int((now - SETTLED_SECONDS + settled_seconds) * 1_000)
        await self._link.run("ZADD", self._link.name("holders"), "XX", score, holder or self._holder)

    def _now(self) -> Part:
        return "" if self._clock is None else int(self._clock.wall() * 1_000)

    def _key(self, account: str) -> str:
        return self._link.name(f"limit:{account}")


_TIMES: Final[tuple[int, ...]] = (LIVE_SECONDS * 1_000, SETTLED_SECONDS * 1_000, GATHER_SECONDS * 1_000)


def _words(trade: Trade) -> Iterator[Part]:
    """The trade, in the order that the script reads."""
    yield from (trade.limit, trade.grain, trade.moments, trade.need, trade.single, trade.wish, int(trade.edge))
    yield from (trade.idle, trade.kept, trade.kept_at, trade.held, trade.settled, trade.spent, len(trade.changes))
    for change in trade.changes:
        yield from change
