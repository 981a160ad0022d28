"""The dialect in which each operation is asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Operation
from pointsman.dialects.anthropic_messages.dialect import AnthropicDialect
from pointsman.dialects.gemini.dialect import (
    GeminiArrayStreamDialect,
    GeminiBatchEmbedDialect,
    GeminiChatDialect,
    GeminiEmbedDialect,
    GeminiStreamDialect,
)
from pointsman.dialects.ollama.dialect import OllamaChatDialect, OllamaEmbedDialect, OllamaGenerateDialect
from pointsman.dialects.openai_extras.dialect import EXTRAS, ExtrasDialect
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.dialects.openai_responses.dialect import ResponsesDialect
from pointsman.providers.pass_through import passage_names

__all__ = ["CLIENT_DIALECTS", "passage_dialects"]

_OPENAI: Final = OpenAIDialect()
_OLLAMA_EMBED: Final = OllamaEmbedDialect()

CLIENT_DIALECTS: Final[Mapping[Operation, ClientDialect]] = MappingProxyType({
    Operation.CHAT: _OPENAI,
    Operation.COMPLETION: _OPENAI,
    Operation.EMBEDDING: _OPENAI,
    Operation.MESSAGES: AnthropicDialect(),
    Operation.RESPONSES: ResponsesDialect(),
    Operation.COMPACTION: ResponsesDialect(),
    Operation.GEMINI_CHAT: GeminiChatDialect(),
    Operation.GEMINI_STREAM: GeminiStreamDialect(),
    Operation.GEMINI_ARRAY_STREAM: GeminiArrayStreamDialect(),
    Operation.GEMINI_EMBED: GeminiEmbedDialect(),
    Operation.GEMINI_BATCH_EMBED: GeminiBatchEmbedDialect(),
    Operation.OLLAMA_CHAT: OllamaChatDialect(),
    Operation.OLLAMA_GENERATE: OllamaGenerateDialect(),
    Operation.OLLAMA_EMBED: _OLLAMA_EMBED,
    Operation.OLLAMA_EMBEDDINGS: _OLLAMA_EMBED,
    **dict.fromkeys(EXTRAS, ExtrasDialect()),
})  # fmt: skip


def passage_dialects() -> Mapping[str, ClientDialect]:
    """The providers with an API to pass on to, and the dialect in which our own errors are told there."""
    own = {"anthropic": CLIENT_DIALECTS[Operation.MESSAGES]}
    return {name: own.get(name, _OPENAI) for name in passage_names()}
