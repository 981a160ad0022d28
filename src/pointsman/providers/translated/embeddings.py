"""Embeddings from any client dialect to any upstream dialect, which meet in a call and its vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from pointsman.core.call import EmbeddingCall
from pointsman.core.errors import Broken, GatewayError, Unsupported
from pointsman.core.reply import Embeddings
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.core.usage import NO_USAGE, Usage
from pointsman.providers.parameters import Dropped, ruled, shown
from pointsman.providers.translated.lane import Preparation

__all__ = [
    "EmbeddingAnswer",
    "EmbeddingClient",
    "EmbeddingFar",
    "EmbeddingReading",
    "TranslatedEmbeddingLane",
    "read_embedding_call",
]


class EmbeddingReading(msgspec.Struct, frozen=True):
    """How an answer of an upstream is read: the vectors, or an error (a status of 400 or more and its body)."""

    read_reply: Callable[[bytes], Embeddings]
    read_error: Callable[[int, bytes], GatewayError]


class EmbeddingClient(Protocol):
    """The near half of a dialect."""

    def read(self, ask: Ask) -> EmbeddingCall:
        """The request.

        Raises:
            Malformed, Unsupported: the message names the field.
        """
        ...

    def write(self, embeddings: Embeddings, call: EmbeddingCall) -> bytes:
        """The body of the answer."""
        ...


class EmbeddingFar(Protocol):
    """The far half of a dialect, for one kind of upstream."""

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """The upstream's request.

        Raises:
            Malformed, Unsupported: the upstream cannot express it; the message names what.
        """
        ...

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """How the answer to that request is read."""
        ...


class TranslatedEmbeddingLane:
    """See :class:`pointsman.core.upstream.Lane`. The ``preparations`` are gone through one after the other."""

    def __init__(
        self,
        client: EmbeddingClient,
        far: EmbeddingFar,
        deployment: Deployment,
        preparations: tuple[Preparation, ...] = (),
    ) -> None:
        self.prepares = bool(preparations)
        self._preparations = preparations
        self._client = client
        self._far = far
        self._deployment = deployment
        self._pinned = dict(deployment.pinned)
        self._dropped = Dropped.of(deployment.additional_drop_params)

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        for preparation in self._preparations:
            await preparation(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        ask.notes = call = read_embedding_call(self._client, shown(ask, self._dropped))
        extra = {name: raw for name, raw in self._pinned.items() if name not in call.extra}
        if extra:
            call = msgspec.structs.replace(call, extra={**extra, **call.extra})
        return self._far.write(call, self._deployment if ask.rules is None else ruled(self._deployment, ask.rules))

    def answer(self, ask: Ask) -> EmbeddingAnswer:
        """See the protocol; the request has been written by now."""
        call = read_embedding_call(self._client, ask)
        reading = self._far.reading(call, self._deployment)
        return EmbeddingAnswer(reading, lambda found: self._client.write(found, call), ask.prompt_estimate)


class EmbeddingAnswer:
    """See :class:`pointsman.core.upstream.Answer`; embeddings are never streamed.

    ``prompt_tokens`` stands in where the upstream counts nothing.
    """

    __slots__ = ("_prompt_tokens", "_reading", "_write_reply", "answer_id", "content_type", "error", "usage")

    def __init__(
        self, reading: EmbeddingReading, write_reply: Callable[[Embeddings], bytes], prompt_tokens: int
    ) -> None:
        self.content_type = b""
        self.usage: Usage = NO_USAGE
        self.error: GatewayError | None = None
        self.answer_id: str | None = None
        self._reading = reading
        self._write_reply = write_reply
        self._prompt_tokens = prompt_tokens

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> GatewayError:
        """See the protocol."""
        error = self._reading.read_error(status, body)
        if retry_after is not None:
            error.retry_after = retry_after
        return error

    def whole(self, body: bytes) -> bytes:
        """See the protocol."""
        embeddings = self._reading.read_reply(body)
        self._settle(embeddings.usage)
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

    def is_preface(self, block: bytes) -> bool:
        """See the protocol."""
        return False

    def cut(self) -> None:
        """See the protocol."""
        if self.usage.source == "none":
            self._settle(NO_USAGE)

    def _settle(self, usage: Usage) -> None:
        self.usage = Usage(self._prompt_tokens, source="estimated") if usage.source == "none" else usage


def read_embedding_call(client: EmbeddingClient, ask: Ask) -> EmbeddingCall:
    """The request as a call, read once.

    Raises:
        Malformed, Unsupported: the message names the field.
    """
    if ask.stream:
        raise Unsupported("Embeddings cannot be streamed.", param="stream")
    if not isinstance(ask.notes, EmbeddingCall):
        ask.notes = client.read(ask)
    return ask.notes
