"""Answers, in pieces and whole, as events.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. An answer has no id
and does not name its model, and its cost comes behind its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import (
    Cited,
    Event,
    Failed,
    Finished,
    FinishReason,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage
from pointsman.dialects.bedrock_converse.citations import citations_in, read_citation
from pointsman.dialects.bedrock_converse.errors import read_exception
from pointsman.dialects.bedrock_converse.names import ToolNames
from pointsman.dialects.bedrock_converse.types import (
    BlockDelta,
    ContentBlock,
    ConverseReply,
    Metrics,
    ReasoningContent,
    StreamFrame,
    ToolUseFields,
    WireUsage,
)
from pointsman.dialects.signatures import ANTHROPIC

__all__ = ["Expected", "StreamReader"]

_decode: Final = msgspec.json.Decoder(StreamFrame).decode
_NO_NAMES: Final = ToolNames()
_NOTHING: Final = msgspec.Raw(b"{}")
_COUNT_MAX: Final = 2**53
"""The largest integer that every reader of JSON holds exactly."""

_DURATION_MS_MAX: Final = 24 * 3600 * 1000.0

_READ: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
}
_SAYS_NO_MORE: Final = frozenset({"end_turn", "tool_use", "max_tokens"})
"""Reasons for which the common word is enough."""


class Expected(msgspec.Struct, frozen=True):
    """What the reader has to know of the request.

    Attributes:
        model: Bedrock's name for the model, which the answer does not say.
        created: When it was asked, in seconds since the epoch.
        names: The tools' names.
        shape_tool: The tool whose input is the answer's text.
        single_tool_call: Keep the first tool call only (``parallel_tool_calls: false``).
    """

    model: str = ""
    created: int = 0
    names: ToolNames = _NO_NAMES
    shape_tool: str | None = None
    single_tool_call: bool = False


class _Details(msgspec.Struct):
    thinking_tokens: int | None = None


class _ModelUsage(msgspec.Struct):
    output_tokens_details: _Details | None = None


class _ModelFields(msgspec.Struct):
    """What Claude says beyond the common, where it was asked to (:mod:`.requests`)."""

    stop_sequence: str | None = None
    usage: _ModelUsage | None = None


_decode_model_fields: Final = msgspec.json.Decoder(_ModelFields).decode


class _OpenTool(msgspec.Struct):
    """A tool call under way. ``slot`` None: its input is the answer's text; ``skipped``: nobody is told of it."""

    slot: int | None
    skipped: bool = False
    told: bool = False


class StreamReader:
    """Reads the frames of a stream, one :meth:`feed` each, or one whole answer (:meth:`read_whole`).

    Passes over events and blocks that it does not know.
    """

    def __init__(self, expected: Expected | None = None, *, new_id: Callable[[str], str] = short_id) -> None:
        self._expected = expected or Expected()
        self._new_id = new_id
        self._started = self._failed = self._finished = False
        self._tools: dict[int, _OpenTool] = {}
        self._cited: dict[int, list[msgspec.Raw]] = {}
        self._starts: dict[int, int] = {}
        self._characters = 0
        self._slots = 0
        self._ids: set[str] = set()
        self._reasoning_tokens = 0

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame. Frames after a failure say nothing."""
        if self._failed:
            return []
        try:
            event = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._fail(Broken("Bedrock sent something that is not an event of an answer."))
        events: list[Event] = []
        self._read_event(event, events)
        return events

    def end(self) -> list[Event]:
        """What the end of the stream means. An answer that never ended is a failure."""
        if self._failed or self._finished:
            return []
        what = "was complete" if self._started else "had begun"
        return self._fail(Broken(f"Bedrock ended its stream before the answer {what}."))

    def read_whole(self, reply: ConverseReply) -> list[Event]:
        """The events of a whole answer."""
        message = None if reply.output is None else reply.output.message
        if message is None or reply.stop_reason is None:
            return self._fail(Broken("Bedrock answered with something that is not an answer."))
        events: list[Event] = []
        self._start(events)
        for index, block in enumerate(message.content or ()):
            self._read_block(block, index, events)
        self._finish(reply.stop_reason, reply.additional_model_response_fields, events)
        self._report(reply.usage, reply.metrics, events)
        return events

    def _fail(self, error: GatewayError) -> list[Event]:
        self._failed = True
        return [Failed(error)]

    def _read_event(self, event: StreamFrame, events: list[Event]) -> None:
        delta = event.content_block_delta
        if delta is not None:
            if delta.delta is not None:
                self._read_delta(delta.delta, delta.content_block_index, events)
        elif event.content_block_start is not None:
            start = event.content_block_start
            if start.start is not None and start.start.tool_use is not None:
                self._open(start.start.tool_use, start.content_block_index, events)
        elif event.content_block_stop is not None:
            self._close(event.content_block_stop.content_block_index, events)
        elif event.message_start is not None:
            self._start(events)
        elif event.message_stop is not None:
            stop = event.message_stop
            self._finish(stop.stop_reason or "end_turn", stop.additional_model_response_fields, events)
        elif event.metadata is not None:
            self._report(event.metadata.usage, event.metadata.metrics, events)
        elif event.exception is not None:
            events += self._fail(read_exception(event.exception))

    def _start(self, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Started(self._new_id("chatcmpl-"), self._expected.model, self._expected.created))

    def _read_block(self, block: ContentBlock, index: int, events: list[Event]) -> None:
        if isinstance(block.text, str) and block.text:
            self._say(block.text, events)
        elif block.tool_use is not None:
            self._open(block.tool_use, index, events)
            given = block.tool_use.input
            if isinstance(given, msgspec.Raw):
                self._read_input(bytes(given).decode(), index, events)
            self._close(index, events)
        elif block.reasoning_content is not None:
            self._read_reasoning(block.reasoning_content, events)
        elif block.citations_content is not None:
            start = self._characters
            for part in block.citations_content.content or ():
                self._read_block(part, index, events)
            self._cite(citations_in(block.citations_content.citations), start, events)

    def _read_delta(self, delta: BlockDelta, index: int, events: list[Event]) -> None:
        if self._finished:
            return
        self._start(events)
        if isinstance(delta.citation, msgspec.Raw):
            self._cited.setdefault(index, []).append(delta.citation)
        if delta.text:
            self._starts.setdefault(index, self._characters)
            self._say(delta.text, events)
        elif delta.tool_use is not None:
            self._read_input(delta.tool_use.input or "", index, events)
        elif delta.reasoning_content is not None:
            self._read_reasoning(delta.reasoning_content, events)

    def _read_reasoning(self, content: ReasoningContent, events: list[Event]) -> None:
        whole = content.reasoning_text
        text = whole.text if whole is not None else content.text
        signature = whole.signature if whole is not None else content.signature
        if isinstance(text, str) and text:
            events.append(ThinkingDelta(text))
        if signature:
            events.append(ThinkingSigned(signature, signer=ANTHROPIC))
        if content.redacted_content:
            events.append(ThinkingSigned(content.redacted_content, redacted=True, signer=ANTHROPIC))

    def _open(self, use: ToolUseFields, index: int, events: list[Event]) -> None:
        if self._finished:
            return
        self._start(events)
        expected = self._expected
        if expected.shape_tool is not None and use.name == expected.shape_tool:
            self._tools[index] = _OpenTool(None)
        elif expected.single_tool_call and self._slots:
            self._tools[index] = _OpenTool(None, skipped=True)
        else:
            self._tools[index] = _OpenTool(self._slots)
            name = expected.names.given(use.name)
            given = use.tool_use_id
            call_id = given if given and given not in self._ids else self._new_id("tooluse_")
            self._ids.add(call_id)
            events.append(ToolCallStarted(self._slots, call_id, name))
            self._slots += 1

    def _read_input(self, text: str, index: int, events: list[Event]) -> None:
        tool = self._tools.get(index)
        if tool is None or tool.skipped or not text:
            return
        tool.told = True
        if tool.slot is None:
            self._say(text, events)
        else:
            events.append(ToolCallDelta(tool.slot, text))

    def _close(self, index: int, events: list[Event]) -> None:
        """The end of a block; a tool call without any arguments has none to give, which is an empty object."""
        tool = self._tools.get(index)
        if tool is not None and not tool.told:
            self._read_input(bytes(_NOTHING).decode(), index, events)
        self._tools.pop(index, None)
        self._cite(self._cited.pop(index, []), self._starts.pop(index, self._characters), events)

    def _say(self, text: str, events: list[Event]) -> None:
        self._characters += len(text)
        events.append(TextDelta(text))

    def _cite(self, citations: Iterable[msgspec.Raw], start: int, events: list[Event]) -> None:
        """What the text since ``start`` rests on."""
        for raw in citations:
            citation = read_citation(raw, start, self._characters)
            if citation is not None:
                events.append(Cited(citation))

    def _finish(self, reason: str, raw: msgspec.Raw | msgspec.UnsetType, events: list[Event]) -> None:
        if self._finished:
            return
        for index in [*self._tools, *self._cited]:
            self._close(index, events)
        self._start(events)
        self._finished = True
        said = _model_fields(raw)
        if said.usage is not None and said.usage.output_tokens_details is not None:
            self._reasoning_tokens = _count(said.usage.output_tokens_details.thinking_tokens)
        known = _READ.get(reason, "stop")
        if known in {"stop", "tool_calls"} and reason not in {"malformed_model_output", "malformed_tool_use"}:
            known = "tool_calls" if self._slots else "stop"
        native = None if reason in _SAYS_NO_MORE else reason
        sequence = said.stop_sequence if reason == "stop_sequence" else None
        events.append(Finished(known, native=native, stop_sequence=sequence))

    def _report(self, usage: WireUsage | None, metrics: Metrics | None, events: list[Event]) -> None:
        if usage is None:
            return
        cached, written = _count(usage.cache_read_input_tokens), _count(usage.cache_write_input_tokens)
        counts = Usage(
            prompt=_count(usage.input_tokens) + cached + written,
            completion=_count(usage.output_tokens),
            cached=cached,
            cache_write=written,
            reasoning=self._reasoning_tokens,
            source="measured",
        )
        # Bedrock times the model's whole work and no part of it.
        events.append(UsageReported(counts, completion_ms=_duration(None if metrics is None else metrics.latency_ms)))


def _model_fields(raw: msgspec.Raw | msgspec.UnsetType) -> _ModelFields:
    try:
        return _decode_model_fields(raw) if isinstance(raw, msgspec.Raw) else _ModelFields()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _ModelFields()


def _count(count: int | None) -> int:
    """A count that a ledger can hold, whatever the server said."""
    return min(max(count or 0, 0), _COUNT_MAX)


def _duration(milliseconds: float | None) -> float | None:
    """A time that can be written in any unit; None where the server tells none that it could have taken."""
    return milliseconds if milliseconds is not None and 0 <= milliseconds <= _DURATION_MS_MAX else None
