"""Legacy completions in pieces, written for a client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.call import CompletionCall
from pointsman.core.clock import short_id
from pointsman.core.errors import GatewayError
from pointsman.core.events import Event, Failed, Finished, LogprobsDelta, Started, TextDelta, UsageReported
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.openai_completions.logprobs import write_logprobs
from pointsman.dialects.openai_fields import write_stream_error
from pointsman.dialects.openai_usage import write_usage

__all__ = ["StreamWriter"]

_encode: Final = msgspec.json.Encoder().encode

_DONE: Final = b"data: [DONE]\n\n"


class StreamWriter:
    """Writes the stream of one answer. Reasoning and tool calls have no place in this format and are left out."""

    __slots__ = ("_include_usage", "_logprobs", "_model", "_offsets", "_over", "_prefix", "_tail", "_usage")

    def __init__(self, call: CompletionCall) -> None:
        self._model = _encode(call.model)
        self._include_usage = call.include_usage
        self._tail = b',"usage":null}\n\n' if call.include_usage else b"}\n\n"
        self._prefix = b""
        self._logprobs: dict[int, list[msgspec.Raw]] = {}
        self._offsets: dict[int, int] = {}
        self._usage: Usage | None = None
        self._over = False

    def write(self, events: Iterable[Event]) -> bytes:
        """The chunks for these events; a ``Failed`` among them ends the stream."""
        blocks: list[bytes] = []
        for event in () if self._over else events:
            if isinstance(event, TextDelta):
                blocks.append(self._chunk(event.choice, event.text))
            elif isinstance(event, Finished):
                reason = "stop" if event.reason == "tool_calls" else event.reason
                blocks.append(self._chunk(event.choice, "", b'"%b"' % reason.encode()))
            elif isinstance(event, LogprobsDelta):
                self._logprobs.setdefault(event.choice, []).append(event.content)
            elif isinstance(event, Started):
                self._start(event)
            elif isinstance(event, UsageReported):
                self._usage = event.usage
            elif isinstance(event, Failed):
                blocks.append(self.fail(event.error))
                break
        return b"".join(blocks)

    def end(self, usage: Usage | None = None) -> bytes:
        """The end of the stream; ``usage`` stands in where the upstream reported none."""
        if self._over:
            return b""
        self._over = True
        if not self._include_usage:
            return _DONE
        if not self._prefix:
            self._start(Started(short_id("cmpl-"), "", 0))
        return b'%b],"usage":%b}\n\n%b' % (
            self._prefix,
            _encode(write_usage(self._usage or usage or NO_USAGE)),
            _DONE,
        )

    def fail(self, error: GatewayError) -> bytes:
        """The end of a stream that failed."""
        if self._over:
            return b""
        self._over = True
        return write_stream_error(error)

    def _start(self, event: Started) -> None:
        self._prefix = b'data: {"id":%b,"object":"text_completion","created":%d,"model":%b,"choices":[' % (
            _encode(event.id),
            event.created,
            self._model,
        )

    def _chunk(self, choice: int, text: str, reason: bytes = b"null") -> bytes:
        if not self._prefix:
            self._start(Started(short_id("cmpl-"), "", 0))
        return b'%b{"text":%b,"index":%d,"logprobs":%b,"finish_reason":%b}]%b' % (
            self._prefix,
            _encode(text),
            choice,
            self._take_logprobs(choice),
            reason,
            self._tail,
        )

    def _take_logprobs(self, choice: int) -> bytes:
        arrays = self._logprobs.pop(choice, None) if self._logprobs else None
        if arrays is None:
            return b"null"
        offset = self._offsets.get(choice, 0)
        written = write_logprobs(arrays, offset)
        self._offsets[choice] = offset + sum(map(len, written.tokens))
        return _encode(written)
