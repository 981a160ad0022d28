"""What deployments with limits were given, added up over processes, and over restarts of each.

Every process counts what it gives them itself, and tells the others: what changed every tenth of a second (where there
are thousands of deployments less often; while nothing is asked of any upstream, every half), all of it every two
seconds. What is told is the whole of a minute, or of a day, so that news may be lost, late or heard twice.

What was used of a day before a process began is read from the ledger, once. What others used before that is part of
it, so of them only what has come since is added. Who is new asks the others to tell at once; what they were given in
that moment is not counted, and neither is what a process that was killed did not tell any more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pointsman.assembly.news_parts import in_parts
from pointsman.assembly.rest_news import Bulletin
from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.core.upstream import Deployment
from pointsman.routing.gather import count_limits, has_limits
from pointsman.routing.live import LiveBook
from pointsman.routing.table import RoutingTable
from pointsman.routing.terms import NOTHING_ELSEWHERE, Elsewhere, Tallies
from pointsman.stores.performance import DeploymentUse

__all__ = ["UseNews"]

_TOPIC: Final = "use"
_TELL_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 0.5
_LOOKED_AT_A_SECOND: Final = 2_000
"""Of more deployments than a tenth of this, each is looked at less often."""
_AGAIN_SECONDS: Final = 2.0
_FORGET_SECONDS: Final = 6.0
_RETRY_SECONDS: Final = 1.0
_BYTES_MAX: Final = 3_000
_PROCESSES_MAX: Final = 1_024
_MADE_MAX: Final = 1_000
"""Deployments of wildcards, whose names clients make up; what is beyond that is counted by each process alone."""
_DAY_SECONDS: Final = 86_400


class _Told(msgspec.Struct, frozen=True, array_like=True):
    """What a process gave a deployment: of the day, in days since the epoch, and of the last minute."""

    id: str
    day: int = 0
    day_requests: int = 0
    day_tokens: int = 0
    requests: int = 0
    tokens: int = 0
    input: int = 0
    output: int = 0


class _News(msgspec.Struct, frozen=True):
    """``since`` is when the process began, in seconds of the wall clock."""

    process: str
    since: float
    use: tuple[_Told, ...] = ()


class _Heard:
    """What another process told last, of which ``before`` (requests and tokens of the day) is in the ledger."""

    __slots__ = ("at", "before", "told")

    def __init__(self, told: _Told, before: tuple[int, int], at: float) -> None:
        self.told = told
        self.before = before
        self.at = at


class _Place:
    """What is known of one deployment: of the ``ledger`` its day, and the requests and tokens of it."""

    __slots__ = ("deployment", "heard", "is_recalled", "ledger", "told")

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.told = _Told(deployment.id)
        self.heard: dict[str, _Heard] = {}
        self.ledger = (-1, 0, 0)
        self.is_recalled = False


_decode: Final = msgspec.json.Decoder(_News).decode
_encode: Final = msgspec.json.Encoder().encode


class UseNews:
    """What the process of that name tells and hears of the deployments in the ``table`` as it is now.

    ``used`` asks the ledger what was sent within a span of the wall clock.
    """

    def __init__(
        self,
        lives: LiveBook,
        table: Callable[[], RoutingTable],
        used: Callable[[float, float], Awaitable[Sequence[DeploymentUse]]],
        process: str,
        bulletins: Iterable[Bulletin],
        clock: Clock,
    ) -> None:
        self._lives = lives
        self._table = table
        self._used = used
        self._process = process
        self._bulletins = tuple(bulletins)
        self._clock = clock
        self._since = clock.wall()
        self._followed: tuple[RoutingTable, int] | None = None
        self._made = 0
        self._places: dict[str, _Place] = {}
        self._known: set[str] = set()
        self._again_at = self._recall_at = 0.0
        for bulletin in self._bulletins:
            bulletin.hear(_TOPIC, self._hear)
        self._post(_News(process, self._since))

    async def run(self, quiet: Callable[[float], Awaitable[bool]]) -> None:
        """Read, tell and forget; runs until cancelled.

        ``quiet`` is :meth:`pointsman.providers.transport.transport.Transport.quiet`.
        """
        while True:
            self.follow()
            await self.recall()
            if not self._places or not self._bulletins:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.step()
            if not await quiet(_QUIET_SECONDS):
                await asyncio.sleep(max(_TELL_SECONDS, len(self._places) / _LOOKED_AT_A_SECOND))

    def follow(self) -> None:
        """Look after the deployments that have limits now. Those of before are kept in mind, should they come back."""
        table = self._table()
        if self._followed is not None and self._followed[0] is table and self._followed[1] == table.expansions:
            return
        self._followed = (table, table.expansions)
        for deployment in table.deployments:
            if has_limits(deployment):
                self._look_after(deployment)
        for deployment in table.expanded:
            if has_limits(deployment):
                if deployment.id not in self._places:
                    if self._made >= _MADE_MAX:
                        continue
                    self._made += 1
                self._look_after(deployment)

    def _look_after(self, deployment: Deployment) -> None:
        count_limits(self._lives.of(deployment), deployment)
        place = self._places.setdefault(deployment.id, _Place(deployment))
        place.deployment = deployment

    async def recall(self) -> None:
        """Read what was used of the day before this process counted, of deployments of which it was not read yet."""
        if self._clock.monotonic() < self._recall_at:
            return
        by_start: dict[float, list[tuple[_Place, Tallies]]] = defaultdict(list)
        for place in self._places.values():
            tallies = self._tallies(place)
            if not place.is_recalled and tallies is not None and tallies.counts_days:
                by_start[tallies.day * _DAY_SECONDS + tallies.terms.day_begins].append((place, tallies))
        for start, some in by_start.items():
            try:
                await self._recall(start, some)
            except StorageUnavailable:
                self._recall_at = self._clock.monotonic() + _RETRY_SECONDS

    async def _recall(self, start: float, some: Sequence[tuple[_Place, Tallies]]) -> None:
        end = min(tallies.since for _, tallies in some)
        found = {one.deployment_id: one for one in await self._used(start, end)} if end > start else {}
        for place, tallies in some:
            one = found.get(place.deployment.id)
            if one is not None:
                day = int(start - tallies.terms.day_begins) // _DAY_SECONDS
                place.ledger = (day, one.requests, one.tokens)
            place.is_recalled = True
            self._add_up(place)

    def step(self) -> None:
        """Tell what is to be told now, and forget of whom nothing was heard."""
        now = self._clock.monotonic()
        is_again = now >= self._again_at
        if is_again:
            self._again_at = now + _AGAIN_SECONDS
            self._forget(now)
        for part in in_parts(self._news(int(now), everything=is_again), _BYTES_MAX):
            self._post(_News(self._process, self._since, part))

    def _news(self, second: int, *, everything: bool) -> Iterator[_Told]:
        for place in self._places.values():
            told = self._now(place, second)
            if told != place.told or (everything and told != _Told(told.id, told.day)):
                place.told = told
                yield told

    def _now(self, place: _Place, second: int) -> _Told:
        live = self._lives.known(place.deployment.id)
        meter = None if live is None else live.meter
        if meter is None:
            return _Told(place.deployment.id)
        requests = 0 if meter.requests is None else meter.requests.used(second)
        tokens = 0 if meter.tokens is None else meter.tokens.used(second)
        tallies = meter.tallies
        if tallies is None:
            return _Told(place.deployment.id, 0, 0, 0, requests, tokens)
        day, minute = tallies.day, tallies.minute(second)
        return _Told(
            place.deployment.id, day, tallies.day_requests, tallies.day_tokens, requests, tokens, minute[0], minute[1]
        )

    def _post(self, news: _News) -> None:
        body = _encode(news)
        for bulletin in self._bulletins:
            bulletin.post(_TOPIC, body)

    def _hear(self, said: bytes) -> None:
        try:
            news = _decode(said)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        if news.process == self._process:
            return
        if news.process not in self._known:
            if len(self._known) >= _PROCESSES_MAX:
                return
            self._known.add(news.process)
            self._again_at = 0.0  # it knows nothing yet
        now = self._clock.monotonic()
        for told in news.use:
            place = self._places.get(told.id)
            if place is not None:
                self._note(place, news, told, now)

    def _note(self, place: _Place, news: _News, told: _Told, now: float) -> None:
        heard = place.heard.get(news.process)
        if heard is None:
            tallies = self._tallies(place)
            is_in_ledger = tallies is not None and news.since < tallies.since
            before = (told.day_requests, told.day_tokens) if is_in_ledger else (0, 0)
            place.heard[news.process] = _Heard(told, before, now)
        else:
            if told.day != heard.told.day:
                heard.before = (0, 0)
            heard.told, heard.at = told, now
        self._add_up(place)

    def _forget(self, now: float) -> None:
        """Let minutes end of which nothing is heard any more; days are counted to their end."""
        for place in self._places.values():
            stale = [name for name, heard in place.heard.items() if now - heard.at > _FORGET_SECONDS]
            tallies = self._tallies(place) if stale else None
            for name in stale:
                told = place.heard[name].told
                if tallies is None or told.day != tallies.day:
                    del place.heard[name]
                else:
                    place.heard[name].told = msgspec.structs.replace(told, requests=0, tokens=0, input=0, output=0)
            if stale:
                self._add_up(place)
        self._known.intersection_update(name for place in self._places.values() for name in place.heard)

    def _add_up(self, place: _Place) -> None:
        live = self._lives.known(place.deployment.id)
        if live is None or live.meter is None:
            return
        heard = place.heard.values()
        live.meter.elsewhere = sum(one.told.requests for one in heard), sum(one.told.tokens for one in heard)
        tallies = live.meter.tallies
        if tallies is None:
            return
        today, day = tallies.day, place.ledger
        requests, tokens = day[1:] if day[0] == today else (0, 0)
        for one in heard:
            if one.told.day == today:
                requests += max(one.told.day_requests - one.before[0], 0)
                tokens += max(one.told.day_tokens - one.before[1], 0)
        found = Elsewhere(
            today, requests, tokens, sum(one.told.input for one in heard), sum(one.told.output for one in heard)
        )
        tallies.elsewhere = NOTHING_ELSEWHERE if found == Elsewhere(today) else found

    def _tallies(self, place: _Place) -> Tallies | None:
        live = self._lives.known(place.deployment.id)
        return None if live is None or live.meter is None else live.meter.tallies
