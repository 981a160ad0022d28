"""The client's sides of the Gemini dialect: conversations and embeddings."""

from __future__ import annotations

from pointsman.core.call import Call, EmbeddingCall
from pointsman.core.reply import Embeddings
from pointsman.core.upstream import Ask
from pointsman.dialects.gemini.client_replies import write_reply
from pointsman.dialects.gemini.client_requests import read_request, wants_thoughts
from pointsman.dialects.gemini.client_streams import StreamForm, StreamWriter
from pointsman.dialects.gemini.embeddings import read_embed_request, write_embed_reply
from pointsman.providers.translated.sides import Writing

__all__ = ["GeminiClient", "GeminiEmbeddingClient"]


class GeminiClient:
    """See :class:`pointsman.providers.translated.sides.ClientSide`; ``form`` is that of its streams."""

    def __init__(self, form: StreamForm = "sse") -> None:
        self._form: StreamForm = form

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_request(ask.body(), ask.model, stream=ask.stream)

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        shows = wants_thoughts(ask.fields)
        return Writing(
            StreamWriter(call, self._form, include_thoughts=shows),
            lambda reply: write_reply(reply, call, include_thoughts=shows),
        )


class GeminiEmbeddingClient:
    """See :class:`.embeddings.EmbeddingClient`; ``batch``: several texts in one request."""

    def __init__(self, *, batch: bool) -> None:
        self._batch = batch

    def read(self, ask: Ask) -> EmbeddingCall:
        """See the protocol."""
        return read_embed_request(ask.body(), ask.model, batch=self._batch)

    def write(self, embeddings: Embeddings, call: EmbeddingCall) -> bytes:
        """See the protocol."""
        return write_embed_reply(embeddings, batch=self._batch)
