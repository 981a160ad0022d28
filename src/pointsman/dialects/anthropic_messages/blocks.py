"""The content blocks of a stream: opened and closed one after the other, whatever order the pieces come in.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. Blocks never overlap there, while in other
dialects the pieces of several tool calls may alternate. So one tool call at a time is live; what comes before its
arguments are complete and is not its own waits, and follows when they are, or at the end.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.content import Citation, ServerToolUse
from pointsman.core.errors import Broken
from pointsman.core.events import (
    CodeDelta,
    PartGiven,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
)
from pointsman.dialects.anthropic_messages.citations import write_citation
from pointsman.dialects.anthropic_messages.server_tools import API, code_start, server_blocks
from pointsman.dialects.server_tools import media_in_words
from pointsman.dialects.signatures import ANTHROPIC, seal
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["Blocks"]

_encode: Final = msgspec.json.Encoder().encode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

HELD_CHARACTERS_MAX: Final = EVENT_BYTES_MAX
"""Of arguments and of what waits for them; a model's answer is a small part of it, a runaway is not."""

_SOURCES_MAX: Final = 1000
"""That wait until the end."""

_START: Final = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_TAIL: Final = b"}}\n\n"
_TEXT: Final = b'{"type":"text","text":""}'
_THINKING: Final = b'{"type":"thinking","thinking":"","signature":""}'

_Said = TextDelta | ThinkingDelta | ThinkingSigned | CodeDelta | PartGiven


class _Tool:
    """A tool call under way; ``characters`` counts its arguments, which are kept to see when they are complete."""

    __slots__ = ("_checked", "_pieces", "characters", "started")

    def __init__(self, started: ToolCallStarted) -> None:
        self.started = started
        self.characters = 0
        self._pieces: list[str] = []
        self._checked = 0

    def add(self, arguments: str) -> None:
        """More arguments."""
        self._pieces.append(arguments)
        self.characters += len(arguments)

    def arguments(self) -> str:
        """All of them so far."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def is_complete(self) -> bool:
        """Whether the arguments are a whole object, seen at the latest when they are twice as long as they were.

        To look each time would take time that grows with the square of their length.
        """
        if not self.characters or self.characters < 2 * self._checked:
            return False
        self._checked = self.characters
        try:
            _decode_object(self.arguments())
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        return True


class Blocks:
    """Puts events into blocks.

    Attributes:
        text_head: What stands before the encoded words of a text delta while a text block is open, else empty.
        with_tools: Whether a tool was called.
    """

    __slots__ = (
        "_cited",
        "_coded",
        "_held_characters",
        "_index",
        "_late",
        "_live",
        "_open",
        "_said",
        "_spoke",
        "_waiting",
        "text_head",
        "with_tools",
    )

    text_tail: Final = _DELTA_TAIL

    def __init__(self) -> None:
        self.text_head = b""
        self.with_tools = False
        self._index = -1
        self._open = ""
        self._cited = False
        self._live: _Tool | None = None
        self._waiting: dict[int, _Tool] = {}
        self._said: list[_Said] = []
        self._late: list[Citation] = []
        self._coded: set[str] = set()
        self._spoke = False
        self._held_characters = 0

    def take(self, event: _Said | ToolCallStarted | ToolCallDelta, out: list[bytes]) -> None:
        """One event; what can be written of it goes to ``out``.

        Raises:
            Broken: more would have to be held than may be.
        """
        if isinstance(event, ToolCallStarted):
            self.with_tools = True
            self._start_tool(event, out)
        elif isinstance(event, ToolCallDelta):
            self._take_arguments(event, out)
        elif self._live is None:
            self._say(event, out)
        else:
            self._said.append(event)
            self._hold(_length(event))
            self._advance(out)

    def cite(self, citation: Citation, out: list[bytes]) -> None:
        """A source of the text so far; the next text is another block. While no text is open it waits for the end."""
        if self._live is None and self._open == "text":
            self._write_citation(citation, out)
        elif self._spoke and len(self._late) < _SOURCES_MAX:
            self._late.append(citation)

    def finish(self, out: list[bytes]) -> None:
        """Write what waited, and close the last block."""
        while self._live is not None:
            self._next(out)
        if self._late:
            self._list_sources(out)
        self._close(out)

    def _write_citation(self, citation: Citation, out: list[bytes]) -> None:
        self.text_head = b""
        self._cited = True
        told = _encode(write_citation(citation))
        out += (_DELTA % (self._index, b"citations_delta", b"citation"), told, _DELTA_TAIL)

    def _list_sources(self, out: list[bytes]) -> None:
        """A block for the sources of text whose block was closed before they were told; none may be empty."""
        late, self._late = self._late, []
        names = dict.fromkeys(_name_of(one) for one in late)
        self._begin("text", _TEXT, out)
        self._delta(b"text_delta", b"text", "\n".join(("Sources:", *names)), out)
        for citation in late:
            self._write_citation(citation, out)

    def _start_tool(self, event: ToolCallStarted, out: list[bytes]) -> None:
        tool = _Tool(event)
        if self._live is None:
            self._go_live(tool, out)
        else:
            self._waiting[event.slot] = tool
            self._hold(len(event.id) + len(event.name))
            self._advance(out)

    def _take_arguments(self, event: ToolCallDelta, out: list[bytes]) -> None:
        live = self._live
        if live is not None and event.slot == live.started.slot:
            live.add(event.arguments)
            self._hold(len(event.arguments))
            self._delta(b"input_json_delta", b"partial_json", event.arguments, out)
        elif event.slot in self._waiting:
            self._waiting[event.slot].add(event.arguments)
            self._hold(len(event.arguments))
            self._advance(out)

    def _hold(self, characters: int) -> None:
        self._held_characters += characters
        if self._held_characters > HELD_CHARACTERS_MAX:
            raise Broken(f"The upstream sent tool calls of more than {HELD_CHARACTERS_MAX} characters.")

    def _advance(self, out: list[bytes]) -> None:
        """Go on to what waits, as far as tool calls are complete."""
        while self._live is not None and self._live.is_complete():
            self._next(out)

    def _next(self, out: list[bytes]) -> None:
        """End the live tool call; the next one goes live, or what was said meanwhile is written."""
        if self._live is not None:
            self._held_characters -= self._live.characters
        self._live = None
        if self._waiting:
            self._go_live(self._waiting.pop(next(iter(self._waiting))), out)
            return
        held, self._said = self._said, []
        self._held_characters = 0
        for event in held:
            self._say(event, out)

    def _go_live(self, tool: _Tool, out: list[bytes]) -> None:
        self._live = tool
        call = {"type": "tool_use", "id": tool.started.id, "name": tool.started.name, "input": {}}
        self._begin("tool", _encode(call), out)
        self._delta(b"input_json_delta", b"partial_json", tool.arguments(), out)

    def _say(self, event: _Said, out: list[bytes]) -> None:
        if isinstance(event, ThinkingSigned):
            self._sign(event, out)
        elif isinstance(event, PartGiven):
            self._give(event, out)
        elif isinstance(event, CodeDelta):
            self._code(event, out)
        elif isinstance(event, ThinkingDelta):
            if event.text and self._open != "thinking":
                self._begin("thinking", _THINKING, out)
            self._delta(b"thinking_delta", b"thinking", event.text, out)
        else:
            if event.text and (self._open != "text" or self._cited):
                self._begin("text", _TEXT, out)
                self.text_head = _DELTA % (self._index, b"text_delta", b"text")
            self._delta(b"text_delta", b"text", event.text, out)

    def _give(self, event: PartGiven, out: list[bytes]) -> None:
        """What a tool of the provider's did; an image or a sound has no place in this dialect and is told in words."""
        if not isinstance(event.part, ServerToolUse):
            self._say(TextDelta(media_in_words(event.part, API)), out)
            return
        blocks = server_blocks(event.part)
        for block in blocks[1:] if event.part.id in self._coded else blocks:
            self._begin("server tool", block.start, out)
            self._delta(b"input_json_delta", b"partial_json", block.input, out)
            self._close(out)

    def _code(self, event: CodeDelta, out: list[bytes]) -> None:
        """More of the code of a use, whose block is the one that is open, or begins with it."""
        use = event.use
        if use.id not in self._coded:
            if not use.input:
                return
            self._coded.add(use.id)
            start, head = code_start(use)
            self._begin(f"code {use.id}", start, out)
            self._delta(b"input_json_delta", b"partial_json", head, out)
        if self._open == f"code {use.id}":
            tail = '"}' if event.complete else ""
            self._delta(b"input_json_delta", b"partial_json", _encode(use.input)[1:-1].decode() + tail, out)
            if event.complete:
                self._close(out)

    def _sign(self, event: ThinkingSigned, out: list[bytes]) -> None:
        """A signature ends its block: the next reasoning is another piece, with a signature of its own."""
        signature = seal(event.signature, event.signer, ANTHROPIC, redacted=event.redacted)
        if event.redacted:
            self._begin("redacted", _encode({"type": "redacted_thinking", "data": signature}), out)
        else:
            if self._open != "thinking":
                self._begin("thinking", _THINKING, out)
            self._delta(b"signature_delta", b"signature", signature, out)
        self._close(out)

    def _begin(self, kind: str, block: bytes, out: list[bytes]) -> None:
        self._close(out)
        self._open = kind
        self._spoke = self._spoke or kind == "text"
        self._cited = False
        self._index += 1
        out.append(_START % (self._index, block))

    def _close(self, out: list[bytes]) -> None:
        if self._open:
            out.append(_STOP % self._index)
        self._open = ""
        self.text_head = b""

    def _delta(self, kind: bytes, field: bytes, text: str, out: list[bytes]) -> None:
        if text:
            out += (_DELTA % (self._index, kind, field), _encode(text), _DELTA_TAIL)


def _name_of(citation: Citation) -> str:
    """A source as a line of a list."""
    title = citation.title or citation.url or citation.quote or "a document of the request"
    return f"- [{title}]({citation.url})" if citation.url is not None else f"- {title}"


def _length(event: _Said) -> int:
    if isinstance(event, CodeDelta):
        return len(event.use.input)
    if isinstance(event, PartGiven):
        return len(event.part.input) if isinstance(event.part, ServerToolUse) else 0
    return len(event.signature if isinstance(event, ThinkingSigned) else event.text)
