"""The grammar of a message's stream: what clients may rely on, as a checker for any server's stream.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. Rules, for a stream that was answered with
status 200:

* Every event has a name, and data whose ``type`` is that name; comments and pings may stand anywhere before the end.
* ``message_start`` comes first and once, with an empty message: an id, the role, no content, no reason, and usage.
* Blocks are numbered from 0 without gaps, each opened, filled and closed before the next one; they begin empty, and
  deltas are of the block's own type.
* No block of text is empty. A signature is the last of a block of thinking. Redacted thinking has no deltas.
* A tool call has an id that no other has, and a name; what its deltas say is a JSON object, unless the answer was cut
  off, or nothing.
* ``message_delta`` comes once, after all blocks, with a reason and usage; ``tool_use`` is the reason if and only if
  there are tool calls, save where the answer was cut off; a stop sequence comes with its own reason and no other.
* ``message_stop`` ends it, or an ``error`` does, anywhere: nothing follows.

Blocks of other types, which are those of Anthropic's own tools, are only held to their numbers.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.dialects.stream_checks import UNREADABLE, EventStreamChecker, Violation, is_json_object
from pointsman.wire.sse import ServerSentEvent

__all__ = ["check", "violations"]

_REASONS: Final = frozenset({
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
})  # fmt: skip
_CUT_OFF: Final = _REASONS - {"end_turn", "tool_use"}
_DELTAS: Final = {
    "text": ("text_delta", "citations_delta"),
    "thinking": ("thinking_delta", "signature_delta"),
    "redacted_thinking": (),
    "tool_use": ("input_json_delta",),
}


class _Usage(msgspec.Struct):
    output_tokens: int
    input_tokens: int | None = None


class _Message(msgspec.Struct):
    id: str
    type: str
    role: str
    model: str
    content: list[msgspec.Raw]
    stop_reason: str | None
    stop_sequence: str | None
    usage: _Usage


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, msgspec.Raw] | None = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Failure(msgspec.Struct):
    type: str
    message: str


class _Event(msgspec.Struct):
    type: str
    index: int = -1
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Failure | None = None


_decode: Final = msgspec.json.Decoder(_Event).decode


def violations(stream: bytes) -> list[str]:
    """What is wrong with a whole stream, in words; empty if nothing is."""
    return [str(one) for one in check(stream)]


def check(stream: bytes) -> list[Violation]:
    """What is wrong with a whole stream, and what was expected; empty if nothing is."""
    return _Checker().check(stream)


class _Checker(EventStreamChecker):
    """Holds what has been seen of one stream, and what was wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks = 0
        self._open: _Block | None = None
        self._words = ""
        self._signed = False
        self._arguments: list[str] = []
        self._ids: set[str] = set()
        self._started = self._ended = self._over = False

    def take(self, event: ServerSentEvent) -> None:
        """One event."""
        self._taken += 1
        if self._over:
            self._object("something follows the end", "nothing after message_stop or an error")
            return
        try:
            found = _decode(event.data)
        except UNREADABLE as problem:
            self._object(f"no event of a message: {problem}", "a JSON object with the fields of its event")
            return
        if event.event != found.type:
            self._object(f"is named {event.event} and of type {found.type}", "the event's name to be its data's type")
        if found.type == "error":
            self._over = True
            if found.error is None:
                self._object("an error without an error", "error, with a type and a message")
        elif found.type != "ping":
            self._take_event(found)

    def finish(self) -> None:
        """The end of the stream."""
        if not self._over:
            self.miss("the stream does not end with message_stop or an error", "message_stop or an error at the end")

    def _take_event(self, event: _Event) -> None:
        if not self._started and event.type != "message_start":
            self._object(f"{event.type} comes before message_start", "message_start first")
        match event:
            case _Event(type="message_start", message=_Message() as message):
                self._start(message)
            case _Event(type="content_block_start", content_block=_Block() as block):
                self._begin(block, event.index)
            case _Event(type="content_block_delta", delta=_Delta() as delta):
                self._fill(delta, event.index)
            case _Event(type="content_block_stop"):
                self._close(event.index)
            case _Event(type="message_delta", delta=_Delta() as delta):
                self._end(delta, event.usage)
            case _Event(type="message_stop"):
                self._over = True
                if not self._ended:
                    self._object("message_stop comes before message_delta", "message_delta before message_stop")
            case _:
                self._object(f"{event.type} is unknown, or lacks what it tells", "an event of the API, with its fields")

    def _start(self, message: _Message) -> None:
        if self._started:
            self._object("message_start comes again", "message_start once")
        self._started = True
        if not message.id or message.type != "message" or message.role != "assistant":
            self._object(
                "the message has no id, or is none of an assistant", "an id, the type message and the role assistant"
            )
        if message.content or message.stop_reason is not None or message.stop_sequence is not None:
            self._object("the message is not empty", "no content, stop_reason null, stop_sequence null")
        if message.usage.input_tokens is None:
            self._object("the message begins without input_tokens", "usage.input_tokens in message_start")

    def _begin(self, block: _Block, index: int) -> None:
        if self._open is not None:
            self._object(
                f"block {index} begins before the one before it is closed", "content_block_stop of the open block first"
            )
        if self._ended:
            self._object(f"block {index} begins after message_delta", "all blocks before message_delta")
        if index != self._blocks:
            self._object(f"block {index} comes after {self._blocks} others", f"index {self._blocks}")
        self._blocks += 1
        self._open, self._words, self._signed = block, "", False
        if block.text or block.thinking or block.signature or block.input:
            self._object(
                f"block {index} does not begin empty", "no text, thinking, signature or input yet: they come as deltas"
            )
        self._check_block(block, index)

    def _check_block(self, block: _Block, index: int) -> None:
        lacks = {
            "text": block.text is None,
            "thinking": block.thinking is None or block.signature is None,
            "redacted_thinking": not block.data,
            "tool_use": not block.id or not block.name or block.input is None,
        }
        if lacks.get(block.type):
            self._object(
                f"block {index} lacks a field",
                "text: text; thinking: thinking and signature; redacted_thinking: data; tool_use: id, name, input",
            )
        if block.type == "tool_use" and block.id:
            if block.id in self._ids:
                self._object(f"block {index} has the id of another", "an id that no other tool call has")
            self._ids.add(block.id)

    def _fill(self, delta: _Delta, index: int) -> None:
        block = self._open
        if block is None or index != self._blocks - 1:
            self._object(f"a delta for block {index}, which is not open", "deltas of the block that is open")
            return
        if delta.type not in _DELTAS.get(block.type, (delta.type,)):
            self._object(f"a {delta.type} in a block of type {block.type}", "deltas of the block's own type")
        if self._signed:
            self._object(
                f"block {index} goes on after its signature", "signature_delta as the last of a block of thinking"
            )
        self._signed = delta.type == "signature_delta"
        self._words += (delta.text or "") + (delta.partial_json or "")

    def _close(self, index: int) -> None:
        block, self._open = self._open, None
        if block is None or index != self._blocks - 1:
            self._object(f"the end of block {index}, which is not open", "content_block_stop of the block that is open")
        elif block.type == "text" and not self._words:
            self._object(f"block {index} is an empty text", "no block of text, or one with words")
        elif block.type == "tool_use":
            self._arguments.append(self._words)

    def _end(self, delta: _Delta, usage: _Usage | None) -> None:
        if self._ended:
            self._object("message_delta comes again", "message_delta once")
        self._ended = True
        if self._open is not None:
            self._object(
                "message_delta comes before the last block is closed", "content_block_stop before message_delta"
            )
        if usage is None:
            self._object("message_delta has no usage", "usage in message_delta")
        reason = delta.stop_reason
        if reason not in _REASONS:
            self._object(f"stop_reason is {reason!r}", f"one of {', '.join(sorted(_REASONS))}")
        if delta.stop_sequence is not None and reason != "stop_sequence":
            self._object(
                "there is a stop_sequence, and it is not the reason", "stop_reason stop_sequence, or no stop_sequence"
            )
        if reason in _CUT_OFF:
            return
        if bool(self._ids) != (reason == "tool_use"):
            self._object(
                f"stop_reason is {reason!r} with {len(self._ids)} tool calls",
                "tool_use if there are tool calls, and only then",
            )
        for place, arguments in enumerate(self._arguments):
            if arguments and not is_json_object(arguments):
                self._object(
                    f"the input of tool call {place} is not a JSON object", "deltas that make up a JSON object"
                )
