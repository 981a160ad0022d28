"""Responses in pieces, read from an upstream.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.content import ServerToolUse
from pointsman.core.errors import Broken, GatewayError
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
from pointsman.core.usage import Usage
from pointsman.dialects.custom_tools import wrap_input
from pointsman.dialects.openai_responses import answers, types
from pointsman.dialects.openai_responses.citations import annotations_in, read_annotation
from pointsman.dialects.openai_responses.errors import read_error, status_of
from pointsman.dialects.openai_responses.given import read_given
from pointsman.dialects.openai_responses.output import read_logprobs
from pointsman.dialects.openai_responses.response import read_usage
from pointsman.dialects.signatures import OPENAI

__all__ = ["StreamReader"]


_encode: Final = msgspec.json.Encoder().encode
_decode_event: Final = msgspec.json.Decoder(answers.StreamedEvent).decode
_decode_stream_head: Final = msgspec.json.Decoder(answers.StreamHead).decode
_decode_response: Final = msgspec.json.Decoder(answers.WireResponse).decode
_decode_item: Final = msgspec.json.Decoder(answers.OutputItemFields).decode
_decode_head: Final = msgspec.json.Decoder(types.ItemHead).decode
_decode_failure: Final = msgspec.json.Decoder(answers.Failure).decode

_TIME_MAX: Final = 2**53
_NULL: Final = msgspec.Raw(b"null")
_KNOWN: Final = frozenset(kind.__struct_config__.tag for kind in get_args(answers.StreamedEvent))
_ITEMS: Final = frozenset({"message", "reasoning", "function_call", "custom_tool_call"})
_WRAPPER: Final = '{"input":"'
"""How the arguments begin that stand for a custom tool's input."""


class _OpenItem(msgspec.Struct):
    """An item under way.

    ``told`` is what was told of it: its text, its reasoning, its arguments; ``start`` where its text begins in that of
    the answer, and ``cited`` how many of its sources were told. ``source`` is the kind of event that its
    reasoning comes with, since some servers send it both as a summary and as it is.
    """

    told: list[str] = []
    refused: list[str] = []
    start: int = 0
    cited: int = 0
    slot: int | None = None
    source: type | None = None
    custom: bool = False
    code: ServerToolUse | None = None
    done: bool = False


class StreamReader:
    """Reads the data of an upstream's server-sent events, one :meth:`feed` each.

    Copes with what servers of this dialect do: pieces that come with the end of their item only, or with the end of
    the answer; calls without an id; reasoning as a summary, as it is, or as both; ``[DONE]`` at the end; an error
    object in the stream. Items of tools that the provider runs itself are told once they are complete.

    Args:
        new_id: Makes ids for answers and calls that have none.
    """

    def __init__(self, *, new_id: Callable[[str], str] = short_id) -> None:
        self._new_id = new_id
        self._items: dict[int, _OpenItem] = {}
        self._coding: _OpenItem | None = None
        self._slots = 0
        self._characters = 0
        self._usage: Usage | None = None
        self._started = False
        self._finished = False
        self._failed = False
        self._reported = False

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        if self._finished or self._failed:
            return []
        try:
            event = _decode_event(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._read_stranger(frame)
        if isinstance(event, answers.ErrorEvent):
            return self._fail(read_error(status_of(event.code), frame))
        return self._take(event)

    def _take(self, event: answers.StreamedEvent) -> list[Event]:
        events: list[Event] = []
        try:
            self._read_event(event, events)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [*events, *self._fail(Broken("The upstream sent an item that cannot be read."))]
        return events

    def feed_whole(self, body: bytes) -> list[Event]:
        """The events of a whole answer that was not streamed."""
        try:
            response = _decode_response(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._fail(Broken("The upstream sent something that is not a response."))
        if isinstance(response.error, msgspec.Raw) and response.error != _NULL and response.output is None:
            return self._fail(read_error(Broken.default_status, body))
        if response.output is None or response.status in {"queued", "in_progress"}:
            return self._fail(Broken("The upstream sent a response that is not complete."))
        ended: answers.Ended
        if response.status in {"failed", "cancelled"}:
            ended = answers.Failed(response)
        else:
            ended = answers.Incomplete(response) if response.status == "incomplete" else answers.Completed(response)
        return self._take(ended)

    def end(self) -> list[Event]:
        """The last events, once the upstream closed its stream. An answer that never ended is a failure."""
        if self._failed or self._reported:
            return []
        if not self._finished:
            what = "was complete" if self._started else "had begun"
            return self._fail(Broken(f"The upstream ended its stream before the answer {what}."))
        self._reported = True
        return [] if self._usage is None else [UsageReported(self._usage)]

    def _fail(self, error: GatewayError) -> list[Event]:
        self._failed = True
        return [Failed(error)]

    def _read_stranger(self, frame: bytes) -> list[Event]:
        """What is no event that we know: of a type that does not matter to us, the end, or a failure."""
        if frame.strip() in {b"", b"[DONE]"}:
            return []
        try:
            head = _decode_stream_head(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            head = answers.StreamHead()
        if head.type is not None and head.type not in _KNOWN:
            return []
        if head.type is None and isinstance(head.error, msgspec.Raw) and head.error != _NULL:
            return self._fail(read_error(Broken.default_status, frame))
        return self._fail(Broken("The upstream sent something that is not an event of a response."))

    def _read_event(self, event: answers.StreamedEvent, events: list[Event]) -> None:
        response = event.response if isinstance(event, _WITH_RESPONSE) else answers.WireResponse()
        if not self._started:
            self._started = True
            created = int(min(max(response.created_at or 0, 0), _TIME_MAX))
            events.append(Started(response.id or self._new_id("resp_"), response.model or "", created))
        if self._coding is not None and self._items.get(getattr(event, "output_index", -1)) is not self._coding:
            self._end_code("", events)
        match event:
            case answers.CodeDelta():
                self._read_code(self._item(event.output_index), event.delta, events)
            case answers.CodeDone():
                self._end_code("", events)
            case answers.TextDelta():
                self._read_text(event, events)
            case answers.AnnotationAdded():
                _cite(self._item(event.output_index), [event.annotation], events)
            case answers.ItemAdded():
                self._read_item(event.output_index, event.item, events, done=False)
            case answers.ItemDone():
                self._read_item(event.output_index, event.item, events, done=True)
            case answers.Completed() | answers.Incomplete() | answers.Failed():
                self._read_ending(event, events)
            case answers.RefusalDelta():
                self._item(event.output_index).refused.append(event.delta)
                events.append(RefusalDelta(event.delta))
            case answers.ArgumentsDelta() | answers.InputDelta():
                self._read_arguments(event, events)
            case answers.SummaryPartAdded() | answers.SummaryDelta() | answers.ReasoningDelta():
                self._read_reasoning(event, events)
            case _:
                pass

    def _item(self, index: int) -> _OpenItem:
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _OpenItem()
        return item

    def _read_text(self, event: answers.TextDelta, events: list[Event]) -> None:
        if isinstance(event.logprobs, msgspec.Raw):
            _read_logprobs(event.logprobs, events)
        if event.delta:
            self._say(self._item(event.output_index), event.delta, events)

    def _say(self, item: _OpenItem, text: str, events: list[Event]) -> None:
        if not item.told:
            item.start = self._characters
        item.told.append(text)
        self._characters += len(text)
        events.append(TextDelta(text))

    def _read_reasoning(
        self, event: answers.SummaryPartAdded | answers.SummaryDelta | answers.ReasoningDelta, events: list[Event]
    ) -> None:
        item = self._item(event.output_index)
        if isinstance(event, answers.SummaryPartAdded):
            # The parts of a summary are paragraphs.
            text = "\n\n" if event.summary_index and item.told and item.source is answers.SummaryDelta else ""
        else:
            item.source = item.source or type(event)
            text = event.delta if item.source is type(event) else ""
        if text:
            item.told.append(text)
            events.append(ThinkingDelta(text))

    def _read_arguments(self, event: answers.ArgumentsDelta | answers.InputDelta, events: list[Event]) -> None:
        """More of a call; of one that never began, everything comes with its end."""
        item = self._item(event.output_index)
        if item.slot is None or not event.delta:
            return
        piece = event.delta
        if item.custom:
            piece = _encode(piece).decode()[1:-1]
            piece = piece if item.told else _WRAPPER + piece
        item.told.append(piece)
        events.append(ToolCallDelta(item.slot, piece))

    def _read_item(self, index: int, raw: msgspec.Raw, events: list[Event], *, done: bool) -> None:
        """An item that begins or is complete; what is known of it by now and was not told is told."""
        item = self._item(index)
        if item.done:
            return
        if _decode_head(raw).type not in _ITEMS:
            self._read_given(item, raw, events, done=done)
            return
        item.done = done
        fields = _decode_item(raw)
        if fields.type == "message":
            if done:
                self._complete_message(item, fields, events)
        elif fields.type == "reasoning":
            if done:
                _complete_reasoning(item, fields, events)
        elif fields.name:
            self._read_call(item, fields, events, done=done)

    def _read_given(self, item: _OpenItem, raw: msgspec.Raw, events: list[Event], *, done: bool) -> None:
        """What comes whole: an image, or what a tool did that the provider runs itself; its code may come before."""
        item.done = done
        given = read_given(raw, self._characters)
        if not done:
            if isinstance(given, ServerToolUse) and given.kind == "code":
                item.code = msgspec.structs.replace(given, native=())
        elif given is not None:
            if isinstance(given, ServerToolUse) and item is self._coding:
                self._end_code(_rest(given.input, item.told), events)
            events.append(PartGiven(given))

    def _read_code(self, item: _OpenItem, text: str, events: list[Event]) -> None:
        """More of the code of an item that has been announced."""
        if item.code is None or item.done or not text:
            return
        self._coding = item
        item.told.append(text)
        events.append(CodeDelta(msgspec.structs.replace(item.code, input=text)))

    def _end_code(self, rest: str, events: list[Event]) -> None:
        """The code that was coming is whole."""
        item, self._coding = self._coding, None
        if item is not None and item.code is not None:
            events.append(CodeDelta(msgspec.structs.replace(item.code, input=rest), complete=True))
            item.code = None

    def _complete_message(self, item: _OpenItem, fields: answers.OutputItemFields, events: list[Event]) -> None:
        parts = fields.content or ()
        for part in parts:
            if item.told == [] and isinstance(part.logprobs, msgspec.Raw):
                _read_logprobs(part.logprobs, events)
        text = _rest("".join(part.text or "" for part in parts), item.told)
        if text:
            self._say(item, text, events)
        _cite(item, [one for part in parts for one in annotations_in(part.annotations)][item.cited :], events)
        refusal = _rest("".join(part.refusal or "" for part in parts), item.refused)
        if refusal:
            events.append(RefusalDelta(refusal))

    def _read_call(self, item: _OpenItem, fields: answers.OutputItemFields, events: list[Event], *, done: bool) -> None:
        if item.slot is None:
            item.slot = self._slots
            item.custom = fields.type == "custom_tool_call"
            self._slots += 1
            call_id = fields.call_id or fields.id or self._new_id("call_")
            events.append(ToolCallStarted(item.slot, call_id, fields.name or ""))
        if not done:
            return
        whole = wrap_input(fields.input or "") if item.custom else fields.arguments or ""
        told = "".join(item.told)
        rest = whole[len(told) :] if whole.startswith(told) else ""
        if not rest and item.custom:
            rest = '"}'
        if rest:
            events.append(ToolCallDelta(item.slot, rest))

    def _read_ending(self, event: answers.Ended, events: list[Event]) -> None:
        response = event.response
        if isinstance(event, answers.Failed):
            events += self._fail(_failure(response))
            return
        for index, raw in enumerate(response.output or ()):
            self._read_item(index, raw, events, done=True)
        self._usage = read_usage(response.usage)
        self._finished = True
        reason: FinishReason = "tool_calls" if self._slots else "stop"
        if isinstance(event, answers.Incomplete):
            why = response.incomplete_details
            reason = "content_filter" if why is not None and why.reason == "content_filter" else "length"
        events.append(Finished(reason))


_WITH_RESPONSE: Final = (answers.Created, answers.InProgress, answers.Completed, answers.Incomplete, answers.Failed)


def _cite(item: _OpenItem, annotations: Iterable[msgspec.Raw], events: list[Event]) -> None:
    """Tell the sources of an item's text; those of its end that were told before are not told again."""
    for annotation in annotations:
        item.cited += 1
        citation = read_annotation(annotation, item.start)
        if citation is not None:
            events.append(Cited(citation))


def _complete_reasoning(item: _OpenItem, fields: answers.OutputItemFields, events: list[Event]) -> None:
    content = "".join(part.text or "" for part in fields.content or ())
    text = content or "\n\n".join(part.text for part in fields.summary or ())
    if text and not item.told:
        events.append(ThinkingDelta(text))
    if fields.encrypted_content:
        events.append(ThinkingSigned(fields.encrypted_content, redacted=not (text or item.told), signer=OPENAI))


def _rest(whole: str, told: list[str]) -> str:
    """What of a text was not told; nothing where something else was told."""
    before = "".join(told)
    return whole[len(before) :] if whole.startswith(before) else ""


def _read_logprobs(raw: msgspec.Raw, events: list[Event]) -> None:
    tokens = read_logprobs((raw,))
    if tokens:
        events.append(LogprobsDelta(msgspec.Raw(_encode(tokens))))


def _failure(response: answers.WireResponse) -> GatewayError:
    """The failure that a response tells of; one that was cancelled has no error."""
    error = response.error
    if not isinstance(error, msgspec.Raw) or error == _NULL:
        return Broken("The upstream gave up the response and did not say why.")
    return read_error(status_of(_decode_failure(error).code), b'{"error":%b}' % bytes(error))
