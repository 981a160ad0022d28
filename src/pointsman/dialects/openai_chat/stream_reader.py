"""Chat answers of an upstream, in pieces or whole, read as events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pointsman.core.clock import short_id
from pointsman.core.content import Citation
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
from pointsman.core.usage import Usage
from pointsman.dialects.known_frames import KnownFrames
from pointsman.dialects.openai_chat.citations import listed_sources, read_annotations, referred
from pointsman.dialects.openai_chat.errors import given_up, read_stream_error
from pointsman.dialects.openai_chat.given import read_images
from pointsman.dialects.openai_chat.sounds import read_sound
from pointsman.dialects.openai_chat.thinking import read_thinking_blocks
from pointsman.dialects.openai_chat.types import (
    AudioFields,
    Chunk,
    ChunkChoice,
    ContentPiece,
    CustomDelta,
    FunctionDelta,
    MessageDelta,
)
from pointsman.dialects.openai_chat.types import (
    ToolCallDelta as WireToolCall,
)
from pointsman.dialects.openai_usage import read_usage
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["StreamReader"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Chunk).decode

_UNSET: Final = msgspec.UNSET
_TIME_MAX: Final = 2**53
_NO_ID: Final = "null"
"""What Mistral calls a tool call without an id."""

_CUSTOM_START: Final = '{"input":"'
_CUSTOM_END: Final = '"}'
"""Around the input of a custom tool, as arguments; see :mod:`~pointsman.dialects.custom_tools`."""

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_GIVEN_UP: Final = "abort"
"""What vLLM and SGLang say of an answer that they end before its time: they are put to sleep, paused or shut down."""


class _OpenCall(msgspec.Struct):
    """A tool call under way. ``slot`` is None until its name is known; ``waiting`` came before that.

    ``custom``: it is one of a custom tool, whose input becomes arguments.
    """

    id: str
    slot: int | None = None
    waiting: str = ""
    custom: bool = False


class _OpenChoice(msgspec.Struct):
    """A choice under way: its tool calls by the upstream's index, and its text where sources are listed for it."""

    calls: dict[int, _OpenCall] = {}
    slots: int = 0
    sound_id: str | None = None
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
        sound_format: In which format the request wanted sounds, which the answer does not repeat.
        new_id: Makes ids for answers and tool calls that have none.
    """

    def __init__(self, *, sound_format: str = "wav", new_id: Callable[[str], str] = short_id) -> None:
        self._new_id = new_id
        self._sound_format = sound_format
        self._whole = False
        self._started = False
        self._done = False
        self._failed = False
        self._reported = False
        self._choices: dict[int, _OpenChoice] = {}
        self._usage: Usage | None = None
        self._sources: list[Citation] = []
        self._known: KnownFrames | None = None

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        if self._done or self._failed:
            return []
        if self._known is not None:
            text = self._known.text_of(frame)
            if text:
                return [TextDelta(text)]
        try:
            chunk = _decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._read_odd(frame.strip())
        if chunk.error is not _UNSET and bytes(chunk.error) != b"null" and not chunk.choices:
            return self._fail(read_stream_error(frame))
        if chunk.usage is not None:
            self._usage = read_usage(chunk.usage) or self._usage
        if chunk.citations is not _UNSET or chunk.search_results is not _UNSET:
            self._sources = listed_sources(chunk.citations, chunk.search_results) or self._sources
            self._read_each()
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
            if events and isinstance(events[-1], Failed):
                return events
        if len(events) == 1 and events[0] == TextDelta(_text_of(chunk)) and chunk.usage is None and not self._sources:
            if self._known is None:
                self._known = KnownFrames(b"content")
            self._known.learn(frame, _read_text)
        return events

    def read_whole(self, body: bytes) -> list[Event]:
        """The events of a whole answer, which needs no end to be complete."""
        self._whole = True
        return [*self.feed(body), *self.end()]

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

    def _read_each(self) -> None:
        """From here on what is said has to be looked at: it is kept, or it comes too late."""
        if self._known is not None:
            self._known.forget()

    def _read_odd(self, frame: bytes) -> list[Event]:
        """A frame that is no chunk: the end, or nothing, or a failure."""
        if frame == b"[DONE]":
            self._done = True
        elif frame:
            return self._fail(Broken("The upstream sent something that is not a chat completion chunk."))
        return []

    def _fail(self, error: GatewayError) -> list[Event]:
        self._failed = True
        return [Failed(error)]

    def _finish(self, index: int, reason: str, events: list[Event], met: object = None) -> None:
        """The end of a choice: whether tools are called is seen, not believed; ``length`` stays what it is.

        ``met`` is the stop sequence that was met, if it is text.
        """
        if reason == _GIVEN_UP:
            events += self._fail(given_up())
            return
        choice = self._choices[index]
        choice.finished = True
        self._read_each()
        if choice.calls:
            events += [
                ToolCallDelta(call.slot, _CUSTOM_END, index)
                for call in choice.calls.values()
                if call.custom and call.slot is not None
            ]
        if self._sources:
            events += [Cited(one, index) for one in referred(self._sources, "".join(choice.texts))]
        known = _REASONS.get(reason, "stop")
        called: FinishReason = "tool_calls" if choice.slots else "stop"
        ended = called if known in {"stop", "tool_calls"} else known
        sequence = met if isinstance(met, str) and met and ended == "stop" else None
        events.append(Finished(ended, index, stop_sequence=sequence))

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
            self._finish(index, wire.finish_reason, events, wire.stop_reason or wire.matched_stop)

    def _read_delta(self, delta: MessageDelta, index: int, events: list[Event]) -> None:
        thinking = delta.reasoning_content or delta.reasoning
        if thinking:
            events.append(ThinkingDelta(thinking, index))
        if delta.thinking_blocks:
            events += [
                ThinkingSigned(part.signature, index, part.redacted, part.signer)
                for part in read_thinking_blocks(delta.thinking_blocks)
                if part.signature
            ]
        content = delta.content
        if isinstance(content, list):
            _read_pieces(content, index, events)
        elif content:
            events.append(TextDelta(content, index))
            if self._sources:
                self._choices[index].keep(content)
        if delta.audio is not None:
            self._read_sound(delta.audio, index, events)
        if delta.images is not _UNSET:
            events += [PartGiven(image, index) for image in read_images(delta.images)]
        if delta.annotations is not _UNSET:
            events += [Cited(citation, index) for citation in read_annotations(delta.annotations)]
        if delta.refusal:
            events.append(RefusalDelta(delta.refusal, index))
        if delta.function_call is not None:
            self._read_tool_call(WireToolCall(0, None, delta.function_call), (0, index), events)
        if delta.tool_calls:
            for position, call in enumerate(delta.tool_calls):
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
        piece = wire.function or wire.custom
        if piece is not None:
            self._read_call_piece(call, piece, index, events)

    def _read_call_piece(
        self, call: _OpenCall, piece: FunctionDelta | CustomDelta, index: int, events: list[Event]
    ) -> None:
        custom = isinstance(piece, CustomDelta)
        arguments = (_escaped(piece.input) if isinstance(piece, CustomDelta) else piece.arguments) or ""
        if call.slot is None:
            if not piece.name:
                call.waiting += arguments
                return
            choice = self._choices[index]
            call.slot = choice.slots
            call.custom = custom
            choice.slots += 1
            events.append(ToolCallStarted(call.slot, call.id, piece.name, index))
            arguments = (_CUSTOM_START if custom else "") + call.waiting + arguments
        if arguments and custom == call.custom:
            events.append(ToolCallDelta(call.slot, arguments, index))

    def _read_sound(self, audio: AudioFields, index: int, events: list[Event]) -> None:
        """A piece of the answer's sound; all have the id of the first."""
        choice = self._choices[index]
        choice.sound_id = choice.sound_id or audio.id
        sound = msgspec.structs.replace(read_sound(audio, self._sound_format), id=choice.sound_id)
        events.append(PartGiven(sound, index))


def _text_of(chunk: Chunk) -> str:
    """What a chunk says, where that is one piece of the text of the first choice; else empty."""
    choices = chunk.choices or ()
    if len(choices) != 1 or choices[0].index != 0 or choices[0].delta is None:
        return ""
    content = choices[0].delta.content
    return content if isinstance(content, str) else ""


def _read_text(frame: bytes) -> str:
    return _text_of(_decode(frame))


def _escaped(text: str | None) -> str:
    """Text as a part of a JSON string."""
    return _encode(text or "")[1:-1].decode()


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
