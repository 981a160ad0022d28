"""The sides of OpenAI's dialects of chats and embeddings."""

from __future__ import annotations

from typing import Final

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.reply import Embeddings
from pointsman.core.upstream import Ask, Deployment, Outbound
from pointsman.dialects.openai_chat.errors import read_error
from pointsman.dialects.openai_chat.replies import read_reply, write_reply
from pointsman.dialects.openai_chat.requests import LimitField, read_request, write_request
from pointsman.dialects.openai_chat.streams import StreamReader, StreamWriter
from pointsman.dialects.openai_extras import embeddings as embedding_words
from pointsman.providers.fitting import Fitting
from pointsman.providers.translated.embeddings import EmbeddingReading
from pointsman.providers.translated.sides import Reading, SseFrames, Writing
from pointsman.providers.translated.tools import demand_known_tools

__all__ = ["OpenAIChatClient", "OpenAIChatFar", "OpenAIEmbeddingClient", "OpenAIEmbeddingFar"]

_REASONERS: Final = ("o1", "o3", "o4", "gpt-5")
"""OpenAI's models that know the bound on the answer under its newer name only."""


class OpenAIChatClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_request(ask.body(), ask.model)

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        return Writing(StreamWriter(call), lambda reply: write_reply(reply, call))


class OpenAIChatFar:
    """See :class:`pointsman.providers.translated.sides.FarSide`; for every server that speaks this dialect.

    ``fitting`` is for services with habits of their own.
    """

    def __init__(self, fitting: Fitting | None = None) -> None:
        self._fitting = fitting

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        demand_known_tools(call, "openai_chat")
        newer = deployment.provider == "openai" and deployment.model.startswith(_REASONERS)
        limit_field: LimitField = "max_completion_tokens" if newer else "max_tokens"
        body = write_request(call, deployment.model, include_usage=True, limit_field=limit_field)
        return Outbound(b"/chat/completions", body if self._fitting is None else self._fitting.rewrite(body))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        return Reading(SseFrames(), StreamReader(), read_reply, read_error)


class OpenAIEmbeddingClient:
    """See :class:`.embeddings.EmbeddingClient`."""

    def read(self, ask: Ask) -> EmbeddingCall:
        """See the protocol."""
        return embedding_words.read_request(ask.body(), ask.model)

    def write(self, embeddings: Embeddings, call: EmbeddingCall) -> bytes:
        """See the protocol."""
        return embedding_words.write_reply(embeddings, call)


class OpenAIEmbeddingFar:
    """See :class:`.embeddings.EmbeddingFar`; for every server that speaks this dialect."""

    def write(self, call: EmbeddingCall, deployment: Deployment) -> Outbound:
        """See the protocol."""
        return Outbound(b"/embeddings", embedding_words.write_request(call, deployment.model))

    def reading(self, call: EmbeddingCall, deployment: Deployment) -> EmbeddingReading:
        """See the protocol."""
        count = len(call.inputs)
        return EmbeddingReading(lambda body: embedding_words.read_reply(body, count), read_error)
