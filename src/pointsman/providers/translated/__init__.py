"""The translated lane: client and upstream speak different dialects, and meet in the middle."""

from __future__ import annotations

from pointsman.providers.translated.answer import TranslatedAnswer
from pointsman.providers.translated.anthropic import AnthropicFar
from pointsman.providers.translated.clients import CLIENTS, COMPLETION_CLIENTS, EMBEDDING_CLIENTS, translated_lane
from pointsman.providers.translated.cohere import CohereEmbeddingFar, CohereFar
from pointsman.providers.translated.completions import (
    CompletionAsChat,
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
from pointsman.providers.translated.gemini import GeminiEmbeddingFar, GeminiFar
from pointsman.providers.translated.lane import Preparation, TranslatedLane, read_call
from pointsman.providers.translated.loads import read_load_request
from pointsman.providers.translated.mistral import MistralFar, mistral_lane
from pointsman.providers.translated.openai import (
    OpenAIChatClient,
    OpenAIChatFar,
    OpenAIEmbeddingClient,
    OpenAIEmbeddingFar,
    has_newer_limit,
)
from pointsman.providers.translated.openai_responses import RESPONSES_MODE, OpenAIResponsesFar
from pointsman.providers.translated.remote_media import BY_VALUE, DOCUMENTS_BY_VALUE, ToFetch, media_preparation
from pointsman.providers.translated.sides import CallLane, ClientSide, FarSide, Reading, SseFrames, Writing
from pointsman.providers.translated.signed import SignedEmbeddingFar, SignedFar

__all__ = [
    "BY_VALUE",
    "CLIENTS",
    "COMPLETION_CLIENTS",
    "DOCUMENTS_BY_VALUE",
    "EMBEDDING_CLIENTS",
    "RESPONSES_MODE",
    "AnthropicFar",
    "CallLane",
    "ClientSide",
    "CohereEmbeddingFar",
    "CohereFar",
    "CompletionAsChat",
    "CompletionClient",
    "EmbeddingAnswer",
    "EmbeddingClient",
    "EmbeddingFar",
    "EmbeddingReading",
    "FarSide",
    "GeminiEmbeddingFar",
    "GeminiFar",
    "MistralFar",
    "OpenAIChatClient",
    "OpenAIChatFar",
    "OpenAICompletionClient",
    "OpenAIEmbeddingClient",
    "OpenAIEmbeddingFar",
    "OpenAIResponsesFar",
    "Preparation",
    "Reading",
    "SignedEmbeddingFar",
    "SignedFar",
    "SseFrames",
    "ToFetch",
    "TranslatedAnswer",
    "TranslatedCompletionLane",
    "TranslatedLane",
    "Writing",
    "has_newer_limit",
    "media_preparation",
    "mistral_lane",
    "read_call",
    "read_completion_call",
    "read_embedding_call",
    "read_load_request",
    "translated_lane",
]
