"""What the inference routes take and give, as far as the documentation tells; the dialects know it exactly.

Sources: https://platform.openai.com/docs/api-reference (chat, completions, embeddings, responses) and
https://docs.claude.com/en/api/messages. Other fields of these references are passed on to the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from pointsman.admin import native_shapes as native
from pointsman.admin.extras_shapes import (
    ImageEditRequest,
    ImageList,
    ImageRequest,
    ImageVariationRequest,
    ModerationList,
    ModerationRequest,
    Ranking,
    RerankRequest,
    SpeechRequest,
    Transcription,
    TranscriptionRequest,
)
from pointsman.core.upstream import Operation

__all__ = [
    "INFERENCE_FORMS",
    "INFERENCE_SHAPES",
    "INFERENCE_SUMMARIES",
    "AnthropicMessage",
    "AnthropicMessageRequest",
    "AnthropicUsage",
    "ChatCompletion",
    "ChatCompletionRequest",
    "CompactedResponse",
    "EmbeddingList",
    "EmbeddingRequest",
    "ModelResponse",
    "ResponseRequest",
    "TextCompletion",
    "TextCompletionRequest",
    "TokenUsage",
]


class ChatCompletionRequest(msgspec.Struct, kw_only=True):
    """A conversation to continue."""

    model: str
    messages: list[dict[str, msgspec.Raw]]
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_choice: str | dict[str, msgspec.Raw] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, msgspec.Raw] | None = None
    reasoning_effort: str | None = None
    user: str | None = None


class TextCompletionRequest(msgspec.Struct, kw_only=True):
    """A text to continue."""

    model: str
    prompt: str | list[str]
    suffix: str | None = None
    stream: bool = False
    temperature: float | None = None
    max_tokens: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    user: str | None = None


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    """Texts to embed."""

    model: str
    input: str | list[str]
    dimensions: int | None = None
    encoding_format: str | None = None
    user: str | None = None


class TokenUsage(msgspec.Struct, kw_only=True):
    """What a call used, in tokens."""

    prompt_tokens: int
    completion_tokens: int | None = None
    total_tokens: int


class ChatCompletion(msgspec.Struct, kw_only=True):
    """A whole answer; with ``stream`` it comes as server-sent events of ``chat.completion.chunk`` instead."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, msgspec.Raw]]
    usage: TokenUsage | None = None


class TextCompletion(msgspec.Struct, kw_only=True):
    """A whole answer; with ``stream`` it comes as server-sent events instead."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, msgspec.Raw]]
    usage: TokenUsage | None = None


class EmbeddingList(msgspec.Struct, kw_only=True):
    """One vector per text."""

    object: str
    model: str
    data: list[dict[str, msgspec.Raw]]
    usage: TokenUsage | None = None


class AnthropicMessageRequest(msgspec.Struct, kw_only=True):
    """A conversation to continue, in Anthropic's form."""

    model: str
    max_tokens: int
    messages: list[dict[str, msgspec.Raw]]
    system: str | list[dict[str, msgspec.Raw]] | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    stream: bool = False


class AnthropicUsage(msgspec.Struct, kw_only=True):
    """Tokens, in Anthropic's form."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class AnthropicMessage(msgspec.Struct, kw_only=True):
    """An answer, in Anthropic's form."""

    id: str
    type: str
    role: str
    model: str
    content: list[dict[str, msgspec.Raw]]
    stop_reason: str | None
    stop_sequence: str | None
    usage: AnthropicUsage


class ResponseRequest(msgspec.Struct, kw_only=True):
    """Input for OpenAI's Responses."""

    model: str
    input: str | list[dict[str, msgspec.Raw]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    stream: bool = False


class ModelResponse(msgspec.Struct, kw_only=True):
    """A response of OpenAI's Responses."""

    id: str
    object: str
    created_at: int
    status: str
    model: str
    output: list[dict[str, msgspec.Raw]]
    usage: dict[str, msgspec.Raw] | None = None


class CompactedResponse(msgspec.Struct, kw_only=True):
    """A conversation in short: the user's messages, and an item for all the rest."""

    id: str
    object: str
    created_at: int
    output: list[dict[str, msgspec.Raw]]
    usage: dict[str, msgspec.Raw]


_Shape = type[msgspec.Struct]

INFERENCE_SHAPES: Final[Mapping[Operation, tuple[_Shape, _Shape | None]]] = MappingProxyType(
    {
        Operation.CHAT: (ChatCompletionRequest, ChatCompletion),
        Operation.COMPLETION: (TextCompletionRequest, TextCompletion),
        Operation.EMBEDDING: (EmbeddingRequest, EmbeddingList),
        Operation.MESSAGES: (AnthropicMessageRequest, AnthropicMessage),
        Operation.RESPONSES: (ResponseRequest, ModelResponse),
        Operation.COMPACTION: (ResponseRequest, CompactedResponse),
        Operation.GEMINI_CHAT: (native.GenerateContentRequest, native.GenerateContentResponse),
        Operation.GEMINI_STREAM: (native.GenerateContentRequest, native.GenerateContentResponse),
        Operation.GEMINI_ARRAY_STREAM: (native.GenerateContentRequest, native.GenerateContentResponse),
        Operation.GEMINI_EMBED: (native.GeminiEmbedRequest, native.GeminiEmbedding),
        Operation.GEMINI_BATCH_EMBED: (native.GeminiBatchEmbedRequest, native.GeminiEmbeddings),
        Operation.OLLAMA_CHAT: (native.OllamaChatRequest, native.OllamaChatAnswer),
        Operation.OLLAMA_GENERATE: (native.OllamaGenerateRequest, native.OllamaGenerateAnswer),
        Operation.OLLAMA_COMPLETION: (native.OllamaGenerateRequest, native.OllamaGenerateAnswer),
        Operation.OLLAMA_EMBED: (native.OllamaEmbedRequest, native.OllamaEmbedAnswer),
        Operation.OLLAMA_EMBEDDINGS: (native.OllamaEmbeddingsRequest, native.OllamaEmbedding),
        Operation.OLLAMA_LOAD: (native.OllamaChatRequest, native.OllamaChatAnswer),
        Operation.IMAGE: (ImageRequest, ImageList),
        Operation.IMAGE_EDIT: (ImageEditRequest, ImageList),
        Operation.IMAGE_VARIATION: (ImageVariationRequest, ImageList),
        Operation.SPEECH: (SpeechRequest, None),
        Operation.TRANSCRIPTION: (TranscriptionRequest, Transcription),
        Operation.TRANSLATION: (TranscriptionRequest, Transcription),
        Operation.MODERATION: (ModerationRequest, ModerationList),
        Operation.RERANK: (RerankRequest, Ranking),
    }
)
"""Operation → what it takes and gives; None: no JSON but a file."""

INFERENCE_FORMS: Final = frozenset({
    Operation.IMAGE_EDIT, Operation.IMAGE_VARIATION, Operation.TRANSCRIPTION, Operation.TRANSLATION,
})  # fmt: skip
"""What is asked for by a form and not by JSON."""

INFERENCE_SUMMARIES: Final[Mapping[Operation, str]] = MappingProxyType(
    {
        Operation.CHAT: "Continue a conversation",
        Operation.COMPLETION: "Continue a text",
        Operation.EMBEDDING: "Embed texts",
        Operation.MESSAGES: "Continue a conversation, as Anthropic's Messages",
        Operation.RESPONSES: "Continue a conversation, as OpenAI's Responses",
        Operation.COMPACTION: "Sum up a conversation, as OpenAI's Responses",
        Operation.GEMINI_CHAT: "Continue a conversation, as Gemini's generateContent",
        Operation.GEMINI_STREAM: "The same, streamed",
        Operation.GEMINI_ARRAY_STREAM: "The same, streamed as one array",
        Operation.GEMINI_EMBED: "Embed a text, as Gemini's embedContent",
        Operation.GEMINI_BATCH_EMBED: "Embed texts, as Gemini's batchEmbedContents",
        Operation.OLLAMA_CHAT: "Continue a conversation, as Ollama's /api/chat",
        Operation.IMAGE: "Make pictures",
        Operation.IMAGE_EDIT: "Change a picture",
        Operation.IMAGE_VARIATION: "Vary a picture",
        Operation.SPEECH: "Say a text",
        Operation.TRANSCRIPTION: "Write down what was said",
        Operation.TRANSLATION: "Write down in English what was said",
        Operation.MODERATION: "Judge whether something is harmful",
        Operation.RERANK: "Put documents in order of relevance",
        Operation.OLLAMA_GENERATE: "Answer a prompt, as Ollama's /api/generate",
        Operation.OLLAMA_COMPLETION: "Complete a text, as Ollama's /api/generate",
        Operation.OLLAMA_EMBED: "Embed texts, as Ollama's /api/embed",
        Operation.OLLAMA_EMBEDDINGS: "Embed a text, as Ollama's older /api/embeddings",
        Operation.OLLAMA_LOAD: "Have a model loaded, as Ollama's clients do",
    }
)
"""Operation → what it does, in a few words."""
