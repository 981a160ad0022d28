"""Lets the many deployments of one server ask it once, and a few servers at a time."""

from __future__ import annotations

import asyncio
from typing import Final

from pointsman.core.errors import UpstreamFailed
from pointsman.providers.transport import Fetcher, FetchReply

__all__ = ["CONCURRENCY", "SharedFetcher"]

CONCURRENCY: Final = 16
"""Questions under way at once, where the operator sets no other number."""

_Key = tuple[str, tuple[tuple[str, str], ...]]


class SharedFetcher:
    """Remembers every GET of one round of checks; see :class:`pointsman.providers.transport.Fetcher`."""

    def __init__(self, fetcher: Fetcher, concurrency: int = CONCURRENCY) -> None:
        self._fetcher = fetcher
        self._gate = asyncio.Semaphore(concurrency)
        self._locks: dict[_Key, asyncio.Lock] = {}
        self._known: dict[_Key, FetchReply | UpstreamFailed] = {}

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        timeout_seconds: float = 5.0,
        content_type: str = "application/json",
    ) -> FetchReply:
        """The answer, or the failure, that whoever asked this first got. Other methods than GET are not shared."""
        key = (url, headers)
        if method != "GET":
            async with self._gate:
                return await self._fetcher.fetch(
                    method, url, body=body, headers=headers, timeout_seconds=timeout_seconds, content_type=content_type
                )
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._known:
                self._known[key] = await self._ask(url, headers, timeout_seconds)
        known = self._known[key]
        if isinstance(known, UpstreamFailed):
            raise known.with_traceback(None)
        return known

    async def _ask(
        self, url: str, headers: tuple[tuple[str, str], ...], timeout_seconds: float
    ) -> FetchReply | UpstreamFailed:
        async with self._gate:
            try:
                return await self._fetcher.fetch("GET", url, headers=headers, timeout_seconds=timeout_seconds)
            except UpstreamFailed as error:
                return error
