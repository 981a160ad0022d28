"""The client's sides by the operation that their routes ask for, and the lanes that they make with a far side."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.translated.anthropic import AnthropicClient
from pointsman.providers.translated.completions import CompletionAsChat, CompletionClient, OpenAICompletionClient
from pointsman.providers.translated.embeddings import EmbeddingClient, EmbeddingFar, TranslatedEmbeddingLane
from pointsman.providers.translated.gemini_client import GeminiClient, GeminiEmbeddingClient
from pointsman.providers.translated.lane import Preparation, TranslatedLane
from pointsman.providers.translated.loads import NothingToLoad
from pointsman.providers.translated.ollama import (
    OllamaChatClient,
    OllamaCompletionClient,
    OllamaEmbedClient,
    OllamaEmbeddingsClient,
    OllamaGenerateClient,
)
from pointsman.providers.translated.openai import OpenAIChatClient, OpenAIEmbeddingClient
from pointsman.providers.translated.responses import CompactionClient, ResponsesClient
from pointsman.providers.translated.sides import ClientSide, FarSide

__all__ = ["CLIENTS", "COMPLETION_CLIENTS", "EMBEDDING_CLIENTS", "translated_lane"]

COMPLETION_CLIENTS: Final[Mapping[Operation, CompletionClient]] = MappingProxyType({
    Operation.COMPLETION: OpenAICompletionClient(),
    Operation.OLLAMA_COMPLETION: OllamaCompletionClient(),
})  # fmt: skip
"""Those that have a text continued."""

CLIENTS: Final[Mapping[Operation, ClientSide]] = MappingProxyType({
    Operation.CHAT: OpenAIChatClient(),
    Operation.MESSAGES: AnthropicClient(),
    Operation.RESPONSES: ResponsesClient(),
    Operation.COMPACTION: CompactionClient(),
    Operation.GEMINI_CHAT: GeminiClient(),
    Operation.GEMINI_STREAM: GeminiClient(),
    Operation.GEMINI_ARRAY_STREAM: GeminiClient("array"),
    Operation.OLLAMA_CHAT: OllamaChatClient(),
    Operation.OLLAMA_GENERATE: OllamaGenerateClient(),
})  # fmt: skip
"""Those that have conversations."""

EMBEDDING_CLIENTS: Final[Mapping[Operation, EmbeddingClient]] = MappingProxyType({
    Operation.EMBEDDING: OpenAIEmbeddingClient(),
    Operation.GEMINI_EMBED: GeminiEmbeddingClient(batch=False),
    Operation.GEMINI_BATCH_EMBED: GeminiEmbeddingClient(batch=True),
    Operation.OLLAMA_EMBED: OllamaEmbedClient(),
    Operation.OLLAMA_EMBEDDINGS: OllamaEmbeddingsClient(),
})  # fmt: skip
"""Those that have texts embedded."""


def translated_lane(
    operation: Operation,
    far: FarSide,
    deployment: Deployment,
    preparations: tuple[Preparation, ...] = (),
    *,
    embedding_far: EmbeddingFar | None = None,
) -> Lane:
    """The lane from the dialect of ``operation`` to an upstream, which embeds texts if it has an ``embedding_far``.

    Text completions become chats of one turn here; who has them in an upstream's own form does not come this way.

    Raises:
        Unsupported: the upstream has nothing for this operation.
    """
    if operation is Operation.OLLAMA_LOAD:
        return NothingToLoad()
    embedding_client = EMBEDDING_CLIENTS.get(operation)
    if embedding_client is not None and embedding_far is not None:
        return TranslatedEmbeddingLane(embedding_client, embedding_far, deployment, preparations)
    completion_client = COMPLETION_CLIENTS.get(operation)
    client = CLIENTS.get(operation) if completion_client is None else CompletionAsChat(completion_client)
    if client is None:
        asked = "embeddings" if embedding_client is not None else operation.value
        raise Unsupported(
            f"{deployment.provider} does not serve {asked}.",
            hint="Choose another model.",
            param="model",
            code="unsupported_operation",
        )
    return TranslatedLane(client, far, deployment, preparations)
