"""The near side of a conversation over a WebSocket, which uvicorn hands to the ASGI app."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from pointsman.core.duplex import Dialer, Parted
from pointsman.core.errors import Forbidden, GatewayError, NotFound
from pointsman.core.exchange import ClientDialect, Inbound, InferenceRoute, RequestHead
from pointsman.core.upstream import Operation
from pointsman.lifecycle.realtime import Arrival, Tongue, converse
from pointsman.policies.keyring import bare_key, presented_key
from pointsman.server.gate import Gate

__all__ = ["REALTIME_PATHS", "RealtimeDoor"]

REALTIME_PATHS: Final = ("/v1/realtime", "/realtime", "/openai/v1/realtime", "/openai/realtime")
_KEY_PROTOCOL: Final = "openai-insecure-api-key."
_BETA_PROTOCOL: Final = "openai-beta."
_PROTOCOL: Final = "realtime"
_OURS: Final = frozenset({"model", "deployment", "api-version", "key", "api_key", "api-key", "access_token", "call_id"})
"""Fields of the query that say what the upstream is told otherwise, or not at all: with the id of a call that somebody
else has begun at the upstream, anybody could listen to it."""
_GOODBYE_SECONDS: Final = 0.4
_REASON_BYTES_MAX: Final = 120
_NO_CODE: Final = 1006


class RealtimeDoor:
    """An ASGI app: answers WebSockets, and passes everything else on to ``inner``."""

    def __init__(self, inner: ASGIApp, gate: Gate, dialer: Dialer, dialect: ClientDialect, tongue: Tongue) -> None:
        self._inner = inner
        self._gate = gate
        self._dialer = dialer
        self._tongue = tongue
        self._route = InferenceRoute(Operation.REALTIME, dialect, "/realtime", paths=REALTIME_PATHS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by the server."""
        if scope["type"] != "websocket":
            await self._inner(scope, receive, send)
            return
        visitor = _Visitor(WebSocket(scope, receive, send), self._route.dialect)
        if scope["path"] not in REALTIME_PATHS:
            await visitor.refuse(NotFound("No WebSocket is served here.", hint="Try /v1/realtime."), "")
            return
        gate = self._gate
        arrival = self._arrival(scope)
        try:
            gate.addresses.demand(arrival.inbound.head.peer)
        except Forbidden as refused:
            await visitor.refuse(refused, "")
            return
        await converse(arrival, visitor, gate.house, self._dialer, self._tongue, gate.nursery)

    def _arrival(self, scope: Scope) -> Arrival:
        headers = [(name.lower(), value) for name, value in scope["headers"]]
        offered: list[str] = scope["subprotocols"]
        key = presented_key(headers, self._gate.house.keyring.places)
        spoken = (name.removeprefix(_KEY_PROTOCOL) for name in offered if name.startswith(_KEY_PROTOCOL))
        key = key or bare_key(next(spoken, "").encode())
        fields = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(fields)
        peer = self._gate.addresses.client(scope["client"][0] if scope.get("client") else "", headers)
        model = given.get("model") or given.get("deployment")
        head = RequestHead(self._route, key, headers, model, peer, "", b"GET")
        clock = self._gate.clock
        beta = [value.decode("latin-1") for name, value in headers if name == b"openai-beta"]
        beta += [name.removeprefix(_BETA_PROTOCOL).replace("-", "=", 1) for name in offered if _is_beta(name)]
        return Arrival(
            Inbound(head, b"", clock.monotonic(), clock.wall()),
            urlencode([(name, value) for name, value in fields if name not in _OURS]),
            (("OpenAI-Beta", beta[0]),) if beta else (),
        )


class _Visitor:
    """See :class:`pointsman.core.duplex.Door` and :class:`pointsman.core.duplex.Duplex`."""

    def __init__(self, socket: WebSocket, dialect: ClientDialect) -> None:
        self._socket = socket
        self._dialect = dialect

    async def accept(self) -> _Visitor:
        """See the protocol."""
        offered = self._socket.scope["subprotocols"]
        try:
            # The first message is that somebody is there.
            await self._socket.accept(_PROTOCOL if _PROTOCOL in offered else None)
        except (WebSocketDisconnect, RuntimeError, OSError):
            raise Parted(_NO_CODE) from None
        return self

    async def refuse(self, error: GatewayError, call_id: str) -> None:
        """See the protocol."""
        headers = {"x-litellm-call-id": call_id} if call_id else {}
        if error.retry_after is not None:
            headers["retry-after"] = str(max(1, round(error.retry_after)))
        body = self._dialect.write_error(error, call_id)
        answer = Response(body, error.status, headers=headers, media_type="application/json")
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
            await self._socket.receive()
            await self._socket.send_denial_response(answer)

    async def receive(self) -> str | bytes:
        """See the protocol."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise Parted(message.get("code", _NO_CODE), message.get("reason") or "")
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        return data if text is None else text

    async def send(self, message: str | bytes) -> None:
        """See the protocol."""
        try:
            if isinstance(message, str):
                await self._socket.send_text(message)
            else:
                await self._socket.send_bytes(message)
        except (WebSocketDisconnect, RuntimeError, OSError):
            raise Parted(_NO_CODE) from None

    async def close(self, code: int, reason: str) -> None:
        """See the protocol."""
        short = reason.encode()[:_REASON_BYTES_MAX].decode("utf-8", "ignore")
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._socket.close(code, short)


def _is_beta(name: str) -> bool:
    return name.startswith(_BETA_PROTOCOL)
