"""Remembers tokens, so that a request hardly ever waits for one.

A token is asked for once, however many requests want it; it is asked for anew, behind the back of the requests that
use it, some minutes before it expires.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.providers.transport import Fetcher

__all__ = ["Grant", "TokenBook", "TokenSource"]

REFRESH_AHEAD_SECONDS: Final = 300.0
"""How long before its end a token is replaced; of a short life a fifth."""

_MARGIN_SECONDS: Final = 30.0
"""How long before its end a token is used no more: the request has to arrive, and clocks differ."""

_RETRY_SECONDS: Final = 10.0
"""After a refresh that failed, while the former token is still good; and after a token that the upstream refused."""

_ENTRIES_MAX: Final = 1024


class Grant(msgspec.Struct, frozen=True):
    """A token that was just given, how many seconds it lives, and the project that its identity belongs to."""

    token: Secret
    seconds: float
    project: str | None = None


class TokenSource(Protocol):
    """Where the tokens of one identity come from."""

    @property
    def identity(self) -> str:
        """What tells it from every other source; holds no secret that could be read."""
        ...

    async def fetch(self, fetcher: Fetcher, clock: Clock) -> Grant:
        """A fresh token.

        Raises:
            UpstreamFailed: none is to be had; the message says where, the hint what to check.
        """
        ...


class _Entry(msgspec.Struct):
    """Times are those of the monotonic clock; ``forget_after`` bounds how often tokens are replaced for a refusal.

    ``former`` is the token before, with which requests may still be under way.
    """

    grant: Grant
    refresh_at: float
    expires_at: float
    forget_after: float = 0.0
    former: Secret | None = None


class TokenBook:
    """Tokens by the identity of their source; shared by all deployments."""

    def __init__(self, fetcher: Fetcher, nursery: Nursery, clock: Clock = SYSTEM_CLOCK) -> None:
        self._fetcher = fetcher
        self._nursery = nursery
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._questions: dict[str, asyncio.Task[Grant | GatewayError]] = {}

    def recall(self, source: TokenSource) -> Grant | None:
        """The token that is good now, or None if :meth:`learn` has to be awaited. One that ages is replaced behind."""
        identity = source.identity
        entry = self._entries.get(identity)
        if entry is None:
            return None
        now = self._clock.monotonic()
        if now >= entry.expires_at:
            return None
        if now >= entry.refresh_at and identity not in self._questions:
            self._ask(source)
        return entry.grant

    async def learn(self, source: TokenSource) -> Grant:
        """A fresh token; whoever asks while somebody else does gets the same.

        Raises:
            UpstreamFailed: none is to be had.
        """
        # One waiter's end must not take the answer from the others.
        result = await asyncio.shield(self._questions.get(source.identity) or self._ask(source))
        if isinstance(result, GatewayError):
            raise result
        return result

    def forget(self, source: TokenSource, grant: Grant) -> None:
        """The upstream refused this token: the next request gets another, unless there is one already.

        Where it refuses one after the other, the token is not what is wrong, so that none is asked for in vain.
        """
        entry = self._entries.get(source.identity)
        now = self._clock.monotonic()
        if entry is not None and entry.grant is grant and now >= entry.forget_after:
            entry.expires_at = now
            entry.forget_after = now + _RETRY_SECONDS

    def issued(self) -> Iterator[str]:
        """All tokens with which a request may be under way, so that nobody is told them."""
        for entry in self._entries.values():
            yield entry.grant.token.reveal()
            if entry.former is not None:
                yield entry.former.reveal()

    def _ask(self, source: TokenSource) -> asyncio.Task[Grant | GatewayError]:
        task = self._nursery.start(self._answer(source), "token")
        self._questions[source.identity] = task
        return task

    async def _answer(self, source: TokenSource) -> Grant | GatewayError:
        identity = source.identity
        try:
            grant = await source.fetch(self._fetcher, self._clock)
        except GatewayError as error:
            known = self._entries.get(identity)
            if known is not None:
                known.refresh_at = self._clock.monotonic() + _RETRY_SECONDS
            return error
        finally:
            self._questions.pop(identity, None)
        self._keep(identity, grant)
        return grant

    def _keep(self, identity: str, grant: Grant) -> None:
        former = self._entries.pop(identity, None)
        if len(self._entries) >= _ENTRIES_MAX:
            del self._entries[next(iter(self._entries))]
        end = self._clock.monotonic() + grant.seconds
        ahead = min(REFRESH_AHEAD_SECONDS, grant.seconds / 5)
        self._entries[identity] = _Entry(
            grant,
            refresh_at=end - ahead,
            expires_at=end - min(_MARGIN_SECONDS, grant.seconds / 10),
            forget_after=0.0 if former is None else former.forget_after,
            former=None if former is None else former.grant.token,
        )
