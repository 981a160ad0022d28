"""Keeps the keys that requests are signed with, so that a request rarely waits for them.

Keys that expire are fetched anew behind the back of the requests that use them; however many requests want the same
keys, one search is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import GatewayError
from pointsman.core.nursery import Nursery
from pointsman.wire.aws_signature import AwsKeys

__all__ = ["AwsKeyring", "FindKeys", "Grant", "KeySource"]

REFRESH_SECONDS: Final = 600.0
"""So long before keys expire others are sought, while they go on being used."""

SPARE_SECONDS: Final = 60.0
"""Keys that are good for less than this are used no more: clocks differ, and a request takes its time."""

RETRY_SECONDS: Final = 30.0
"""After a search that failed, the next one in the background."""

FAILED_SECONDS: Final = 5.0
"""So long a search that failed answers for the next ones: where there are no keys, to find that out takes seconds."""

_SOURCES_MAX: Final = 4096

_Identity = tuple[str | tuple[tuple[str, str], ...] | None, ...]
"""What two accesses have to agree in to have the same keys."""


class Grant(msgspec.Struct, frozen=True):
    """Keys, and until when they are good: seconds since the epoch, or None."""

    keys: AwsKeys
    expires_at: float | None = None


FindKeys = Callable[[AwsAccess], Awaitable[Grant]]
"""Looks for keys; raises a GatewayError where none are to be had."""


class KeySource:
    """The keys of one access."""

    def __init__(self, access: AwsAccess, find: FindKeys, nursery: Nursery, clock: Clock) -> None:
        self._access = access
        self._find = find
        self._nursery = nursery
        self._clock = clock
        self._grant: Grant | None = None
        self._refresh_at = 0.0
        self._search: asyncio.Task[Grant | GatewayError] | None = None
        self._failure: tuple[float, GatewayError] | None = None

    def recall(self) -> AwsKeys | None:
        """The keys as they are known, or None if :meth:`learn` has to be awaited. Keys that age are renewed behind."""
        grant = self._grant
        if grant is None:
            return None
        if grant.expires_at is not None:
            now = self._clock.wall()
            if now >= grant.expires_at - SPARE_SECONDS:
                return None
            if now >= self._refresh_at and self._search is None:
                self._begin()
        return grant.keys

    async def learn(self) -> AwsKeys:
        """Look for keys.

        Raises:
            Unreachable: there are none; the message says where they were looked for.
        """
        if self._failure is not None and self._clock.monotonic() < self._failure[0]:
            raise self._failure[1].with_traceback(None)
        # One waiter's end must not take the keys from the others.
        result = await asyncio.shield(self._search or self._begin())
        if isinstance(result, GatewayError):
            raise result
        return result.keys

    def issued(self) -> tuple[str, ...]:
        """What of the keys nobody is told."""
        if self._grant is None:
            return ()
        keys = self._grant.keys
        session = () if keys.session_token is None else (keys.session_token.reveal(),)
        return (keys.access_key_id, keys.secret_access_key.reveal(), *session)

    def forget(self) -> None:
        """Use the keys no more: AWS says that they have expired."""
        self._grant = None

    def _begin(self) -> asyncio.Task[Grant | GatewayError]:
        self._search = self._nursery.start(self._look(), "AWS keys")
        return self._search

    async def _look(self) -> Grant | GatewayError:
        try:
            grant = await self._find(self._access)
        except GatewayError as error:
            self._refresh_at = self._clock.wall() + RETRY_SECONDS
            self._failure = self._clock.monotonic() + FAILED_SECONDS, error
            return error
        finally:
            self._search = None
        self._grant, self._failure = grant, None
        if grant.expires_at is not None:
            now = self._clock.wall()
            # Keys that live shorter than usual are renewed half way.
            self._refresh_at = max(grant.expires_at - REFRESH_SECONDS, now + (grant.expires_at - now) / 2)
        return grant


class AwsKeyring:
    """The sources of keys, one for each way of access that deployments have."""

    def __init__(self, find: FindKeys, nursery: Nursery, clock: Clock = SYSTEM_CLOCK) -> None:
        self._find = find
        self._nursery = nursery
        self._clock = clock
        self._sources: dict[_Identity, KeySource] = {}

    def source(self, access: AwsAccess) -> KeySource:
        """The source for an access; deployments that say the same share it."""
        key = _identity(access)
        known = self._sources.get(key)
        if known is None:
            if len(self._sources) >= _SOURCES_MAX:
                self._sources.clear()
            self._sources[key] = known = KeySource(access, self._find, self._nursery, self._clock)
        return known

    def issued(self) -> Iterator[str]:
        """What of all keys nobody is told."""
        for source in self._sources.values():
            yield from source.issued()


def _identity(access: AwsAccess) -> _Identity:
    secrets = (access.access_key_id, access.secret_access_key, access.session_token, access.web_identity_token)
    return (
        *(None if secret is None else secret.reveal() for secret in secrets),
        access.region,
        access.profile,
        access.role,
        access.session_name,
        access.external_id,
        access.session_tags,
        access.sts_endpoint,
    )
