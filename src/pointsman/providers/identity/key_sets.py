"""Public keys of issuers: fetched once for many tokens, kept for a while, and a while longer where nobody answers.

A token that names a key that is not among them has them fetched anew, but not more often than every few seconds: who
makes up names must not make us ask for each.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError, UpstreamFailed
from pointsman.core.nursery import Nursery
from pointsman.providers.identity.fetching import IdentityFetcher, ask, unavailable
from pointsman.wire.jose import PublicKey, read_key_set

__all__ = ["KeySetBook"]

UNKNOWN_KEY_SECONDS: Final = 10.0
"""Between two fetches for the sake of a key that is not known."""
RETRY_SECONDS: Final = 3.0
"""Between two tries while nobody answers."""
SETS_MAX: Final = 256


class _Kept(msgspec.Struct):
    """Moments are monotonic seconds; ``asked_at`` is the last try, ``got_at`` the last that succeeded."""

    keys: tuple[PublicKey, ...] = ()
    asked_at: float = float("-inf")
    got_at: float = float("-inf")
    failure: GatewayError | None = None


class KeySetBook:
    """Sets of keys by their address. ``fresh_seconds`` and ``stale_seconds`` may be changed."""

    def __init__(
        self,
        fetcher: IdentityFetcher,
        nursery: Nursery,
        clock: Clock = SYSTEM_CLOCK,
        *,
        fresh_seconds: float = 600.0,
        stale_seconds: float = 3600.0,
    ) -> None:
        self.fresh_seconds = fresh_seconds
        self.stale_seconds = stale_seconds
        self._fetcher = fetcher
        self._nursery = nursery
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._questions: dict[str, asyncio.Task[None]] = {}

    async def keys(self, url: str, key_id: str | None) -> tuple[PublicKey, ...]:
        """The keys at ``url``, among them the one named ``key_id`` if it is to be had.

        Raises:
            GatewayError: nobody answers, and what was known is too old.
        """
        kept = self._entry(url)
        now = self._clock.monotonic()
        if now - kept.got_at >= self.fresh_seconds:
            if now - kept.asked_at >= RETRY_SECONDS or kept.failure is None:
                await self._refresh(url)
        elif now - kept.asked_at >= UNKNOWN_KEY_SECONDS and _lacks(kept.keys, key_id):
            await self._refresh(url)
        kept = self._entry(url)
        if self._clock.monotonic() - kept.got_at >= self.fresh_seconds + self.stale_seconds:
            raise kept.failure or unavailable(url, "its keys are too old.")
        return kept.keys

    def _entry(self, url: str) -> _Kept:
        kept = self._kept.get(url)
        if kept is None:
            if len(self._kept) >= SETS_MAX:
                del self._kept[next(iter(self._kept))]
            self._kept[url] = kept = _Kept()
        return kept

    async def _refresh(self, url: str) -> None:
        """Fetch once, however many wait for it."""
        task = self._questions.get(url)
        if task is None:
            self._questions[url] = task = self._nursery.start(self._fetch(url), "public keys")
        await asyncio.shield(task)

    async def _fetch(self, url: str) -> None:
        kept = self._entry(url)
        kept.asked_at = self._clock.monotonic()
        try:
            reply = await ask(self._fetcher, "GET", url)
            if reply.status != 200:
                kept.failure = unavailable(url, f"its keys were answered with status {reply.status}.")
                return
            kept.keys = read_key_set(reply.body)
            kept.got_at = self._clock.monotonic()
            kept.failure = None
        except UpstreamFailed as error:
            kept.failure = unavailable(url, error.message)
        except ValueError as wrong:
            kept.failure = unavailable(url, f"{wrong}.")
        finally:
            self._questions.pop(url, None)


def _lacks(keys: tuple[PublicKey, ...], key_id: str | None) -> bool:
    return key_id is not None and all(key.identity != key_id for key in keys)
