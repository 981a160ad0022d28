"""Responses that are worked on in the background: what is stored of them at the start, on the way, and at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.exchange import ClientDialect, Inbound, InferenceRoute
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_responses.keeping import (
    INTERRUPTED,
    failed_response,
    final_response,
    refusal_of,
    unfinished_response,
)
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.providers.stateful.book import ResponseBook
from pointsman.providers.stateful.following import follow
from pointsman.providers.stateful.notes import RelayNotes
from pointsman.wire.json_fields import read_fields

__all__ = ["ResponseErrand", "read_errand"]

_encode: Final = msgspec.json.Encoder().encode
_decode_flag: Final = msgspec.json.Decoder(bool | None).decode

_TRUE: Final = msgspec.Raw(b"true")


def read_errand(book: ResponseBook, inbound: Inbound) -> ResponseErrand | None:
    """What a request for a response asks to be done without its client; None: nothing, or it cannot be read."""
    if not book.retention_days:
        return None
    try:
        fields = read_fields(inbound.body)
        request = read_response_request(inbound.body)
        streams = bool(_decode_flag(fields["stream"])) if "stream" in fields else False
    except (GatewayError, msgspec.MsgspecError):
        return None
    return ResponseErrand(book, inbound, request, streams=streams) if request.background else None


class ResponseErrand:
    """See :class:`pointsman.lifecycle.background.Errand`.

    The upstream is always asked for a stream, so that what there is of the answer can be stored on the way.
    """

    def __init__(self, book: ResponseBook, inbound: Inbound, request: ResponseRequest, *, streams: bool) -> None:
        head = inbound.head
        dialect = _ErrandDialect(head.route.dialect, request)
        route = InferenceRoute(head.route.operation, dialect, head.route.name, paths=head.route.paths)
        body = _encode({**read_fields(inbound.body), "stream": _TRUE})
        self.id = request.id
        self.streams = streams
        self.inbound = Inbound(msgspec.structs.replace(head, route=route), body, inbound.received, inbound.at)
        self._book = book
        self._dialect = dialect
        self._final: msgspec.Raw | None = None

    def accepted(self) -> bytes:
        """See the protocol."""
        return bytes(unfinished_response(self._request(), self._ask().model, "queued"))

    async def begin(self) -> None:
        """See the protocol."""
        body = unfinished_response(self._request(), self._ask().model, "in_progress")
        await self._book.responses.begin(self._book.record(self._ask(), self._request(), body, self._book.worker))

    async def add(self, first: int, events: Sequence[bytes]) -> bool:
        """See the protocol."""
        self._look(events)
        return await self._book.responses.add_events(self.id, first, events)

    async def finish(self, first: int, events: Sequence[bytes], failure: tuple[int, bytes] | None) -> bool:
        """See the protocol."""
        self._look(events)
        request, body = self._request(), self._final
        if body is None:
            error = GatewayError(INTERRUPTED) if failure is None else refusal_of(*failure)
            body, told = failed_response(request, self._ask().model, error, first + len(events))
            events = (*events, *told)
        notes = self._ask().notes
        copy = notes.copy() if isinstance(notes, RelayNotes) else None
        record = self._book.record(self._ask(), request, body, self._book.worker, copy)
        added, named = self._book.added(request, body), self._book.named(record)
        return await self._book.responses.finish(record, first, events, added, named)

    def follow(self) -> AsyncIterator[bytes]:
        """See the protocol."""
        owner = self._ask().owner
        if owner is None:
            message = "a response is followed that was never let in"
            raise RuntimeError(message)
        return follow(self._book.responses, self.id, owner, self._book.clock)

    def _look(self, events: Sequence[bytes]) -> None:
        for event in events[-1:]:
            self._final = final_response(event) or self._final

    def _ask(self) -> Ask:
        if self._dialect.ask is None:
            message = "a response was begun that nobody asked for"
            raise RuntimeError(message)
        return self._dialect.ask

    def _request(self) -> ResponseRequest:
        notes = self._ask().notes
        if isinstance(notes, RelayNotes):
            return notes.request
        return notes if isinstance(notes, ResponseRequest) else self._dialect.request


class _ErrandDialect:
    """The client's dialect for one request, whose id is known; nobody has to be kept waiting with comments."""

    keepalive = b""
    overloaded_status = 503
    unknown_model_status = 400

    def __init__(self, inner: ClientDialect, request: ResponseRequest) -> None:
        self._inner = inner
        self.stream_type = inner.stream_type
        self.request = request
        self.ask: Ask | None = None

    def read_ask(self, body: bytes, operation: Operation, path_model: str | None) -> Ask:
        """See the protocol."""
        self.ask = ask = self._inner.read_ask(body, operation, path_model)
        ask.notes = self.request
        return ask

    def write_error(self, error: GatewayError, call_id: str) -> bytes:
        """See the protocol."""
        return self._inner.write_error(error, call_id)
