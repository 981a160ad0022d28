"""Responses that an upstream tells itself and that are cut off, so that another one goes on by way of its chat.

The client keeps the response that it has: its id, its message, the numbers of its events.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.events import Started, TextDelta
from pointsman.core.upstream import Answer, Ask, Lane, Outbound, may_be_continued
from pointsman.dialects.openai_responses.requests import read_request
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.dialects.openai_responses.streams import StreamWriter
from pointsman.providers.continuing.answers import SentSource
from pointsman.providers.continuing.cut import Cut
from pointsman.providers.continuing.request import is_continuable

__all__ = ["RelayedResponsesLane"]

_CHARACTERS_PER_TOKEN: Final = 4
_BEFORE: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
_OPENING: Final = ("response.output_item.added", "response.content_part.added")
_DELTA: Final = "response.output_text.delta"
_TRUE: Final = b"true"


class _Head(msgspec.Struct, frozen=True):
    """The response as it began."""

    id: str
    created_at: float = 0.0
    model: str = ""


class _Event(msgspec.Struct, frozen=True):
    """What matters of an event of the stream."""

    type: str
    sequence_number: int = 0
    response: msgspec.Raw = msgspec.Raw(b"null")
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    delta: str = ""


class _Told(msgspec.Struct, frozen=True):
    """What the client has: the response, the name of its one message, its text in pieces, and the next number."""

    head: _Head
    item_id: str
    pieces: tuple[str, ...]
    next_number: int


_decode: Final = msgspec.json.Decoder(_Event).decode
_decode_head: Final = msgspec.json.Decoder(_Head).decode


class RelayedResponsesLane:
    """See :class:`pointsman.core.upstream.Lane`; the one inside relays responses, or makes them of a chat."""

    prepares = True

    def __init__(self, inner: Lane) -> None:
        self._inner = inner

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        if self._inner.prepares:
            await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        return self._inner.write(ask)

    def answer(self, ask: Ask) -> Answer:
        """See the protocol. What is made of a chat can be continued anyway; of work in the background nothing is."""
        answer = self._inner.answer(ask)
        is_relayed = not isinstance(ask.notes, ResponseRequest) and not may_be_continued(answer)
        in_background = bytes(ask.fields.get("background", b"")) == _TRUE
        return _Source(answer, ask) if ask.stream and is_relayed and not in_background else answer


class _Source(SentSource):
    """A relayed response; see :class:`pointsman.core.upstream.Continuable`."""

    __slots__ = ("_ask",)

    def __init__(self, inner: Answer, ask: Ask) -> None:
        super().__init__(inner)
        self._ask = ask

    def cut_off(self) -> Cut | None:
        """See the protocol."""
        told = _read_back(self.frames())
        if told is None:
            return None
        text = "".join(told.pieces)
        usage = self.usage_of(max(len(told.pieces), -(-len(text) // _CHARACTERS_PER_TOKEN)))
        try:
            body = self._ask.body()
            call, request = read_request(body, self._ask.model), read_response_request(body)
        except GatewayError:
            return None  # the upstream understood what no other one does
        if not text.strip() or not is_continuable(call, usage.completion):
            return None
        head = told.head
        request = msgspec.structs.replace(request, id=head.id, created_at=int(head.created_at))
        writer = StreamWriter(msgspec.structs.replace(call, model=head.model or call.model), request)
        writer.write([Started(head.id, head.model, int(head.created_at)), TextDelta(text)])
        writer.go_on_from(told.item_id, told.next_number)
        return Cut(text, writer, usage)


def _read_back(frames: list[bytes]) -> _Told | None:
    """What was told, where it is the text of one message and nothing else; else None."""
    head: _Head | None = None
    opened, pieces, last = 0, [], None
    try:
        for frame in frames:
            event = _decode(frame)
            if event.type in _BEFORE:
                head = head or _decode_head(event.response)
            elif event.type == _DELTA and opened == len(_OPENING) and not (event.output_index or event.content_index):
                pieces.append(event.delta)
                last = event
            elif opened < len(_OPENING) and event.type == _OPENING[opened] and not event.output_index:
                opened += 1
            else:
                return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if head is None or last is None:
        return None
    return _Told(head, last.item_id, tuple(pieces), last.sequence_number + 1)
