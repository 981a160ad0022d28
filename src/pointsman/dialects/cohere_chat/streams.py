"""Cohere's answers, event by event: https://docs.cohere.com/v2/docs/streaming.

The plan that a model makes before it calls tools
is told as its thinking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock, short_id
from pointsman.core.errors import Broken, GatewayError, TimedOut
from pointsman.core.events import (
    Cited,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.cohere_chat.citations import read_citations
from pointsman.dialects.cohere_chat.errors import read_error
from pointsman.dialects.cohere_chat.types import (
    Block,
    LogprobItem,
    Message,
    StreamDelta,
    StreamEvent,
    ToolCall,
    WholeReply,
)
from pointsman.dialects.cohere_chat.usage import read_usage
from pointsman.wire.upstream_errors import fit_to_repeat

__all__ = ["StreamReader"]

_decode: Final = msgspec.json.Decoder(StreamEvent).decode
_encode: Final = msgspec.json.Encoder().encode

_REASONS: Final[dict[str, FinishReason]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
    "ERROR_LIMIT": "length",
}
_BROKEN_REASONS: Final = frozenset({"ERROR", "USER_CANCEL"})
_MET_STOP: Final = "stop_sequence"


class StreamReader:
    """Reads the data of Cohere's server-sent events, one :meth:`feed` each.

    Args:
        model: Cohere's name for the model.
        stop: The stop sequences asked for: of a single one it is known that it was met.
        single_tool_call: Keep the first tool call only (``parallel_tool_calls: false``).
        new_id: Makes ids for answers and tool calls that have none.
        clock: Tells when the answer began, which Cohere does not.
    """

    def __init__(
        self,
        model: str = "",
        *,
        stop: tuple[str, ...] = (),
        single_tool_call: bool = False,
        new_id: Callable[[str], str] = short_id,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._model = model
        self._stop = stop
        self._single = single_tool_call
        self._new_id = new_id
        self._clock = clock
        self._started = False
        self._over = False
        self._slots: dict[int, int] = {}
        self._ids: list[str] = []
        self._without_arguments: set[int] = set()

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame. Frames after the end or a failure say nothing."""
        text = frame.strip()
        if self._over or not text or text == b"[DONE]":
            return []
        try:
            event = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._fail(Broken("Cohere sent something that is not one of its events."))
        events: list[Event] = []
        self._read_event(event, frame, events)
        return events

    def end(self) -> list[Event]:
        """The last events, once Cohere closed its stream: a failure unless it had ended its message."""
        if self._over:
            return []
        what = "was complete" if self._started else "had begun"
        return self._fail(Broken(f"Cohere ended its stream before the answer {what}."))

    def whole(self, reply: WholeReply) -> list[Event]:
        """The events of an answer that was not streamed."""
        events: list[Event] = []
        self._start(reply.id, events)
        message = reply.message or Message()
        if reply.logprobs:
            events.append(_logprobs(reply.logprobs))
        self._read_message(message, events)
        for position, call in enumerate(_listed(message.tool_calls)):
            self._open_call(position, call, events)
            self._close_call(position, events)
        self._finish(StreamDelta(finish_reason=reply.finish_reason or "COMPLETE", usage=reply.usage), events)
        return events

    def _fail(self, error: GatewayError) -> list[Event]:
        self._over = True
        return [Failed(error)]

    def _start(self, answer_id: str | None, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Started(answer_id or self._new_id("cohere-"), self._model, int(self._clock.wall())))

    def _read_event(self, event: StreamEvent, frame: bytes, events: list[Event]) -> None:
        delta = event.delta or StreamDelta()
        if event.type == "message-start":
            self._start(event.id, events)
        elif not event.type and event.message is not None:
            events += self._fail(read_error(Broken.default_status, frame, self._model))
        elif event.type == "message-end":
            self._start(event.id, events)
            self._finish(delta, events)
        elif event.type in {"content-start", "content-delta", "tool-plan-delta", "citation-start"}:
            self._start(None, events)
            if event.logprobs is not None:
                events.append(_logprobs([event.logprobs]))
            self._read_message(delta.message or Message(), events)
        elif event.type in {"tool-call-start", "tool-call-delta", "tool-call-end"}:
            self._start(None, events)
            self._read_call(event.type, event.index or 0, delta.message or Message(), events)

    def _read_message(self, message: Message, events: list[Event]) -> None:
        if message.tool_plan:
            events.append(ThinkingDelta(message.tool_plan))
        for block in _blocks(message.content):
            if block.thinking:
                events.append(ThinkingDelta(block.thinking))
            if block.text:
                events.append(TextDelta(block.text))
        events += [Cited(citation) for citation in read_citations(message.citations)]

    def _read_call(self, kind: str, index: int, message: Message, events: list[Event]) -> None:
        if kind == "tool-call-end":
            self._close_call(index, events)
            return
        for call in _listed(message.tool_calls):
            if kind == "tool-call-start":
                self._open_call(index, call, events)
            else:
                self._add_arguments(index, call, events)

    def _open_call(self, index: int, call: ToolCall, events: list[Event]) -> None:
        name = call.function.name if call.function is not None else None
        if not name or index in self._slots or (self._single and self._ids):
            return
        slot = self._slots[index] = len(self._ids)
        call_id = call.id if call.id and call.id not in self._ids else self._new_id("call_")
        self._ids.append(call_id)
        self._without_arguments.add(index)
        events.append(ToolCallStarted(slot, call_id, name))
        self._add_arguments(index, call, events)

    def _add_arguments(self, index: int, call: ToolCall, events: list[Event]) -> None:
        arguments = call.function.arguments if call.function is not None else None
        if arguments and index in self._slots:
            self._without_arguments.discard(index)
            events.append(ToolCallDelta(self._slots[index], arguments))

    def _close_call(self, index: int, events: list[Event]) -> None:
        """The end of a call; one without arguments has an empty object of them everywhere else."""
        if index in self._without_arguments:
            self._without_arguments.discard(index)
            events.append(ToolCallDelta(self._slots[index], "{}"))

    def _finish(self, delta: StreamDelta, events: list[Event]) -> None:
        reason = delta.finish_reason or "COMPLETE"
        if reason == "TIMEOUT":
            events += self._fail(TimedOut("Cohere took too long to complete its answer, and gave up."))
            return
        if delta.error or reason in _BROKEN_REASONS:
            why = fit_to_repeat(delta.error or reason)
            events += self._fail(Broken(f"Cohere could not complete its answer: {why}"))
            return
        self._over = True
        for index in sorted(self._without_arguments):
            self._close_call(index, events)
        events.append(self._finished(reason))
        usage: Usage | None = read_usage(delta.usage)
        if usage is not None:
            events.append(UsageReported(usage))

    def _finished(self, reason: str) -> Finished:
        known = _REASONS.get(reason, "stop")
        if known in {"stop", "tool_calls"}:
            known = "tool_calls" if self._ids else "stop"
        if reason == "STOP_SEQUENCE" and len(self._stop) == 1:
            return Finished(known, native=_MET_STOP, stop_sequence=self._stop[0])
        return Finished(known)


def _listed(calls: list[ToolCall] | ToolCall | None) -> Iterable[ToolCall]:
    return calls if isinstance(calls, list) else () if calls is None else (calls,)


def _blocks(content: list[Block] | Block | str | None) -> Iterable[Block]:
    if isinstance(content, str):
        return (Block(text=content),)
    return content if isinstance(content, list) else () if content is None else (content,)


def _logprobs(items: Iterable[LogprobItem]) -> LogprobsDelta:
    """In OpenAI's form; a piece of text that is several tokens has the probability of all of them together."""
    tokens = [
        {
            "token": item.text or "",
            "logprob": sum(item.logprobs or ()),
            "bytes": list((item.text or "").encode("utf-8", "replace")),
            "top_logprobs": [],
        }
        for item in items
    ]
    return LogprobsDelta(msgspec.Raw(_encode(tokens)))
