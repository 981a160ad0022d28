"""Calls an upstream's ``/realtime``, and is one end of the conversation."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from pointsman import __version__
from pointsman.core.duplex import Parted
from pointsman.core.errors import Broken, GatewayError, TimedOut, Unreachable, Unsupported
from pointsman.core.upstream import Deployment
from pointsman.dialects.openai_errors import read_error
from pointsman.providers.realtime.place import PlaceFinder, RealtimePlace
from pointsman.providers.registry import find_provider
from pointsman.providers.transport import Origin
from pointsman.wire.limits import MESSAGE_BYTES_MAX

__all__ = ["RealtimeDialer", "RealtimeLine"]

_HANDSHAKE_SECONDS: Final = 15.0
_GOODBYE_SECONDS: Final = 0.4
_PING_SECONDS: Final = 20.0
_MESSAGES_QUEUED_MAX: Final = 16
_CONTROL_REASON_BYTES_MAX: Final = 120
_NO_CODE: Final = 1006
_SCHEMES: Final = {"http": "ws", "https": "wss"}

_quiet: Final = logging.getLogger("pointsman.realtime")


class RealtimeDialer:
    """See :class:`pointsman.core.duplex.Dialer`. ``finders`` know the ways of providers with APIs of their own."""

    def __init__(self, finders: Mapping[str, PlaceFinder] = MappingProxyType({})) -> None:
        self._finders = finders

    async def dial(self, deployment: Deployment, query: str, headers: tuple[tuple[str, str], ...]) -> RealtimeLine:
        """See the protocol."""
        place = await self._place(deployment, headers)
        if place is None:
            raise Unsupported(
                f"{deployment.provider} does not serve /realtime.",
                hint="Choose a model of a provider that speaks OpenAI's API.",
                param="model",
                code="unsupported_operation",
            )
        try:
            connection = await _Call(
                _address(deployment, place, query),
                additional_headers=_own_headers(deployment, place, headers),
                user_agent_header=f"pointsman/{__version__}",
                open_timeout=_HANDSHAKE_SECONDS,
                close_timeout=_GOODBYE_SECONDS,
                ping_interval=_PING_SECONDS,
                ping_timeout=_PING_SECONDS,
                max_size=MESSAGE_BYTES_MAX,
                max_queue=_MESSAGES_QUEUED_MAX,
                compression=None,
                proxy=None,
                logger=_quiet,
            )
        except InvalidStatus as refused:
            key = b"" if deployment.api_key is None else deployment.api_key.reveal().encode()
            body = bytes(refused.response.body or b"")
            raise read_error(refused.response.status_code, body.replace(key, b"") if key else body) from None
        except (TimeoutError, OSError, ssl.SSLError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
            raise _failure(error) from None
        return RealtimeLine(connection)

    async def _place(self, deployment: Deployment, headers: tuple[tuple[str, str], ...]) -> RealtimePlace | None:
        if deployment.handling.mock_response is not None:
            return None
        provider = find_provider(deployment.provider)
        finder = self._finders.get(provider.native or "") if provider is not None else None
        if finder is not None:
            return await finder(deployment, headers)
        if provider is not None and (provider.native is not None or provider.cloud or provider.long_tail):
            return None
        return RealtimePlace(f"/realtime?model={quote(deployment.model, safe='')}")


class RealtimeLine:
    """See :class:`pointsman.core.duplex.Duplex`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> str | bytes:
        """See the protocol."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _parted(closed) from None

    async def send(self, message: str | bytes) -> None:
        """See the protocol."""
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise _parted(closed) from None

    async def close(self, code: int, reason: str) -> None:
        """See the protocol."""
        short = reason.encode()[:_CONTROL_REASON_BYTES_MAX].decode("utf-8", "ignore")
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._connection.close(code, short)
        except (TimeoutError, OSError, ConnectionClosed):
            self._connection.transport.abort()


class _Call(connect):
    """A call that is not put through to somewhere else: the key is for this address alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """See the base class."""
        return exc


def _address(deployment: Deployment, place: RealtimePlace, query: str) -> str:
    origin = Origin.parse(deployment.api_base)
    target = "&".join((place.path, *(field for field in (query, origin.query) if field)))
    return f"{_SCHEMES[origin.scheme]}://{origin.authority}{origin.path}{target}"


def _own_headers(deployment: Deployment, place: RealtimePlace, headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    own = dict(headers)
    own |= {name: value.reveal() for name, value in deployment.headers.items()}
    if place.headers:
        own |= {name: value.reveal() for name, value in place.headers}
    elif deployment.api_key is not None:
        key = deployment.api_key.reveal()
        own[deployment.key_header] = f"Bearer {key}" if deployment.key_header == "Authorization" else key
    return own


def _parted(closed: ConnectionClosed) -> Parted:
    frame = closed.rcvd
    return Parted(_NO_CODE) if frame is None else Parted(frame.code, frame.reason)


def _failure(error: Exception) -> GatewayError:
    if isinstance(error, TimeoutError):
        return TimedOut(f"The upstream did not answer within {_HANDSHAKE_SECONDS:g} s.")
    if isinstance(error, OSError):
        why = error.strerror.lower() if error.strerror else type(error).__name__
        return Unreachable(f"Cannot reach the upstream: {why}.", hint="Check that it runs and its address is right.")
    return Broken("The upstream does not speak WebSocket here.", hint="Whether it has /realtime, its manual tells.")
