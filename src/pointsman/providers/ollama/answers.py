"""Reads what Ollama answers and gives it in the client's dialect, metering on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from pointsman.core.errors import Broken, GatewayError
from pointsman.core.events import Event, Failed, TextDelta, ThinkingDelta, ToolCallDelta, UsageReported
from pointsman.core.reply import Embeddings, Reply, fold
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.ollama.errors import read_error
from pointsman.providers.ollama.context import truncation_warning
from pointsman.wire.ndjson import LineSplitter

__all__ = ["EmbeddingAnswer", "EventReader", "EventWriter", "OnTruncation", "Sent", "TextAnswer"]

OnTruncation = Callable[[str, int, int], None]
"""Told a deployment's id, the tokens sent (estimated) and the tokens counted, when a prompt may have been cut."""

_CHARACTERS_PER_TOKEN: Final = 4


class EventReader(Protocol):
    """The far half of a dialect: frames to events."""

    def feed(self, frame: bytes) -> list[Event]:
        """The events of one frame."""
        ...

    def end(self) -> list[Event]:
        """What the end of the stream means."""
        ...


class EventWriter(Protocol):
    """The near half of a dialect: events to the client's bytes."""

    def write(self, events: Iterable[Event]) -> bytes:
        """The bytes for some events."""
        ...

    def end(self, usage: Usage | None = None) -> bytes:
        """The closing bytes; ``usage`` stands in where no event reported any."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """An error in the middle, and the end."""
        ...


class Sent(msgspec.Struct, frozen=True):
    """What was sent: to which deployment, about how many prompt tokens, for which window (0: the host's own)."""

    deployment_id: str
    model: str
    prompt_tokens: int
    num_ctx: int


class _Metered:
    """What the answers of all operations share. ``warning`` says why the prompt may have been cut, or is None."""

    __slots__ = ("_sent", "error", "tokens", "usage", "warning")

    def __init__(self, sent: Sent) -> None:
        self.usage: Usage = NO_USAGE
        self.error: GatewayError | None = None
        self.tokens = False
        self.warning: str | None = None
        self._sent = sent

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        sent = self._sent
        error = read_error(status, body, sent.model)
        if retry_after is not None:
            error.retry_after = retry_after
        if error.code == "context_length_exceeded" and sent.num_ctx:
            error.message += f" About {sent.prompt_tokens} tokens were sent (estimated); the window has {sent.num_ctx}."
        return error

    def _settle(self, usage: Usage, completion_estimate: int) -> None:
        """The answer is over: take its usage, or estimate it."""
        if usage.source == "none":
            usage = Usage(self._sent.prompt_tokens, completion_estimate, source="estimated")
        self.usage = usage


class TextAnswer(_Metered):
    """See :class:`pointsman.core.upstream.Answer`; for chats and text completions."""

    __slots__ = (
        "_begun",
        "_characters",
        "_deltas",
        "_lines",
        "_on_truncation",
        "_over",
        "_reader",
        "_reported",
        "_write_reply",
        "_writer",
    )

    def __init__(
        self,
        sent: Sent,
        on_truncation: OnTruncation,
        *,
        reader: EventReader,
        writer: EventWriter,
        write_reply: Callable[[Reply], bytes],
    ) -> None:
        super().__init__(sent)
        self._on_truncation = on_truncation
        self._reader = reader
        self._writer = writer
        self._write_reply = write_reply
        self._lines = LineSplitter()
        self._reported: Usage = NO_USAGE
        self._begun = self._over = False
        self._deltas = self._characters = 0

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        events = [*self._reader.feed(body.strip()), *self._reader.end()]
        self._meter(events)
        reply = fold(events)
        self._finish()
        return self._write_reply(msgspec.structs.replace(reply, usage=self.usage))

    def feed(self, data: bytes) -> bytes:
        """See the protocol. A failure after the first content is told in the stream, behind what came before it."""
        return b"".join([self._relay(self._reader.feed(line)) for line in self._lines.feed(data)])

    def end(self) -> bytes:
        """See the protocol."""
        out = [self._relay(self._reader.feed(line)) for line in self._lines.end()]
        out.append(self._relay(self._reader.end()))
        self._finish()
        if not self._over:
            self._over = True
            out.append(self._writer.end(self.usage))
        return b"".join(out)

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol."""
        if self._over:
            return b""
        self._over = True
        return self._writer.fail(error)

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            self._settle(self._reported, self._output_estimate())

    def _relay(self, events: list[Event]) -> bytes:
        if self._over or not events:
            return b""
        self._meter(events)
        last = events[-1]
        if isinstance(last, Failed):
            return self._relay_failure(events[:-1], last.error)
        out = self._writer.write(events)
        self._begun = self._begun or bool(out)
        return out

    def _relay_failure(self, before: list[Event], error: GatewayError) -> bytes:
        out = self._writer.write(before) if before else b""
        if not self._begun and not out:
            raise error
        self._over = True
        self.error = error
        return out + self._writer.fail(error)

    def _meter(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, (TextDelta, ThinkingDelta)):
                self._deltas += 1
                self._characters += len(event.text)
            elif isinstance(event, ToolCallDelta):
                self._characters += len(event.arguments)
            elif isinstance(event, UsageReported):
                self._reported = event.usage
        self.tokens = bool(self._deltas or self._characters)

    def _finish(self) -> None:
        """The answer is complete: see whether the prompt had arrived whole."""
        self._settle(self._reported, self._output_estimate())
        sent, usage = self._sent, self.usage
        if usage.source == "measured":
            self.warning = truncation_warning(sent.num_ctx, sent.prompt_tokens, usage.prompt)
            if self.warning is not None:
                self._on_truncation(sent.deployment_id, sent.prompt_tokens, usage.prompt)

    def _output_estimate(self) -> int:
        # Ollama streams about one line per token, but a tool call comes as one piece.
        return max(self._deltas, -(-self._characters // _CHARACTERS_PER_TOKEN))


class EmbeddingAnswer(_Metered):
    """See :class:`pointsman.core.upstream.Answer`; embeddings are never streamed."""

    __slots__ = ("_read_reply", "_write_reply")

    def __init__(
        self,
        sent: Sent,
        *,
        read_reply: Callable[[bytes], Embeddings],
        write_reply: Callable[[Embeddings], bytes],
    ) -> None:
        super().__init__(sent)
        self._read_reply = read_reply
        self._write_reply = write_reply

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        embeddings = self._read_reply(body)
        self.tokens = True
        self._settle(embeddings.usage, 0)
        return self._write_reply(msgspec.structs.replace(embeddings, usage=self.usage))

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        raise Broken("Embeddings are not streamed.")

    def end(self) -> bytes:
        """See the protocol."""
        raise Broken("Embeddings are not streamed.")

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol; there is no stream to tell of it."""
        return b""

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            self._settle(NO_USAGE, 0)
