"""Chat answers in pieces: written for a client, read from an upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import short_id
from pointsman.core.content import Audio, Citation, Image, Thinking
from pointsman.core.errors import Broken, GatewayError, Malformed
from pointsman.core.events import (
    Cited,
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
from pointsman.dialects.openai_chat.citations import listed_sources, read_annotations, referred, write_annotation
from pointsman.dialects.openai_chat.errors import read_stream_error, write_stream_error
from pointsman.dialects.openai_chat.given import read_images, write_audio, write_given_image
from pointsman.dialects.openai_chat.thinking import Thoughts, read_thinking_blocks
from pointsman.dialects.openai_chat.types import Chunk, ChunkChoice, ContentPiece, MessageDelta
from pointsman.dialects.openai_chat.types import ToolCallDelta as WireToolCall
from pointsman.dialects.openai_usage import read_usage, write_usage
from pointsman.dialects.server_tools import InWords
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["StreamReader", "StreamWriter"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Chunk).decode

_TIME_MAX: Final = 2**53
_NO_ID: Final = "null"
"""What Mistral calls a tool call without an id."""
_DONE: Final = b"data: [DONE]\n\n"
_EMPTY: Final = b'{"role":"assistant","content":""}'
_NULL: Final = b'{"role":"assistant","content":null}'

_Content = TextDelta | ThinkingDelta | ThinkingSigned | RefusalDelta | ToolCallStarted | ToolCallDelta

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class StreamWriter:
    """Writes the stream of one answer: one id on all chunks, the model under the name the client asked for.

    The role comes with the first chunk of each choice. A text delta, by far the most frequent event, costs the
    encoding of its text and nothing else.
    """

    __slots__ = (
        "_images",
        "_in_words",
        "_include_usage",
        "_logprobs",
        "_model",
        "_opened",
        "_over",
        "_prefix",
        "_sources",
        "_tail",
        "_text_heads",
        "_text_tail",
        "_thoughts",
        "_usage",
    )

    def __init__(self, call: Call) -> None:
        self._model = _encode(call.model)
        self._include_usage = call.include_usage
        self._tail = b',"usage":null}\n\n' if call.include_usage else b"}\n\n"
        self._text_tail = b'},"logprobs":null,"finish_reason":null}]' + self._tail
        self._prefix = b""
        self._opened: set[int] = set()
        self._text_heads: dict[int, bytes] = {}
        self._logprobs: dict[int, list[msgspec.Raw]] = {}
        self._thoughts: dict[int, Thoughts] = {}
        self._images: dict[int, int] = {}
        self._sources: dict[int, int] = {}
        self._in_words = InWords()
        self._usage: Usage | None = None
        self._over = False

    def write(self, events: Iterable[Event]) -> bytes:
        """The chunks for these events; a ``Failed`` among them ends the stream."""
        blocks: list[bytes] = []
        for event in () if self._over else events:
            if event.__class__ is TextDelta and not self._logprobs:
                head = self._text_heads.get(event.choice)
                if head is not None:
                    blocks += (head, _encode(event.text), self._text_tail)
                    continue
            self._write_event(event, blocks)
            if self._over:
                break
        return b"".join(blocks)

    def end(self, usage: Usage | None = None) -> bytes:
        """The end of the stream; ``usage`` stands in where the upstream reported none."""
        if self._over:
            return b""
        self._over = True
        if not self._include_usage:
            return _DONE
        counts = self._usage or usage or NO_USAGE
        if not self._prefix:
            self._start(Started(short_id("chatcmpl-"), "", 0))
        return b'%b],"usage":%b}\n\n%b' % (self._prefix, _encode(write_usage(counts)), _DONE)

    def fail(self, error: GatewayError) -> bytes:
        """The end of a stream that failed."""
        if self._over:
            return b""
        self._over = True
        return write_stream_error(error)

    def _start(self, event: Started) -> None:
        self._prefix = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":[' % (
            _encode(event.id),
            event.created,
            self._model,
        )

    def _write_event(self, event: Event, blocks: list[bytes]) -> None:
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, UsageReported):
            self._usage = event.usage
        elif isinstance(event, Failed):
            blocks.append(self.fail(event.error))
        elif isinstance(event, LogprobsDelta):
            self._logprobs.setdefault(event.choice, []).append(event.content)
        elif isinstance(event, Cited | PartGiven):
            delta = self._extra(event)
            if delta is not None:
                if event.choice not in self._opened:
                    self._open(event.choice, _EMPTY, blocks)
                blocks.append(self._chunk(event.choice, _encode(delta)))
        elif isinstance(event, Finished):
            if event.choice not in self._opened:
                self._open(event.choice, _EMPTY, blocks)
            blocks.append(self._chunk(event.choice, b"{}", b'"%b"' % event.reason.encode()))
        else:
            if event.choice not in self._opened:
                wordless = isinstance(event, ToolCallStarted | RefusalDelta)
                self._open(event.choice, _NULL if wordless else _EMPTY, blocks)
            blocks.append(self._chunk(event.choice, _encode(self._delta(event))))

    def _open(self, choice: int, delta: bytes, blocks: list[bytes]) -> None:
        """The first chunk of a choice, with its role."""
        if not self._prefix:
            self._start(Started(short_id("chatcmpl-"), "", 0))
        self._opened.add(choice)
        self._text_heads[choice] = b'%b{"index":%d,"delta":{"content":' % (self._prefix, choice)
        kept = self._logprobs.pop(choice, None)
        blocks.append(self._chunk(choice, delta))
        if kept:
            self._logprobs[choice] = kept

    def _chunk(self, choice: int, delta: bytes, reason: bytes = b"null") -> bytes:
        return b'%b{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}]%b' % (
            self._prefix,
            choice,
            delta,
            self._take_logprobs(choice),
            reason,
            self._tail,
        )

    def _extra(self, event: Cited | PartGiven) -> dict[str, object] | None:
        """The delta for a source, or for what comes whole; None: there is no place for it.

        What stands in lists is numbered, since OpenAI's SDK puts them together by that.
        """
        told = self._in_words.take(event)
        match told:
            case TextDelta():
                return {"content": told.text}
            case Cited():
                annotation = write_annotation(told.citation)
                if annotation is None:
                    return None
                number = self._sources.get(event.choice, 0)
                self._sources[event.choice] = number + 1
                return {"annotations": [{**annotation, "index": number}]}
            case PartGiven(part=Image() as image):
                number = self._images.get(event.choice, 0)
                self._images[event.choice] = number + 1
                return {"images": [write_given_image(image, number)]}
            case PartGiven(part=Audio() as sound):
                return {"audio": write_audio(sound)}
            case _:
                return None

    def _delta(self, event: _Content) -> dict[str, object]:
        if not isinstance(event, ThinkingDelta | ThinkingSigned):
            return _delta(event)
        thoughts = self._thoughts.get(event.choice)
        if thoughts is None:
            thoughts = self._thoughts[event.choice] = Thoughts()
        if isinstance(event, ThinkingDelta):
            thoughts.add(event.text)
            return {"reasoning_content": event.text}
        signed = Thinking("", event.signature, event.redacted, event.signer)
        return {"thinking_blocks": [thoughts.sign(signed)]}

    def _take_logprobs(self, choice: int) -> bytes:
        """The log probabilities kept for the next chunk of a choice, so that they come with their text."""
        arrays = self._logprobs.pop(choice, None)
        if arrays is None:
            return b"null"
        tokens = b",".join(inner for raw in arrays if (inner := bytes(raw)[1:-1].strip()))
        return b'{"content":[%b],"refusal":null}' % tokens


def _delta(event: TextDelta | RefusalDelta | ToolCallStarted | ToolCallDelta) -> dict[str, object]:
    match event:
        case TextDelta():
            return {"content": event.text}
        case RefusalDelta():
            return {"refusal": event.text}
        case ToolCallStarted():
            function: dict[str, object] = {"name": event.name, "arguments": ""}
            return {"tool_calls": [{"index": event.slot, "id": event.id, "type": "function", "function": function}]}
        case ToolCallDelta():
            return {"tool_calls": [{"index": event.slot, "function": {"arguments": event.arguments}}]}


class _OpenCall(msgspec.Struct):
    """A tool call under way. ``slot`` is None until its name is known; ``waiting`` came before that."""

    id: str
    slot: int | None = None
    waiting: str = ""


class _OpenChoice(msgspec.Struct):
    """A choice under way: its tool calls by the upstream's index, and its text where sources are listed for it."""

    calls: dict[int, _OpenCall] = {}
    slots: int = 0
    texts: list[str] = []
    characters: int = 0
    finished: bool = False

    def keep(self, text: str) -> None:
        """More of its text."""
        self.characters += len(text)
        if self.characters <= EVENT_BYTES_MAX:
            self.texts.append(text)


class StreamReader:
    """Reads the data of an upstream's server-sent events, one :meth:`feed` each.

    Copes with what servers of this dialect do: usage on any chunk or on every one; the same index for several
    tool calls (told apart by their ids); calls without an id; ``stop`` where there were tool calls; an error
    object in the stream; a first chunk without choices (Azure); content as a list (Mistral).

    Args:
        whole: The one frame is a whole answer, which needs no end to be complete.
        new_id: Makes ids for answers and tool calls that have none.
    """

    def __init__(self, *, whole: bool = False, new_id: Callable[[str], str] = short_id) -> None:
        self._new_id = new_id
        self._whole = whole
        self._started = False
        self._done = False
        self._failed = False
        self._reported = False
        self._choices: dict[int, _OpenChoice] = {}
        self._usage: Usage | None = None
        self._sources: list[Citation] = []

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        if self._done or self._failed:
            return []
        if frame.strip() == b"[DONE]":
            self._done = True
            return []
        try:
            chunk = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if not frame.strip():
                return []
            return self._fail(Broken("The upstream sent something that is not a chat completion chunk."))
        if isinstance(chunk.error, msgspec.Raw) and bytes(chunk.error) != b"null" and not chunk.choices:
            return self._fail(read_stream_error(frame))
        self._usage = read_usage(chunk.usage) or self._usage
        if isinstance(chunk.citations, msgspec.Raw) or isinstance(chunk.search_results, msgspec.Raw):
            self._sources = listed_sources(chunk.citations, chunk.search_results) or self._sources
        events: list[Event] = []
        for choice in chunk.choices or ():
            if not self._started:
                self._started = True
                created = int(min(max(chunk.created or 0, 0), _TIME_MAX))
                events.append(Started(chunk.id or self._new_id("chatcmpl-"), chunk.model or "", created))
            try:
                self._read_choice(choice, events)
            except Malformed as wrong:
                return [
                    *events,
                    *self._fail(Broken(f"The upstream sent an image that cannot be read: {wrong.message}")),
                ]
        return events

    def end(self) -> list[Event]:
        """The last events, once the upstream closed its stream. A choice that never finished is a failure."""
        if self._failed or self._reported:
            return []
        unfinished = [index for index, choice in self._choices.items() if not choice.finished]
        if not self._started or (unfinished and not (self._done or self._whole)):
            what = "had begun" if not self._started else "was complete"
            return self._fail(Broken(f"The upstream ended its stream before the answer {what}."))
        self._reported = True
        events: list[Event] = []
        for index in unfinished:
            self._finish(index, "stop", events)
        if self._usage is not None:
            events.append(UsageReported(self._usage))
        return events

    def _fail(self, error: GatewayError) -> list[Event]:
        self._failed = True
        return [Failed(error)]

    def _finish(self, index: int, reason: str, events: list[Event]) -> None:
        """The end of a choice: whether tools are called is seen, not believed; ``length`` stays what it is."""
        choice = self._choices[index]
        choice.finished = True
        events += [Cited(one, index) for one in referred(self._sources, "".join(choice.texts))]
        known = _REASONS.get(reason, "stop")
        called: FinishReason = "tool_calls" if choice.slots else "stop"
        events.append(Finished(called if known in {"stop", "tool_calls"} else known, index))

    def _read_choice(self, wire: ChunkChoice, events: list[Event]) -> None:
        index = wire.index
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _OpenChoice()
        if choice.finished:
            return
        if wire.logprobs is not None and wire.logprobs.content:
            events.append(LogprobsDelta(msgspec.Raw(_encode(wire.logprobs.content)), index))
        delta = wire.delta or wire.message
        if delta is not None:
            self._read_delta(delta, index, events)
        if wire.finish_reason:
            self._finish(index, wire.finish_reason, events)

    def _read_delta(self, delta: MessageDelta, index: int, events: list[Event]) -> None:
        thinking = delta.reasoning_content or delta.reasoning
        if thinking:
            events.append(ThinkingDelta(thinking, index))
        events += [
            ThinkingSigned(part.signature, index, part.redacted, part.signer)
            for part in read_thinking_blocks(delta.thinking_blocks or ())
            if part.signature
        ]
        if isinstance(delta.content, list):
            _read_pieces(delta.content, index, events)
        elif delta.content:
            events.append(TextDelta(delta.content, index))
            if self._sources:
                self._choices[index].keep(delta.content)
        if isinstance(delta.images, msgspec.Raw):
            events += [PartGiven(image, index) for image in read_images(delta.images)]
        if isinstance(delta.annotations, msgspec.Raw):
            events += [Cited(citation, index) for citation in read_annotations(delta.annotations)]
        if delta.refusal:
            events.append(RefusalDelta(delta.refusal, index))
        if delta.function_call is not None:
            self._read_tool_call(WireToolCall(0, None, delta.function_call), (0, index), events)
        for position, call in enumerate(delta.tool_calls or ()):
            self._read_tool_call(call, (position, index), events)

    def _read_tool_call(self, wire: WireToolCall, place: tuple[int, int], events: list[Event]) -> None:
        """A piece of a tool call; ``place`` is its position in the chunk and its choice."""
        position, index = place
        choice = self._choices[index]
        key = position if wire.index is None else wire.index
        call = choice.calls.get(key)
        call_id = None if wire.id == _NO_ID else wire.id
        if call is None or (call_id and call.id != call_id):
            call = choice.calls[key] = _OpenCall(call_id or self._new_id("call_"))
        function = wire.function
        if function is None:
            return
        arguments = function.arguments or ""
        if call.slot is None:
            if not function.name:
                call.waiting += arguments
                return
            call.slot = choice.slots
            choice.slots += 1
            events.append(ToolCallStarted(call.slot, call.id, function.name, index))
            arguments = call.waiting + arguments
        if arguments:
            events.append(ToolCallDelta(call.slot, arguments, index))


def _read_pieces(pieces: Iterable[ContentPiece], index: int, events: list[Event]) -> None:
    """The events of content that is a list; what is neither text nor thought (a reference) is passed over."""
    for piece in pieces:
        thoughts = piece.thinking
        thought = thoughts if isinstance(thoughts, str) else "".join(part.text or "" for part in thoughts or ())
        if thought:
            events.append(ThinkingDelta(thought, index))
        if piece.signature:
            events.append(ThinkingSigned(piece.signature, index))
        if piece.text:
            events.append(TextDelta(piece.text, index))
