"""Chat answers in pieces, written for a client; how an upstream's are read is in :mod:`.stream_reader`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.clock import short_id
from pointsman.core.content import Audio, Image, Thinking
from pointsman.core.errors import GatewayError
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
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.custom_tools import custom_names, unwrap_input
from pointsman.dialects.openai_chat.citations import write_annotation
from pointsman.dialects.openai_chat.errors import write_stream_error
from pointsman.dialects.openai_chat.given import write_given_image
from pointsman.dialects.openai_chat.sounds import SoundWriter
from pointsman.dialects.openai_chat.stream_reader import StreamReader
from pointsman.dialects.openai_chat.thinking import Thoughts
from pointsman.dialects.openai_chat.tools import DIALECT
from pointsman.dialects.openai_usage import write_usage
from pointsman.dialects.server_tools import InWords

__all__ = ["StreamReader", "StreamWriter"]

_encode: Final = msgspec.json.Encoder().encode
_DONE: Final = b"data: [DONE]\n\n"
_EMPTY: Final = b'{"role":"assistant","content":""}'
_NULL: Final = b'{"role":"assistant","content":null}'

_Content = TextDelta | ThinkingDelta | ThinkingSigned | RefusalDelta | ToolCallStarted | ToolCallDelta


class StreamWriter:
    """Writes the stream of one answer: one id on all chunks, the model under the name the client asked for.

    The role comes with the first chunk of each choice. A text delta, by far the most frequent event, costs the
    encoding of its text and nothing else.
    """

    __slots__ = (
        "_custom_calls",
        "_customs",
        "_images",
        "_in_words",
        "_include_usage",
        "_logprobs",
        "_model",
        "_opened",
        "_over",
        "_prefix",
        "_sounds",
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
        self._sounds: dict[int, SoundWriter] = {}
        self._customs = custom_names(call.tools, DIALECT)
        self._custom_calls: dict[tuple[int, int], list[str]] = {}
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
        elif isinstance(event, Cited | CodeDelta | PartGiven):
            delta = self._extra(event)
            if delta is not None:
                if event.choice not in self._opened:
                    self._open(event.choice, _NULL if "audio" in delta else _EMPTY, blocks)
                blocks.append(self._chunk(event.choice, _encode(delta)))
        elif isinstance(event, Finished):
            if event.choice not in self._opened:
                self._open(event.choice, _EMPTY, blocks)
            self._tell_inputs(event.choice, blocks)
            blocks.append(self._chunk(event.choice, b"{}", b'"%b"' % event.reason.encode()))
        elif isinstance(event, ToolCallDelta) and (event.choice, event.slot) in self._custom_calls:
            self._custom_calls[event.choice, event.slot].append(event.arguments)
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

    def _extra(self, event: Cited | CodeDelta | PartGiven) -> dict[str, object] | None:
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
                return {"audio": self._sounds.setdefault(event.choice, SoundWriter()).write(sound)}
            case _:
                return None

    def _tell_inputs(self, choice: int, blocks: list[bytes]) -> None:
        """The inputs of the custom tools, which are known once their arguments are whole."""
        for place in [place for place in self._custom_calls if place[0] == choice]:
            text = unwrap_input("".join(self._custom_calls.pop(place)))
            delta = {"tool_calls": [{"index": place[1], "custom": {"input": text}}]}
            blocks.append(self._chunk(choice, _encode(delta)))

    def _delta(self, event: _Content) -> dict[str, object]:
        if isinstance(event, ToolCallStarted) and event.name in self._customs:
            self._custom_calls[event.choice, event.slot] = []
            custom = {"name": event.name, "input": ""}
            return {"tool_calls": [{"index": event.slot, "id": event.id, "type": "custom", "custom": custom}]}
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
