"""Reads what Ollama answers and gives it in the client's dialect, metering on the way."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pointsman.core.errors import Broken, GatewayError, UpstreamFailed
from pointsman.core.reply import Reply
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.dialects.folding import fold
from pointsman.dialects.ollama.client_loads import LoadRequest, write_load
from pointsman.dialects.ollama.errors import read_error
from pointsman.providers.ollama.context import truncation_warning
from pointsman.providers.translated import Reading, TranslatedAnswer, Writing
from pointsman.providers.translated.sides import EventReader
from pointsman.wire.ndjson import LineSplitter

__all__ = ["LoadAnswer", "OnTruncation", "Sent", "TextAnswer"]

OnTruncation = Callable[[str, int, int], None]
"""Told a deployment's id, the tokens sent (estimated) and the tokens counted, when a prompt may have been cut."""


class Sent(msgspec.Struct, frozen=True):
    """What was sent: to which deployment, about how many prompt tokens, for which window (0: the host's own)."""

    deployment_id: str
    model: str
    prompt_tokens: int
    num_ctx: int

    def error(self, status: int, body: bytes) -> UpstreamFailed:
        """The error that an answer of Ollama's means, with the numbers where the context was too short."""
        error = read_error(status, body, self.model)
        if error.code == "context_length_exceeded" and self.num_ctx:
            error.message += f" About {self.prompt_tokens} tokens were sent (estimated); the window has {self.num_ctx}."
        return error


class TextAnswer(TranslatedAnswer):
    """See :class:`pointsman.core.upstream.Answer`; for chats and text completions.

    ``warning`` says why the prompt may have been cut, or is None.
    """

    __slots__ = ("_on_truncation", "_sent", "warning")

    def __init__(self, sent: Sent, on_truncation: OnTruncation, reader: EventReader, writing: Writing) -> None:
        reading = Reading(LineSplitter(), reader, lambda body: _read_whole(body, reader), sent.error)
        super().__init__(reading, writing, sent.prompt_tokens)
        self.warning: str | None = None
        self._on_truncation = on_truncation
        self._sent = sent

    def _complete(self) -> None:
        """See whether the prompt had arrived whole."""
        super()._complete()
        sent, usage = self._sent, self.usage
        if usage.source == "measured":
            self.warning = truncation_warning(sent.num_ctx, sent.prompt_tokens, usage.prompt)
            if self.warning is not None:
                self._on_truncation(sent.deployment_id, sent.prompt_tokens, usage.prompt)


def _read_whole(body: bytes, reader: EventReader) -> Reply:
    return fold([*reader.feed(body.strip()), *reader.end()])


class LoadAnswer:
    """See :class:`pointsman.core.upstream.Answer`; what Ollama says once it has loaded, or unloaded, a model."""

    __slots__ = ("_load", "_sent", "answer_id", "content_type", "error", "usage")

    def __init__(self, sent: Sent, load: LoadRequest) -> None:
        self.content_type = b""
        self.usage: Usage = NO_USAGE
        self.error: GatewayError | None = None
        self.answer_id: str | None = None
        self._sent = sent
        self._load = load

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        error = self._sent.error(status, body)
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol. There is nothing in it that the client does not know."""
        return write_load(self._load)

    def feed(self, data: bytes) -> bytes:
        """See the protocol."""
        raise Broken("Nothing is streamed when a model is loaded.")

    def end(self) -> bytes:
        """See the protocol."""
        raise Broken("Nothing is streamed when a model is loaded.")

    def failed(self, error: GatewayError) -> bytes:
        """See the protocol; there is no stream to tell of it."""
        return b""

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return False

    def cut(self) -> None:
        """See the protocol; nothing was counted."""
