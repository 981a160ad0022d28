"""The upstream HTTP client: pools by origin, request heads made once per deployment, a sweep for timeouts.

HTTP/1.1 (RFC 9112) only. Timers are not set per request: a sweep four times a second looks at every
request under way, which costs nothing measurable and cannot leak.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from math import inf
from typing import Final, Protocol

import msgspec

from pointsman import __version__
from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.nursery import Nursery
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Outbound, Timeouts
from pointsman.providers.transport.connection import UpstreamFlight
from pointsman.providers.transport.origin import Origin, header_line
from pointsman.providers.transport.pool import CoarseTime, Pool
from pointsman.wire.limits import KEEPALIVE_SECONDS, REPLY_BYTES_MAX

__all__ = ["FetchReply", "Fetcher", "Transport"]

SWEEP_SECONDS: Final = 0.25
_POOLS_MAX: Final = 4096
_HEADS_MAX: Final = 16_384
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection"})
"""Headers that are the transport's own affair, whatever the operator configures."""


_HeadKey = tuple[str, bytes, bytes, bytes]
"""The deployment's id, the path, the type of the body, the method."""
_KnownHead = tuple[Deployment, tuple[tuple[str, Secret], ...], bytes, Pool]
"""Whose head it is, with which headers of the request, the head up to the length, and where it goes."""


class FetchReply(msgspec.Struct, frozen=True):
    """A whole answer to :meth:`Transport.fetch`; header names are lower case."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key == name), None)


class Fetcher(Protocol):
    """Asks a small control question (a model list, a token), as :class:`Transport` does."""

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
        """The whole answer.

        Raises:
            UpstreamFailed: there was none.
        """
        ...


class Transport:
    """Sends requests to deployments, and small control requests to any origin."""

    def __init__(
        self, nursery: Nursery, clock: Clock = SYSTEM_CLOCK, keepalive_seconds: float = KEEPALIVE_SECONDS
    ) -> None:
        self._nursery = nursery
        self._clock = clock
        self._keepalive_seconds = keepalive_seconds
        self._time = CoarseTime(clock)
        self._pools: dict[tuple[str, str, int], Pool] = {}
        self._heads: dict[_HeadKey, _KnownHead] = {}
        self._tls: ssl.SSLContext | None = None

    def now(self) -> float:
        """Coarse monotonic seconds."""
        return self._time.now

    async def run(self) -> None:
        """The sweep; runs until cancelled. While no request is under way, it rests."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._time.tell()
            again = min((pool.sweep(now) for pool in list(self._pools.values())), default=inf)
            if again > SWEEP_SECONDS:
                await self._time.rest(again)

    async def quiet(self, seconds_max: float) -> bool:
        """Wait for as long as no request is sent and none under way, ``seconds_max`` at most; False: one is."""
        return await self._time.quiet(seconds_max)

    def send(self, deployment: Deployment, outbound: Outbound, *, stream: bool) -> UpstreamFlight:
        """See :meth:`pointsman.core.flight.Sender.send`."""
        known = self._heads.get((deployment.id, outbound.path, outbound.content_type, outbound.method))
        # A cloud's token gives the same headers to many requests, so even a head with headers of its own comes again.
        if known is None or known[0] is not deployment or known[1] is not outbound.headers:
            known = self._learn(deployment, outbound)
        body = outbound.body
        request = b"%b%d\r\n\r\n%b" % (known[2], len(body), body)
        flight = UpstreamFlight(request, deployment.timeouts, stream, self._keepalive_seconds)
        known[3].launch(flight)
        return flight

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        timeout_seconds: float = 5.0,
        content_type: str = "application/json",
        bytes_max: int = REPLY_BYTES_MAX,
    ) -> FetchReply:
        """A small control request (a model list, a health check, a token), answered whole, in about ``bytes_max``.

        Raises:
            UpstreamFailed: no connection, no answer in time, or not HTTP.
            Misconfigured: not a URL.
        """
        origin = Origin.parse(url)
        request = _control_request(method, url, origin, headers, body, content_type)
        flight = UpstreamFlight(request, _all_within(timeout_seconds), stream=False, silence_seconds=float("inf"))
        flight.bytes_max = bytes_max
        self._pool(origin).launch(flight)
        try:
            answer = await flight.inbox.take()
        finally:
            flight.close()
        return FetchReply(flight.status, tuple(flight.headers), answer or b"")

    async def download(
        self, url: str, *, headers: tuple[tuple[str, str], ...] = (), timeout_seconds: float = 30.0
    ) -> AsyncIterator[FetchReply]:
        """An answer of any length in its pieces, each with the status; one of 400 and more comes whole.

        ``timeout_seconds`` bounds the silence between two pieces.

        Raises:
            UpstreamFailed, Misconfigured: see :meth:`fetch`.
        """
        origin = Origin.parse(url)
        request = _control_request("GET", url, origin, headers, b"", "")
        flight = UpstreamFlight(request, _all_within(timeout_seconds), stream=True, silence_seconds=float("inf"))
        self._pool(origin).launch(flight)
        try:
            while flight.inbox.items or not flight.complete:
                piece = await flight.inbox.take()
                flight.spoken = True
                if piece:
                    yield FetchReply(flight.status, tuple(flight.headers), piece)
        finally:
            flight.close()

    def close(self) -> None:
        """Close every connection at once."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """Idle, busy and ever opened connections by origin URL."""
        return {pool.origin.url: (*pool.counts, pool.opened) for pool in self._pools.values()}

    def _learn(self, deployment: Deployment, outbound: Outbound) -> _KnownHead:
        origin = Origin.parse(deployment.api_base)
        path = origin.path.encode("ascii") + outbound.path
        if origin.query:
            path += (b"&" if b"?" in path else b"?") + origin.query.encode("ascii")
        own = {name.lower(): (name, value.reveal()) for name, value in (*deployment.headers.items(), *outbound.headers)}
        usual = {
            "host": ("Host", origin.authority),
            "user-agent": ("User-Agent", f"pointsman/{__version__}"),
            "accept-encoding": ("Accept-Encoding", "identity"),
            "content-type": ("Content-Type", outbound.content_type.decode("ascii")),
        }
        if deployment.api_key is not None:
            name, key = deployment.key_header, deployment.api_key.reveal()
            usual[name.lower()] = (name, f"Bearer {key}" if name == "Authorization" else key)
        lines = [b"%b %b HTTP/1.1\r\n" % (outbound.method, path)]
        for name, (shown, value) in {**usual, **own}.items():
            if name not in _FRAMING:
                lines.append(header_line(shown, value))
        known = (deployment, outbound.headers, b"".join(lines) + b"Content-Length: ", self._pool(origin))
        if not outbound.is_unusual:
            if len(self._heads) >= _HEADS_MAX:
                self._heads.clear()
            self._heads[deployment.id, outbound.path, outbound.content_type, outbound.method] = known
        return known

    def _pool(self, origin: Origin) -> Pool:
        key = (origin.scheme, origin.host, origin.port)
        pool = self._pools.get(key)
        if pool is None:
            if len(self._pools) >= _POOLS_MAX:
                self._evict()
            if origin.tls and self._tls is None:
                self._tls = ssl.create_default_context()
            self._pools[key] = pool = Pool(origin, self._nursery, self._time, self._tls if origin.tls else None)
        return pool

    def _evict(self) -> None:
        for key, pool in list(self._pools.items()):
            if pool.counts == (0, 0):
                del self._pools[key]
                return


def _control_request(
    method: str,
    url: str,
    origin: Origin,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    content_type: str,
) -> bytes:
    lines = b"".join(header_line(name, value) for name, value in headers)
    query = f"?{origin.query}" if origin.query else ""
    # As the base of an API a path has no slash at its end; here it is one of its own, and the slash is part of it.
    path = origin.path + "/" if not origin.path or url.partition("?")[0].rstrip().endswith("/") else origin.path
    request = (
        f"{method} {path}{query} HTTP/1.1\r\nHost: {origin.authority}\r\n"
        f"User-Agent: pointsman/{__version__}\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
    ).encode("ascii") + lines
    if body or method != "GET":
        request += header_line("Content-Type", content_type) + b"Content-Length: %d\r\n" % len(body)
    return request + b"\r\n" + body


def _all_within(seconds: float) -> Timeouts:
    return Timeouts(min(seconds, Timeouts().connect), seconds, seconds, seconds)
