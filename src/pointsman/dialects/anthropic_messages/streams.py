"""Answers in pieces: written for a client, read from an upstream.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import short_id
from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import (
    Cited,
    CodeDelta,
    Event,
    Failed,
    Finished,
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
from pointsman.dialects.anthropic_messages.blocks import Blocks
from pointsman.dialects.anthropic_messages.citations import CitedBlock, read_citation, read_citations
from pointsman.dialects.anthropic_messages.envelope import (
    UsageCount,
    fit_message_id,
    read_finish,
    write_stop_reason,
    write_usage,
)
from pointsman.dialects.anthropic_messages.errors import read_stream_error, write_stream_error
from pointsman.dialects.anthropic_messages.server_tools import ServerToolReader, is_result, is_use
from pointsman.dialects.anthropic_messages.types import StreamEvent, WireBlock, WireDelta, said
from pointsman.dialects.known_frames import KnownFrames
from pointsman.dialects.signatures import ANTHROPIC

__all__ = ["StreamReader", "StreamWriter"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(StreamEvent).decode
_decode_block: Final = msgspec.json.Decoder(WireBlock).decode

_STOPPED: Final = Finished("stop")
_MESSAGE_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_NOTHING: Final = msgspec.Raw(b"{}")


class StreamWriter:
    """Writes the stream of one answer: one message, with the model under the name the client asked for.

    A text delta, by far the most frequent event, costs the encoding of its text and nothing else. Why the answer ended
    is told at the very end, together with what it used. There is one choice in this dialect; others are passed over.

    Args:
        call: The request.
        prompt_tokens: An estimate of the prompt, since the stream begins with its length.
    """

    __slots__ = ("_blocks", "_declined", "_finished", "_model", "_over", "_prompt_tokens", "_started", "_usage")

    def __init__(self, call: Call, prompt_tokens: int = 0) -> None:
        self._model = call.model
        self._prompt_tokens = prompt_tokens
        self._blocks = Blocks()
        self._finished: Finished | None = None
        self._usage: Usage | None = None
        self._started = self._declined = self._over = False

    def write(self, events: Iterable[Event]) -> bytes:
        """The events for these events; a ``Failed`` among them ends the stream.

        Raises:
            Broken: the upstream weaves tool calls into one another that are too long to be held.
        """
        out: list[bytes] = []
        blocks = self._blocks
        for event in () if self._over else events:
            if event.__class__ is TextDelta and blocks.text_head and event.text and not event.choice:
                out += (blocks.text_head, _encode(event.text), blocks.text_tail)
                continue
            self._write_event(event, out)
            if self._over:
                break
        return b"".join(out)

    def end(self, usage: Usage | None = None) -> bytes:
        """The end of the stream; ``usage`` stands in where the upstream reported none."""
        if self._over:
            return b""
        self._over = True
        out: list[bytes] = []
        if not self._started:
            self._start("", out)
        self._blocks.finish(out)
        counts = self._usage or usage or Usage(self._prompt_tokens)
        reason, sequence = write_stop_reason(
            self._finished or _STOPPED, with_tools=self._blocks.with_tools, declined=self._declined
        )
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        out += (_event("message_delta", {"delta": delta, "usage": write_usage(counts)}), _MESSAGE_STOP)
        return b"".join(out)

    def fail(self, error: GatewayError) -> bytes:
        """The end of a stream that failed."""
        if self._over:
            return b""
        self._over = True
        return write_stream_error(error)

    def _write_event(self, event: Event, out: list[bytes]) -> None:
        if isinstance(event, Started):
            if not self._started:
                self._start(event.id, out)
        elif isinstance(event, UsageReported):
            self._usage = event.usage
        elif isinstance(event, Failed):
            out.append(self.fail(event.error))
        elif not event.choice and not isinstance(event, LogprobsDelta):
            if not self._started:
                self._start("", out)
            self._write_content(event, out)

    def _write_content(
        self,
        event: TextDelta
        | ThinkingDelta
        | ThinkingSigned
        | RefusalDelta
        | ToolCallStarted
        | ToolCallDelta
        | CodeDelta
        | PartGiven
        | Cited
        | Finished,
        out: list[bytes],
    ) -> None:
        if self._finished is not None:
            return
        if isinstance(event, Finished):
            self._finished = event
            self._blocks.finish(out)
        elif isinstance(event, Cited):
            self._blocks.cite(event.citation, out)
        elif isinstance(event, RefusalDelta):
            self._declined = True
            self._blocks.take(TextDelta(event.text), out)
        else:
            self._blocks.take(event, out)

    def _start(self, upstream_id: str, out: list[bytes]) -> None:
        self._started = True
        message: dict[str, object] = {
            "id": fit_message_id(upstream_id) if upstream_id else short_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(Usage(self._prompt_tokens)),
        }
        out.append(_event("message_start", {"message": message}))


def _event(name: str, fields: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode({"type": name, **fields}))


class _OpenTool(msgspec.Struct):
    """A tool call under way; ``whole`` is an input that came with its beginning."""

    slot: int
    whole: msgspec.Raw | None
    told: bool = False


class StreamReader:
    """Reads the data of an upstream's server-sent events, one :meth:`feed` each; or one whole answer, as one frame.

    Passes over pings, events and blocks that it does not know; text is never lost. What a tool of Anthropic's own did
    is told once its result has come, what a block of text rests on at its end.
    Copes with servers that put content into the beginning of a block, or say ``end_turn`` where there are tool calls.

    Args:
        created: When the answer was begun, in seconds since the epoch, since this dialect does not say.
        new_id: Makes ids for answers and tool calls that have none of their own.
    """

    def __init__(self, *, created: int = 0, new_id: Callable[[str], str] = short_id) -> None:
        self._created = created
        self._new_id = new_id
        self._started = self._stopped = self._failed = self._reported = False
        self._finished = False
        self._tools: dict[int, _OpenTool] = {}
        self._cited: dict[int, CitedBlock] = {}
        self._server_tools = ServerToolReader()
        self._characters = 0
        self._slots = 0
        self._ids: set[str] = set()
        self._count = UsageCount()
        self._known: KnownFrames | None = None

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        if self._stopped or self._failed:
            return []
        if self._known is not None:
            text = self._known.text_of(frame)
            if text:
                self._characters += len(text)
                return [TextDelta(text)]
        try:
            event = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if not frame.strip():
                return []
            return self._fail(Broken("The upstream sent something that is not an event of a message."))
        if said(event.error) is not None:
            return self._fail(read_stream_error(frame))
        events: list[Event] = []
        try:
            self._read_event(event, events)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [*events, *self._fail(Broken("The upstream sent a block of a message that cannot be read."))]
        if len(events) == 1 and events[0] == TextDelta(_text_of(event)):
            if self._known is None:
                self._known = KnownFrames(b"text")
            self._known.learn(frame, _read_text)
        return events

    def end(self) -> list[Event]:
        """The last events, once the upstream closed its stream. A message that never ended is a failure."""
        if self._failed or self._reported:
            return []
        if not self._started or not (self._finished or self._stopped):
            what = "had begun" if not self._started else "was complete"
            return self._fail(Broken(f"The upstream ended its stream before the answer {what}."))
        self._reported = True
        events: list[Event] = []
        self._finish("end_turn", None, events)
        usage = self._count.total()
        if usage is not None:
            events.append(UsageReported(usage))
        return events

    def _fail(self, error: GatewayError) -> list[Event]:
        self._failed = True
        return [Failed(error)]

    def _read_event(self, event: StreamEvent, events: list[Event]) -> None:
        match event.type:
            case "content_block_delta" if event.delta is not None:
                self._read_delta(event.delta, event.index, events)
            case "content_block_start" if (block := said(event.content_block)) is not None:
                self._open(block, event.index, events)
            case "content_block_stop":
                self._close(event.index, events)
            case "message_start" if event.message is not None:
                message = event.message
                self._start(message.id, message.model, events)
                self._count.take(message.usage)
                self._read_whole(message.content or (), events)
            case "message_delta":
                self._count.take(event.usage)
                if event.delta is not None and event.delta.stop_reason:
                    self._finish(event.delta.stop_reason, event.delta.stop_sequence, events)
            case "message_stop":
                self._stopped = True
            case "message":
                self._start(event.id, event.model, events)
                self._count.take(event.usage)
                self._read_whole(event.content or (), events)
                self._finish(event.stop_reason or "end_turn", event.stop_sequence, events)
                self._stopped = True

    def _start(self, message_id: str | None, model: str | None, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Started(message_id or self._new_id("msg_"), model or "", self._created))

    def _read_whole(self, blocks: Iterable[msgspec.Raw], events: list[Event]) -> None:
        for index, block in enumerate(blocks):
            self._open(block, index, events)
            self._close(index, events)

    def _open(self, raw: msgspec.Raw, index: int, events: list[Event]) -> None:
        if self._finished:
            return
        self._start(None, None, events)
        block = _decode_block(raw)
        if is_use(block.type):
            self._server_tools.opened(raw, index)
        elif is_result(block.type):
            use = self._server_tools.result(raw)
            if use is not None:
                events.append(PartGiven(use))
        if block.thinking:
            events.append(ThinkingDelta(block.thinking))
        if block.signature:
            events.append(ThinkingSigned(block.signature, signer=ANTHROPIC))
        if block.type == "redacted_thinking" and block.data:
            events.append(ThinkingSigned(block.data, redacted=True, signer=ANTHROPIC))
        if block.type == "text":
            self._cited[index] = CitedBlock(self._characters, read_citations(block.citations))
        if block.text:
            self._say(block.text, events)
        if block.type == "tool_use" and block.name:
            given = said(block.input)
            self._tools[index] = _OpenTool(self._slots, None if given == _NOTHING else given)
            call_id = block.id if block.id and block.id not in self._ids else self._new_id("toolu_")
            self._ids.add(call_id)
            events.append(ToolCallStarted(self._slots, call_id, block.name))
            self._slots += 1

    def _read_delta(self, delta: WireDelta, index: int, events: list[Event]) -> None:
        if self._finished:
            return
        self._start(None, None, events)
        if delta.text:
            self._say(delta.text, events)
        elif isinstance(delta.citation, msgspec.Raw):
            if index in self._cited:
                self._cited[index].citations += read_citation(delta.citation)
        elif delta.partial_json:
            tool = self._tools.get(index)
            if tool is None:
                code = self._server_tools.more(delta.partial_json, index, self._characters)
                events += [] if code is None else [code]
            else:
                tool.told = True
                events.append(ToolCallDelta(tool.slot, delta.partial_json))
        elif delta.thinking:
            events.append(ThinkingDelta(delta.thinking))
        elif delta.signature:
            events.append(ThinkingSigned(delta.signature, signer=ANTHROPIC))

    def _close(self, index: int, events: list[Event]) -> None:
        """The end of a block; a tool call without any arguments has none to give, which is an empty object."""
        tool = self._tools.pop(index, None)
        if tool is not None and not tool.told:
            events.append(ToolCallDelta(tool.slot, _one_line(tool.whole or _NOTHING)))
        code = self._server_tools.closed(index, self._characters)
        events += [] if code is None else [code]
        cited = self._cited.pop(index, None)
        if cited is not None and cited.citations:
            events += cited.finished(self._characters)

    def _say(self, text: str, events: list[Event]) -> None:
        self._characters += len(text)
        events.append(TextDelta(text))

    def _finish(self, reason: str, stop_sequence: str | None, events: list[Event]) -> None:
        if self._finished:
            return
        for index in [*self._tools, *self._cited, *self._server_tools.open]:
            self._close(index, events)
        self._start(None, None, events)
        events += [PartGiven(use) for use in self._server_tools.rest()]
        self._finished = True
        if self._known is not None:
            self._known.forget()
        events.append(read_finish(reason, stop_sequence, with_tools=self._slots > 0))


def _text_of(event: StreamEvent) -> str:
    """What an event says, where that is more of a text; else empty."""
    return (event.delta.text or "") if event.type == "content_block_delta" and event.delta is not None else ""


def _read_text(frame: bytes) -> str:
    return _text_of(_decode(frame))


def _one_line(raw: msgspec.Raw) -> str:
    """A tool's input as compact JSON text, however the server lays out its answers."""
    return msgspec.json.format(bytes(raw), indent=-1).decode()
