"""Keeps what a service for secrets told fresh, behind the back of requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from pointsman.config.secret_sources import SecretSource

__all__ = ["follow_secrets"]

_LOOK_SECONDS: Final = 1.0
_log: Final = logging.getLogger("pointsman")


async def follow_secrets(source: Callable[[], SecretSource | None], reload: Callable[[], Awaitable[None]]) -> None:
    """Ask the service now in use again, as often as it wants, and reload where a secret changed; until cancelled."""
    waited = 0.0
    told: str | None = None
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        waited += _LOOK_SECONDS
        service = source()
        if service is None or waited < service.refresh_seconds:
            continue
        waited = 0.0
        if await asyncio.to_thread(service.refresh):
            _log.info("A secret was changed; the configuration is reloaded.")
            await reload()
        if service.trouble != told:
            told = service.trouble
            if told is None:
                _log.info("The service that keeps secrets answers again.")
            else:
                _log.warning("%s What it told before is still used.", told)
