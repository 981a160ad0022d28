"""The client's sides of Ollama's native dialect: chats, prompts, completions and embeddings."""

from __future__ import annotations

from pointsman.core.call import Call, CompletionCall, EmbeddingCall
from pointsman.core.reply import Embeddings
from pointsman.core.upstream import Ask
from pointsman.dialects.ollama.client_replies import (
    write_chat_reply,
    write_embedding,
    write_embeddings,
    write_generate_reply,
)
from pointsman.dialects.ollama.client_requests import (
    read_chat_request,
    read_embed_request,
    read_embeddings_request,
    read_generate_request,
)
from pointsman.dialects.ollama.client_streams import ChatStreamWriter, GenerateStreamWriter
from pointsman.providers.translated.sides import Writing

__all__ = [
    "OllamaChatClient",
    "OllamaCompletionClient",
    "OllamaEmbedClient",
    "OllamaEmbeddingsClient",
    "OllamaGenerateClient",
]


class OllamaChatClient:
    """``/api/chat``; see :class:`pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_chat_request(ask.body(), ask.model)

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        return Writing(ChatStreamWriter(call), lambda reply: write_chat_reply(reply, call))


class OllamaGenerateClient:
    """``/api/generate`` with a prompt that is a chat of one turn; see :class:`.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol. That it is such a prompt has been decided by the same fields."""
        call = read_generate_request(ask.body(), ask.model)
        if isinstance(call, CompletionCall):
            message = "a completion was taken for a chat"
            raise TypeError(message)
        return call

    def writing(self, call: Call, ask: Ask) -> Writing:
        """See the protocol."""
        return Writing(GenerateStreamWriter(call), lambda reply: write_generate_reply(reply, call))


class OllamaCompletionClient:
    """``/api/generate`` with ``raw``, ``template`` or ``suffix``; see :class:`.completions.CompletionClient`."""

    def read(self, ask: Ask) -> CompletionCall:
        """See the protocol. That it is a completion has been decided by the same fields."""
        call = read_generate_request(ask.body(), ask.model)
        if isinstance(call, Call):
            message = "a chat was taken for a completion"
            raise TypeError(message)
        return call

    def writing(self, call: CompletionCall) -> Writing:
        """See the protocol."""
        return Writing(GenerateStreamWriter(call), lambda reply: write_generate_reply(reply, call))


class OllamaEmbedClient:
    """``/api/embed``; see :class:`.embeddings.EmbeddingClient`."""

    def read(self, ask: Ask) -> EmbeddingCall:
        """See the protocol."""
        return read_embed_request(ask.body(), ask.model)

    def write(self, embeddings: Embeddings, call: EmbeddingCall) -> bytes:
        """See the protocol."""
        return write_embeddings(embeddings, call)


class OllamaEmbeddingsClient:
    """The older ``/api/embeddings``; see :class:`.embeddings.EmbeddingClient`."""

    def read(self, ask: Ask) -> EmbeddingCall:
        """See the protocol."""
        return read_embeddings_request(ask.body(), ask.model)

    def write(self, embeddings: Embeddings, call: EmbeddingCall) -> bytes:
        """See the protocol."""
        return write_embedding(embeddings)
