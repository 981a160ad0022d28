"""The HTTP/1.1 protocol class: answers the inference routes itself and leaves every other path to uvicorn's ASGI.

Framing is llhttp's, strict (RFC 9112): a message with both Transfer-Encoding and Content-Length, a bad chunk size
or a folded header line is refused. Pipelined requests are refused by closing after the answer under way, which the
RFC allows and which keeps answers from ever being mixed up. A client that closes its sending half counts as gone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from pointsman.core.eager import Story
from pointsman.core.errors import GatewayError, Malformed
from pointsman.core.exchange import ClientGone, Flow, Inbound, InferenceRoute, RequestHead
from pointsman.core.upstream import Operation
from pointsman.lifecycle.pass_through import pass_through
from pointsman.lifecycle.serve import serve
from pointsman.policies.keyring import bare_key, query_key
from pointsman.server import heads
from pointsman.server.gate import CODING_RANK as _CODING
from pointsman.server.gate import EXPECT_RANK as _EXPECT
from pointsman.server.gate import LENGTH_RANK as _LENGTH
from pointsman.server.gate import ORIGIN_RANK as _ORIGIN
from pointsman.server.refuse import refusal
from pointsman.server.repeat import KnownHead
from pointsman.wire.limits import (
    EARLY_AUTHENTICATION_BYTES,
    HEAD_BYTES_MAX,
    HEAD_SECONDS_MAX,
    LINGER_SECONDS,
)

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from pointsman.server.gate import Gate

__all__ = ["InferenceProtocol"]

_IDLE_SECONDS: Final = 75.0
_STUCK_SECONDS: Final = 120.0
_PROGRESS_BYTES: Final = 65_536
_OTHER_BODY_SECONDS: Final = 120.0
_NEVER: Final = float("inf")
_PASS_THROUGH: Final = Operation.PASS_THROUGH
_HEXADECIMALS: Final = 2048
_CHUNK_HEADS: Final = tuple(b"%x\r\n" % size for size in range(_HEXADECIMALS))
"""What stands before a short chunk."""
_CLOSE: Final = b"connection: close\r\n"
_RESPONSES: Final = Operation.RESPONSES
_BACKGROUND: Final = b'"background"'
"""Stands in every body that asks for it, and in few others."""
_FOR_PAGES: Final = b"access-control-allow-origin: *\r\naccess-control-expose-headers: *\r\n"
"""As LiteLLM allows it; https://fetch.spec.whatwg.org/#http-cors-protocol."""


class _Pipelined(Exception):
    """A request came before the one under way was answered."""


class InferenceProtocol(HttpToolsProtocol):
    """One client connection; it is the story's :class:`~pointsman.core.exchange.Client`."""

    __slots__ = (
        "_begins",
        "_body",
        "_body_bytes",
        "_busy",
        "_chunked",
        "_deadline",
        "_extra",
        "_flow",
        "_gate",
        "_head_bytes",
        "_in_head",
        "_keep",
        "_key",
        "_known",
        "_last",
        "_lingering",
        "_method",
        "_outbox",
        "_path_model",
        "_progress",
        "_ready",
        "_refused",
        "_resting",
        "_route",
        "_story",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        gate: Gate,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._gate = gate
        self._outbox = gate.house.outbox
        self._known: KnownHead | None = None
        self._resting = self._begins = False
        self._route: InferenceRoute | None = None
        self._path_model: str | None = None
        self._key = self._extra = self._method = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._in_head = True
        self._story: Story | None = None
        self._busy = self._ready = False
        self._refused: GatewayError | None = None
        self._keep = True
        self._last = False
        self._chunked = True
        self._lingering = False
        self._flow: Flow | None = None
        self._deadline = _NEVER
        self._progress = 0

    # -- asyncio.Protocol ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the loop."""
        super().connection_made(transport)
        self._gate.enter(self)
        self._deadline = self._gate.now + HEAD_SECONDS_MAX

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: the client is gone, and with it whoever works for it."""
        self._gate.connections.discard(self)
        super().connection_lost(exc)
        story = self._story
        if story is not None:
            self._story = None
            story.interrupt(ClientGone())

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._resting and self._known is not None:
            body = self._known.body(data)
            if body is not None and len(body) <= self._gate.body_bytes_max:
                self._start(self._known.head, body)
                return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self._lingering or self._last:
            return
        self._resting = self._begins = False
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if self._refused is None and heads.offers_other_protocol(self.parser, self._get_upgrade):
                head = heads.without_offer(self.parser.get_method(), self.url, self.headers)
                self.parser = HttpRequestParser(self)
                self._parse(head + data[upgrade.args[0] :])
            elif self._refused is None and self._route is None and self._should_upgrade():
                # From here on the connection is a WebSocket of uvicorn's, and the sweep's no longer.
                self._gate.connections.discard(self)
                self.handle_websocket_upgrade()
            else:
                self._close_after_answer()
        except HttpParserError as error:
            self._unparsable(error)
        else:
            self._fed(data)

    def pause_writing(self) -> None:
        """Called by the loop: the client does not keep up."""
        super().pause_writing()
        self._deadline = self._gate.now + _STUCK_SECONDS
        if self._flow is not None:
            self._flow.pause()

    def resume_writing(self) -> None:
        """Called by the loop."""
        super().resume_writing()
        self._deadline = _NEVER if self._busy else self._gate.now + _IDLE_SECONDS
        if self._flow is not None:
            self._flow.resume()

    def shutdown(self) -> None:
        """Called by uvicorn once nobody is let in any more: close, behind the answer under way if there is one."""
        if self._busy:
            self._last = True
        else:
            super().shutdown()

    def drain(self) -> bool:
        """At the beginning of a graceful shutdown, say whether an answer is under way; it is the connection's last.

        A connection between two requests is closed. One whose first request is still to come, or whose next has begun,
        stays: closed on what is already on its way it would be reset, and its client would not learn why.
        """
        cycle: RequestResponseCycle | None = self.cycle
        if self._busy or (cycle is not None and not cycle.response_complete):
            self.shutdown()
            return True
        has_begun = self._head_bytes > 0 if self._in_head else self._route is not None
        if self._resting or (cycle is not None and not has_begun):
            self.transport.close()
        return False

    # -- parser callbacks ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Called by the parser."""
        cycle: RequestResponseCycle | None = self.cycle
        under_way = self._busy or self._ready or self._refused is not None
        if under_way or (cycle is not None and not cycle.response_complete):
            raise _Pipelined
        self.url = self._extra = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = self._begins = True
        self._head_bytes = 0
        self._route = None
        self._refused = None
        self._deadline = self._gate.now + HEAD_SECONDS_MAX

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser. What stands behind a body (RFC 9112, section 7.1.2) is let go of."""
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Called by the parser: ours, or somebody else's."""
        if heads.offers_other_protocol(self.parser, self._get_upgrade):
            return
        self._in_head = False
        parser = self.parser
        found = self._gate.paths.find(self.url)
        self._method = method = parser.get_method()
        if found is not None and method not in found[0].methods:
            if self._gate.open_to_pages and heads.is_preflight(method, self.headers):
                found = None
            else:
                allowed = "POST only" if len(found[0].methods) == 1 else f"no {method.decode('ascii', 'replace')}"
                self._refused = Malformed(f"This path takes {allowed}.", status=405, code="method_not_allowed")
        self._refused = heads.head_objection(self.headers, parser.get_http_version()) or self._refused
        if parser.should_upgrade() and (method != b"GET" or found is not None):
            # The parser takes the body for another protocol's, so the request must not be served without it.
            self._refused = heads.no_other_protocol(method)
        if found is None:
            self._deadline = self._gate.now + _OTHER_BODY_SECONDS
            self._pass_on()
            return
        self._route, self._path_model = found
        self._body = []
        self._body_bytes = self._progress = 0
        self._chunked = parser.get_http_version() == "1.1"
        self._read_head()
        if self.expect_100_continue and self._chunked and self._refused is None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        if self._route is None:
            if self._refused is None:
                super().on_body(body)
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._gate.body_bytes_max:
            if self._refused is None:
                self._refused = heads.too_large(self._gate.body_bytes_max)
        elif self._refused is None:
            self._body.append(body)
        if self._body_bytes - self._progress > _PROGRESS_BYTES:
            self._progress = self._body_bytes
            self._deadline = self._gate.now + HEAD_SECONDS_MAX

    def on_message_complete(self) -> None:
        """Called by the parser; the one moment at which it knows whether the connection stays open."""
        if self._route is None:
            self._deadline = _NEVER
            if self._refused is None and not heads.offers_other_protocol(self.parser, self._get_upgrade):
                super().on_message_complete()
            return
        # A client of HTTP/1.0 may take the end of the connection for that of the answer, whatever it asked for.
        self._keep = self._chunked and self.parser.should_keep_alive()
        self._ready = True

    # -- the story's client ----------------------------------------------------------------------------

    def reply(self, status: int, head: bytes, body: bytes) -> None:
        """See :meth:`pointsman.core.exchange.Client.reply`."""
        extra = self._extra if self._keep and not self._last else self._extra + _CLOSE
        self._outbox.post(
            self,
            b"%b%b%b%bcontent-length: %d\r\n\r\n%b"
            % (STATUS_LINE[status], self._gate.date, head, extra, len(body), body),
        )

    def begin(self, status: int, head: bytes) -> None:
        """See :meth:`pointsman.core.exchange.Client.begin`."""
        if not self._chunked:
            self._keep = False
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        extra = self._extra if self._keep and not self._last else self._extra + _CLOSE
        self.transport.write(b"%b%b%b%b%b\r\n" % (STATUS_LINE[status], self._gate.date, head, framing, extra))

    def send(self, block: bytes) -> None:
        """See :meth:`pointsman.core.exchange.Client.send`."""
        transport = self.transport
        if not transport.is_closing():
            size = len(block)
            if not self._chunked:
                transport.write(block)
            elif size < _HEXADECIMALS:
                transport.write(_CHUNK_HEADS[size] + block + b"\r\n")
            else:
                transport.write(b"%x\r\n%b\r\n" % (size, block))

    def end(self, block: bytes = b"") -> None:
        """See :meth:`pointsman.core.exchange.Client.end`."""
        if self._chunked:
            block = b"%x\r\n%b\r\n0\r\n\r\n" % (len(block), block) if block else b"0\r\n\r\n"
        self._outbox.post(self, block)

    def leave(self, data: bytes) -> None:
        """See :meth:`pointsman.lifecycle.outbox.Leaving.leave`."""
        transport = self.transport
        if not transport.is_closing():
            transport.write(data)
        self._busy = False
        self._story = self._flow = None
        if not self._keep or self._last:
            transport.close()
        else:
            self._resting = True
            self._deadline = self._gate.now + _IDLE_SECONDS

    def attach(self, flow: Flow | None) -> None:
        """See :meth:`pointsman.core.exchange.Client.attach`."""
        self._flow = flow
        if flow is not None and self.flow.write_paused:
            flow.pause()

    def abort(self) -> None:
        """See :meth:`pointsman.core.exchange.Client.abort`."""
        self.transport.abort()

    # -- for the sweep ---------------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Close what is overdue: a request that trickles in, a client that never reads, an idle connection."""
        if now < self._deadline:
            return
        self._deadline = _NEVER
        began = self._in_head and self._head_bytes > 0
        if not self._lingering and not self._busy and (began or self._body_bytes):
            self._refuse_now(Malformed("The request did not arrive in time.", status=408, code="request_timeout"))
        else:
            self.cut()

    def cut(self) -> None:
        """Break the connection off."""
        self.transport.abort()

    def forget_head(self) -> None:
        """Look at the head of its next request anew."""
        self._known = None

    # -- inside ----------------------------------------------------------------------------------------

    def _fed(self, data: bytes) -> None:
        """The parser has taken everything it was given, ``data`` last."""
        if self._refused is not None:
            self._refuse_now(self._refused)
        elif self._ready:
            self._start_parsed(data)
        elif self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse_now(Malformed("The request head is too long.", status=431, code="headers_too_large"))

    def _start_parsed(self, data: bytes) -> None:
        """Start on what the parser found; ``data`` is what it was fed last."""
        self._ready = False
        pieces = self._body
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        peer = self._peer()
        head = RequestHead(self._route, self._key, self.headers, self._path_model, peer, "", self._method)  # type: ignore[arg-type]
        plain = self._begins and self._keep and self._chunked and not self.expect_100_continue
        self._known = KnownHead.learn(head, data, len(body)) if plain else None
        self._body = []
        self._body_bytes = self._head_bytes = 0
        self._in_head = True
        self._start(head, body)

    def _start(self, head: RequestHead, body: bytes) -> None:
        gate = self._gate
        clock = gate.clock
        self._busy = True
        self._resting = False
        self._deadline = _NEVER
        inbound = Inbound(head, body, clock.monotonic(), clock.wall())
        operation = head.route.operation
        if operation is _PASS_THROUGH:
            telling = pass_through(inbound, self, gate.house)
        elif operation is _RESPONSES and gate.jobs is not None and _BACKGROUND in body:
            telling = gate.jobs.attend(inbound, self, gate.house)
        else:
            telling = serve(inbound, self, gate.house)
        self._story = story = Story(telling, gate.nursery, gate.escaped)
        story.step()

    def _pass_on(self) -> None:
        """Hand the request to uvicorn, which starts over with what has been read."""
        if self._refused is not None:
            return
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _read_head(self) -> None:
        """Find the key; refuse what is announced as too large, and a large body of nobody known, before it is read."""
        gate = self._gate
        places = gate.places
        best = _EXPECT
        key = b""
        announced = -1
        for name, value in self.headers:
            rank = places.get(name)
            if rank is None:
                continue
            if rank < best and value:
                best = rank
                key = value
            elif rank == _LENGTH:
                announced = int(value) if value.isdigit() else 0
            elif rank == _ORIGIN:
                self._extra = _FOR_PAGES
            elif rank == _EXPECT:
                self.expect_100_continue = value.lower() == b"100-continue"
            elif rank == _CODING and self._route is not None and self._route.operation is not _PASS_THROUGH:
                self._refused = heads.coding_objection(value) or self._refused
        self._key = bare_key(key)
        if not key and self._route is not None and self._route.key_in_query:
            self._key = query_key(self.url.partition(b"?")[2])
        if announced > gate.body_bytes_max:
            self._refused = heads.too_large(self._gate.body_bytes_max)
        elif announced > EARLY_AUTHENTICATION_BYTES or announced < 0:
            keyring = gate.house.keyring
            try:
                keyring.recall(keyring.digest(self._key))
            except GatewayError as error:
                self._refused = error
        if gate.addresses.looks:
            self._refused = gate.addresses.objection(self._peer()) or self._refused

    def _peer(self) -> str:
        peer = self.client[0] if self.client else ""
        return self._gate.addresses.client(peer, self.headers)

    def _unparsable(self, error: HttpParserError) -> None:
        if isinstance(error.__context__, _Pipelined) or isinstance(error.__cause__, _Pipelined):
            self._close_after_answer()
            return
        self._refuse_now(Malformed(f"This is not a valid HTTP/1.1 request: {error}.", code="bad_http"))

    def _close_after_answer(self) -> None:
        """Read nothing more; whoever has the request under way gets its answer, or its refusal."""
        if self._refused is not None:
            self._refuse_now(self._refused)
            return
        self._last = True
        if self._ready:
            self._start_parsed(b"")
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def _refuse_now(self, error: GatewayError) -> None:
        """Answer without reading on; then read and ignore for a moment, so that the sender sees the answer."""
        if self._busy or self.transport.is_closing():
            self._last = True
            return
        self.transport.write(refusal(error, self._route, STATUS_LINE[error.status] + self._gate.date + self._extra))
        self._lingering = True
        self._body = []
        self._deadline = self._gate.now + LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
