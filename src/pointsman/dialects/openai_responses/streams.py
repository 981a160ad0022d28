"""Responses in pieces, written for a client.

Source: https://platform.openai.com/docs/api-reference/responses-streaming. There is no ``[DONE]``: the last event has
the whole response. ``stream_options.include_obfuscation`` is passed over; no padding is ever sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Audio, Citation, ServerToolUse
from pointsman.core.errors import GatewayError
from pointsman.core.events import (
    Cited,
    CodeDelta,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    PartGiven,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.custom_tools import custom_names
from pointsman.dialects.openai_responses.citations import write_annotation
from pointsman.dialects.openai_responses.given import API
from pointsman.dialects.openai_responses.groups import groups_of
from pointsman.dialects.openai_responses.output import (
    ItemKind,
    OutputItem,
    PartKind,
    given_item,
    part_of,
    read_logprobs,
    seal_signed,
    was_cut_off,
)
from pointsman.dialects.openai_responses.response import ResponseRequest, Status, write_response
from pointsman.dialects.openai_responses.stream_reader import StreamReader
from pointsman.dialects.openai_responses.telling import Teller
from pointsman.dialects.openai_responses.tools import DIALECT
from pointsman.dialects.server_tools import media_in_words

__all__ = ["StreamReader", "StreamWriter"]

_encode: Final = msgspec.json.Encoder().encode


class StreamWriter:
    """Writes the stream of one answer.

    Items are told one after the other, as clients expect them. Where an upstream goes on with a call after it began
    the next one, the later items are kept until the earlier one is whole, at the latest until the answer is. A text
    delta, by far the most frequent event, costs the encoding of its text and nothing else.
    """

    __slots__ = (
        "_begun",
        "_call",
        "_coded",
        "_customs",
        "_groups",
        "_items",
        "_logprobs",
        "_over",
        "_reason",
        "_request",
        "_slots",
        "_teller",
        "_told",
        "_usage",
    )

    def __init__(self, call: Call, request: ResponseRequest) -> None:
        self._call = call
        self._request = request
        self._customs = custom_names(call.tools, DIALECT)
        self._groups = groups_of(call.tools)
        self._teller = Teller()
        self._items: list[OutputItem] = []
        self._told = 0
        self._slots: dict[int, OutputItem] = {}
        self._coded: dict[str, OutputItem] = {}
        self._logprobs: list[msgspec.Raw] = []
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._begun = False
        self._over = False

    def write(self, events: Iterable[Event]) -> bytes:
        """The client's events for these; a ``Failed`` among them ends the stream."""
        teller = self._teller
        for event in () if self._over else events:
            if event.__class__ is TextDelta and teller.text is not None and not self._logprobs and not event.choice:
                if event.text:
                    teller.tell_text(event.text)
                continue
            self._write_event(event)
            if self._over:
                break
        return teller.take()

    def go_on_from(self, item_id: str, number: int) -> None:
        """What was written so far somebody else has told: the open item by that id, the next event has that number."""
        self._teller.go_on_from(item_id, number)

    def end(self, usage: Usage | None = None) -> bytes:
        """The end of the stream; ``usage`` stands in where the upstream reported none."""
        if self._over:
            return b""
        self._begin()
        if self._reason is None:
            self._finish("stop")
        status: Status = "incomplete" if was_cut_off(self._reason) else "completed"
        self._close(status, usage=self._usage or usage or NO_USAGE)
        return self._teller.take()

    def fail(self, error: GatewayError) -> bytes:
        """The end of a stream that failed."""
        if self._over:
            return b""
        self._fail(error)
        return self._teller.take()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            response = msgspec.Raw(_encode(write_response(self._request, self._call, "in_progress")))
            self._teller.tell("response.created", response=response)
            self._teller.tell("response.in_progress", response=response)

    def _fail(self, error: GatewayError) -> None:
        self._begin()
        self._close("failed", usage=self._usage, error=error)

    def _close(self, status: Status, *, usage: Usage | None, error: GatewayError | None = None) -> None:
        self._over = True
        response = write_response(
            self._request,
            self._call,
            status,
            output=self._teller.done,
            usage=usage,
            reason=self._reason,
            error=error,
        )
        self._teller.tell(f"response.{status}", response=response)

    def _write_event(self, event: Event) -> None:
        if isinstance(event, Started):
            self._begin()
        elif isinstance(event, UsageReported):
            self._usage = event.usage
        elif isinstance(event, Failed):
            self._fail(event.error)
        elif event.choice == 0 and self._reason is None:
            self._begin()
            self._write_content(event)

    def _write_content(
        self,
        event: TextDelta
        | ThinkingDelta
        | ThinkingSigned
        | RefusalDelta
        | ToolCallStarted
        | ToolCallDelta
        | LogprobsDelta
        | CodeDelta
        | PartGiven
        | Cited
        | Finished,
    ) -> None:
        match event:
            case TextDelta():
                self._say("message", "output_text", event.text)
            case RefusalDelta():
                self._say("message", "refusal", event.text)
            case ThinkingDelta():
                self._say("reasoning", "summary_text", event.text)
            case ThinkingSigned():
                self._sign(event)
            case ToolCallStarted():
                kind: ItemKind = "custom_tool_call" if event.name in self._customs else "function_call"
                self._slots[event.slot] = self._add(kind, call_id=event.id, name=event.name)
            case ToolCallDelta():
                self._argue(event)
            case LogprobsDelta():
                self._logprobs.append(event.content)
            case CodeDelta():
                self._code(event)
            case PartGiven():
                self._give(event)
            case Cited():
                self._cite(event.citation)
            case Finished():
                self._finish(event.reason)

    def _say(self, kind: ItemKind, part_kind: PartKind, text: str) -> None:
        """More of a message or of the reasoning; what is signed is over."""
        if not text:
            return
        item = self._items[-1] if self._items else None
        if item is None or item.kind != kind or item.signature is not None:
            item = self._add(kind)
        part = item.part(part_kind)
        tokens = read_logprobs(self._logprobs) if part_kind == "output_text" else []
        if part_kind == "output_text":
            self._logprobs.clear()
        if item is self._teller.item:
            self._teller.tell_piece(part, text, tokens)
        part.pieces.append(text)
        part.logprobs += tokens

    def _cite(self, citation: Citation) -> None:
        """A source of a text that can still be changed."""
        place = part_of(self._items, citation)
        if place is None or place[0].status != "in_progress":
            return
        item, part, offset = place
        annotation = write_annotation(citation, offset)
        if item is self._teller.item:
            self._teller.tell_annotation(part, annotation)
        part.annotations.append(annotation)

    def _argue(self, event: ToolCallDelta) -> None:
        """More of a call's arguments; behind a whole object there can only be white space."""
        item = self._slots.get(event.slot)
        if item is None or item.status != "in_progress" or not event.arguments:
            return
        item.pieces.append(event.arguments)
        if item is self._teller.item:
            self._teller.tell_arguments(event.arguments)

    def _sign(self, event: ThinkingSigned) -> None:
        """The signature of the last reasoning that has none and can still be changed, or of reasoning kept secret."""
        for item in reversed(self._items):
            if item.kind == "reasoning" and item.status == "in_progress" and item.signature is None:
                if event.redacted and item.parts:
                    break
                item.signature = seal_signed(event)
                return
        self._add("reasoning").signature = seal_signed(event)

    def _add(self, kind: ItemKind, *, call_id: str = "", name: str = "") -> OutputItem:
        """A new item, which is told at once if all before it are whole."""
        item = OutputItem(kind, len(self._items), self._request.id, call_id=call_id, name=name)
        item.group = self._groups.get(name)
        return self._append(item)

    def _give(self, event: PartGiven) -> None:
        """What comes whole; a sound has no item and is told in words."""
        if isinstance(event.part, Audio):
            self._say("message", "output_text", media_in_words(event.part, API))
            return
        begun = self._coded.pop(event.part.id, None) if isinstance(event.part, ServerToolUse) else None
        if begun is not None and isinstance(event.part, ServerToolUse):
            begun.give_code(event.part)
            if begun is self._teller.item:
                self._teller.close_item(cut_off=False)
            self._advance()
            return
        item = given_item(event.part, len(self._items), self._request.id)
        if item is not None:
            self._append(item)

    def _code(self, event: CodeDelta) -> None:
        """More of the code of an item; what it gives is told when the item is closed."""
        item = self._coded.get(event.use.id)
        if item is None:
            if not event.use.input:
                return
            announced = msgspec.structs.replace(event.use, input="", native=())
            item = given_item(announced, len(self._items), self._request.id)
            if item is None:
                return
            item.coded = True
            self._coded[event.use.id] = self._append(item)
        item.pieces.append(event.use.input)
        if item is self._teller.item:
            self._teller.tell_code(event.use.input)

    def _append(self, item: OutputItem) -> OutputItem:
        self._items.append(item)
        self._teller.text = None
        self._advance()
        return item

    def _advance(self) -> None:
        """Tell the items that wait, as far as those before them are whole."""
        while self._told < len(self._items):
            told = self._teller.item
            if told is not None and not told.is_whole():
                break
            self._tell_next()

    def _tell_next(self) -> None:
        """Close the item that is being told, and begin with the next."""
        if self._teller.item is not None:
            self._teller.close_item(cut_off=False)
        self._teller.open_item(self._items[self._told], is_last=self._told == len(self._items) - 1)
        self._told += 1

    def _finish(self, reason: FinishReason) -> None:
        """All items are over; an answer without any gets an empty message, for clients that look into the first."""
        if not self._items:
            self._add("message")
            self._teller.open_part(self._items[0].part("output_text"))
        self._teller.keep_logprobs(read_logprobs(self._logprobs))
        self._logprobs.clear()
        self._reason = reason
        for item in self._coded.values():
            item.give_code(None)
        while self._told < len(self._items):
            self._tell_next()
        self._teller.close_item(cut_off=was_cut_off(reason))
