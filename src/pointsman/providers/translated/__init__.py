"""The translated lane: client and upstream speak different dialects, and meet in the middle."""

from __future__ import annotations

from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.anthropic import AnthropicFar
from pointsman.providers.translated.clients import CLIENTS, COMPLETION_CLIENTS, EMBEDDING_CLIENTS, translated_lane
from pointsman.providers.translated.cohere import CohereEmbeddingFar, CohereFar
from pointsman.providers.translated.completions import (
    CompletionClient,
    OpenAICompletionClient,
    TranslatedCompletionLane,
    read_completion_call,
)
from pointsman.providers.translated.embeddings import (
    EmbeddingAnswer,
    EmbeddingClient,
    EmbeddingFar,
    EmbeddingReading,
    read_embedding_call,
)
from pointsman.providers.translated.lane import Preparation, TranslatedLane, read_call
from pointsman.providers.translated.loads import read_load_request
from pointsman.providers.translated.mistral import MistralFar, mistral_lane
from pointsman.providers.translated.openai import (
    OpenAIChatClient,
    OpenAIChatFar,
    OpenAIEmbeddingClient,
    OpenAIEmbeddingFar,
)
from pointsman.providers.translated.sides import ClientSide, FarSide, Reading, SseFrames, Writing

__all__ = [
    "CLIENTS",
    "COMPLETION_CLIENTS",
    "EMBEDDING_CLIENTS",
    "AnthropicFar",
    "ClientSide",
    "CohereEmbeddingFar",
    "CohereFar",
    "CompletionClient",
    "EmbeddingAnswer",
    "EmbeddingClient",
    "EmbeddingFar",
    "EmbeddingReading",
    "FarSide",
    "MistralFar",
    "OpenAIChatClient",
    "OpenAIChatFar",
    "OpenAICompletionClient",
    "OpenAIEmbeddingClient",
    "OpenAIEmbeddingFar",
    "Preparation",
    "Reading",
    "SseFrames",
    "TranslatedAnswer",
    "TranslatedCompletionLane",
    "TranslatedLane",
    "Writing",
    "mistral_lane",
    "read_call",
    "read_completion_call",
    "read_embedding_call",
    "read_load_request",
    "translated_lane",
]
