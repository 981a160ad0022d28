"""What the inference routes of Ollama and Gemini take and give, as far as the documentation tells it."""

from __future__ import annotations

import msgspec

__all__ = [
    "GeminiBatchEmbedRequest",
    "GeminiEmbedRequest",
    "GeminiEmbedding",
    "GeminiEmbeddings",
    "GenerateContentRequest",
    "GenerateContentResponse",
    "OllamaChatAnswer",
    "OllamaChatRequest",
    "OllamaEmbedAnswer",
    "OllamaEmbedRequest",
    "OllamaEmbedding",
    "OllamaEmbeddingsRequest",
    "OllamaGenerateAnswer",
    "OllamaGenerateRequest",
]


class OllamaChatRequest(msgspec.Struct, kw_only=True):
    """A conversation to continue, in Ollama's form; without messages, a model to load."""

    model: str
    messages: list[dict[str, msgspec.Raw]]
    tools: list[dict[str, msgspec.Raw]] | None = None
    options: dict[str, msgspec.Raw] | None = None
    stream: bool = True


class OllamaChatAnswer(msgspec.Struct, kw_only=True):
    """An answer, or a piece of one, in Ollama's form."""

    model: str
    created_at: str
    message: dict[str, msgspec.Raw]
    done: bool
    done_reason: str | None = None


class OllamaGenerateRequest(msgspec.Struct, kw_only=True):
    """A prompt to answer, in Ollama's form; with ``raw``, ``template`` or ``suffix``, a text to complete."""

    model: str
    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    images: list[str] | None = None
    options: dict[str, msgspec.Raw] | None = None
    stream: bool = True


class OllamaGenerateAnswer(msgspec.Struct, kw_only=True):
    """An answer, or a piece of one, in Ollama's form."""

    model: str
    created_at: str
    response: str
    done: bool
    done_reason: str | None = None


class OllamaEmbedRequest(msgspec.Struct, kw_only=True):
    """Texts to embed, in Ollama's form."""

    model: str
    input: str | list[str]
    dimensions: int | None = None


class OllamaEmbedAnswer(msgspec.Struct, kw_only=True):
    """One vector per text."""

    model: str
    embeddings: list[list[float]]
    prompt_eval_count: int | None = None


class OllamaEmbeddingsRequest(msgspec.Struct, kw_only=True):
    """One text to embed, in Ollama's older form."""

    model: str
    prompt: str


class OllamaEmbedding(msgspec.Struct, kw_only=True):
    """Its vector."""

    embedding: list[float]


class GenerateContentRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """A conversation to continue, in Gemini's form."""

    contents: list[dict[str, msgspec.Raw]]
    system_instruction: dict[str, msgspec.Raw] | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_config: dict[str, msgspec.Raw] | None = None
    generation_config: dict[str, msgspec.Raw] | None = None


class GenerateContentResponse(msgspec.Struct, kw_only=True, rename="camel"):
    """An answer, or a piece of one, in Gemini's form."""

    candidates: list[dict[str, msgspec.Raw]]
    usage_metadata: dict[str, msgspec.Raw] | None = None
    model_version: str | None = None
    response_id: str | None = None


class GeminiEmbedRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """A text to embed, in Gemini's form."""

    content: dict[str, msgspec.Raw]
    output_dimensionality: int | None = None


class GeminiEmbedding(msgspec.Struct, kw_only=True):
    """Its vector."""

    embedding: dict[str, msgspec.Raw]


class GeminiBatchEmbedRequest(msgspec.Struct, kw_only=True):
    """Texts to embed, in Gemini's form."""

    requests: list[dict[str, msgspec.Raw]]


class GeminiEmbeddings(msgspec.Struct, kw_only=True):
    """Their vectors."""

    embeddings: list[dict[str, msgspec.Raw]]
