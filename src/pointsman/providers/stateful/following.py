"""The stream of a response that is worked on in the background, read while it is written: by whatever process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from pointsman.core.clock import Clock
from pointsman.core.errors import StorageUnavailable
from pointsman.core.identity import Owner
from pointsman.stores.response_ports import UNFINISHED, ResponseStore
from pointsman.wire.limits import KEEPALIVE_SECONDS

__all__ = ["follow"]

_LOOK_SECONDS: Final = 0.15
_KEEPALIVE: Final = b": keepalive\n\n"


async def follow(
    responses: ResponseStore, response_id: str, owner: Owner, clock: Clock, after: int = -1
) -> AsyncIterator[bytes]:
    """The events numbered above ``after``, as they come, until the response is finished, removed or out of reach."""
    told_at = clock.monotonic()
    while True:
        try:
            page = await responses.events(response_id, owner, clock.wall(), after=after)
        except StorageUnavailable:
            return  # the client asks again from where it was
        if page is None or (not page.events and page.status not in UNFINISHED):
            return
        if page.events:
            yield b"".join([event for _, event in page.events])
            after = page.events[-1][0]
            told_at = clock.monotonic()
        elif clock.monotonic() - told_at >= KEEPALIVE_SECONDS:
            yield _KEEPALIVE
            told_at = clock.monotonic()
        if page.is_last and page.status in UNFINISHED:
            await asyncio.sleep(_LOOK_SECONDS)
