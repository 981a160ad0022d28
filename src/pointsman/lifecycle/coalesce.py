"""Identical requests for embeddings that come at the same time share one call.

The first one leads: its story goes on as usual, and the others, each let in by its own limits and with a record of its
own, wait for its answer, which costs them nothing. A leader whose client leaves, or whom a limit of its own stops,
hands over to the next; so does one whose upstream fails, but when a second leader fails, too, all are told.
"""

from __future__ import annotations

from copy import copy
from typing import Final, TypeAlias

import msgspec

from pointsman.core.eager import Inbox
from pointsman.core.errors import Blocked, GatewayError, Malformed, Unsupported, UpstreamFailed
from pointsman.core.exchange import Client, Flow
from pointsman.core.upstream import AnsweredHere, Deployment, Operation
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.lifecycle.settle import Settlement
from pointsman.lifecycle.ways import RuleCounts, Way

__all__ = ["SHAREABLE", "Coalescer"]

SHAREABLE: Final = frozenset({
    Operation.EMBEDDING, Operation.GEMINI_EMBED, Operation.GEMINI_BATCH_EMBED, Operation.OLLAMA_EMBED,
    Operation.OLLAMA_EMBEDDINGS,
})  # fmt: skip
"""What has the same answer whenever it is asked."""

_WAITING_MAX: Final = 1_000
"""For one call; whoever comes after them goes alone."""
_CALLS_MAX: Final = 10_000
_LEADERS_FAIL_MAX: Final = 2
_GOOD: Final = 200
_WRONG_EVERYWHERE: Final = frozenset({400, 413, 422})
_LINE: Final = b"x-pointsman-coalesced: true\r\n"

_Key: TypeAlias = tuple[object, ...]


class _Answered(msgspec.Struct, frozen=True):
    """The leader has the answer."""

    body: bytes
    usage: Usage
    deployment: Deployment | None


class _Failed(msgspec.Struct, frozen=True):
    """It failed, and so it would again."""

    error: GatewayError
    deployment: Deployment | None


class _Lead(msgspec.Struct, frozen=True):
    """The leader is gone: go on in its place."""


_News: TypeAlias = _Answered | _Failed | _Lead


class _Call(msgspec.Struct, eq=False):
    """One call that is under way, and who waits for it."""

    key: _Key
    counts: RuleCounts
    waiting: list[Inbox[_News]] = []
    failures: int = 0


class Coalescer:
    """The calls of one process that can be shared."""

    def __init__(self) -> None:
        self._calls: dict[_Key, _Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    async def join(self, way: Way, settlement: Settlement, client: Client) -> Client:
        """Wait for an identical call if there is one; otherwise lead. Gives the client that the story goes on with.

        Raises:
            AnsweredHere: with the answer of the leader.
            GatewayError: with which it failed.
        """
        key = _key_of(way, settlement)
        call = self._calls.get(key)
        counts = way.rule.counts
        if call is None:
            if len(self._calls) >= _CALLS_MAX:
                return client
            call = self._calls[key] = _Call(key, counts, [])
            counts.led += 1
            return _Leader(self, call, settlement, client)
        if len(call.waiting) >= _WAITING_MAX:
            return client
        began = settlement.house.clock.monotonic()
        news = await self._wait(call)
        if isinstance(news, _Lead):
            return _Leader(self, call, settlement, client)
        settlement.deployment = news.deployment or settlement.deployment
        if isinstance(news, _Failed):
            raise copy(news.error)
        counts.shared += 1
        settlement.mark("coalesced", _LINE).is_free = True
        settlement.usage, settlement.sent_at = news.usage, began
        settlement.heard()
        raise AnsweredHere(news.body)

    def answered(self, call: _Call, body: bytes, leader: Settlement) -> None:
        """Give everybody who waits the answer."""
        usage = NO_USAGE if leader.answer is None else leader.answer.usage
        self._tell_all(call, _Answered(body, usage, leader.deployment))

    def failed(self, call: _Call, leader: Settlement) -> None:
        """The leader has no answer: hand over, or tell all if another would fare no better."""
        error = leader.error
        if isinstance(error, UpstreamFailed):
            call.failures += 1
        if error is not None and (call.failures >= _LEADERS_FAIL_MAX or _is_wrong_everywhere(error)):
            self._tell_all(call, _Failed(error, leader.deployment))
        else:
            self.hand_over(call)

    def hand_over(self, call: _Call) -> None:
        """Let the next one lead."""
        if call.waiting:
            call.counts.taken_over += 1
            call.waiting.pop(0).put(_Lead())
        else:
            self._calls.pop(call.key, None)

    async def _wait(self, call: _Call) -> _News:
        inbox: Inbox[_News] = Inbox()
        call.waiting.append(inbox)
        try:
            return await inbox
        finally:
            # If the client is gone: perhaps it had just been told to lead.
            if inbox in call.waiting:
                call.waiting.remove(inbox)
            elif any(isinstance(item, _Lead) for item in inbox.items):
                self.hand_over(call)

    def _tell_all(self, call: _Call, news: _News) -> None:
        self._calls.pop(call.key, None)
        waiting = call.waiting
        call.waiting = []
        for inbox in waiting:
            inbox.put(news)


class _Leader:
    """The leader's client; see :class:`pointsman.core.exchange.Client`. What it is given, the others are, too."""

    def __init__(self, coalescer: Coalescer, call: _Call, settlement: Settlement, client: Client) -> None:
        self._coalescer = coalescer
        self._call = call
        self._settlement = settlement
        self._client = client
        self._has_told = False

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """See the protocol."""
        self._client.reply(status, head, body)
        self._has_told = True
        if status == _GOOD:
            self._coalescer.answered(self._call, body, self._settlement)
        else:
            self._coalescer.failed(self._call, self._settlement)

    def begin(self, status: int, head: bytes) -> None:
        """See the protocol."""
        self._client.begin(status, head)

    def send(self, block: bytes) -> None:
        """See the protocol."""
        self._client.send(block)

    def end(self, block: bytes = b"") -> None:
        """See the protocol."""
        self._client.end(block)

    def attach(self, flow: Flow | None) -> None:
        """See the protocol; once there is a record and no upstream any more, the story is over."""
        self._client.attach(flow)
        if flow is None and self._settlement.written and not self._has_told:
            self._has_told = True
            self._coalescer.hand_over(self._call)

    def abort(self) -> None:
        """See the protocol."""
        self._client.abort()


def _key_of(way: Way, settlement: Settlement) -> _Key:
    """What is equal in requests that have the same answer.

    Who asks is part of it only where that decides which deployments may serve a request; each was let in anyway.
    """
    head, ask, screens = settlement.inbound.head, settlement.ask, way.pool.screens
    whose: _Key = ()
    if screens.access or screens.team or screens.tags:
        token = "" if settlement.principal is None else settlement.principal.record.token
        whose = (token, () if head.routing is None else head.routing.tags)
    versions = () if ask is None else ask.versions
    return (way.pool.name, way.arm, head.route.operation, head.path_model, versions, settlement.inbound.body, whose)


def _is_wrong_everywhere(error: GatewayError) -> bool:
    """Whether it is the request itself that is wrong."""
    if isinstance(error, UpstreamFailed):
        return error.status in _WRONG_EVERYWHERE
    return isinstance(error, Malformed | Unsupported | Blocked)
