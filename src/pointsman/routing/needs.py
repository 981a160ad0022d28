"""What a model must be able to do for a request, and what an operation is about, as far as routing tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.upstream import Operation

__all__ = ["TOOLS", "VISION", "abilities_needed", "serves"]

TOOLS: Final = "tools"
VISION: Final = "vision"

_TOOL_FIELDS: Final = ("tools", "functions")
_CONVERSATION: Final = ("messages", "input", "contents", "images")
_EMPTY: Final = frozenset({b"null", b"[]"})
_PICTURES: Final = (b'"image_url"', b'"input_image"', b'"image"', b'"images"', b'"inlineData"', b'"inline_data"')
"""How a picture is announced by OpenAI, Responses, Anthropic, Ollama and Gemini; as a key or as a type."""

_MODES: Final[Mapping[Operation, frozenset[str]]] = {
    Operation.EMBEDDING: frozenset({"embedding"}),
    Operation.GEMINI_EMBED: frozenset({"embedding"}),
    Operation.GEMINI_BATCH_EMBED: frozenset({"embedding"}),
    Operation.OLLAMA_EMBED: frozenset({"embedding"}),
    Operation.OLLAMA_EMBEDDINGS: frozenset({"embedding"}),
    Operation.IMAGE: frozenset({"image_generation", "chat"}),
    Operation.IMAGE_EDIT: frozenset({"image_generation", "image_edit"}),
    Operation.IMAGE_VARIATION: frozenset({"image_generation", "image_edit"}),
    Operation.SPEECH: frozenset({"audio_speech"}),
    Operation.TRANSCRIPTION: frozenset({"audio_transcription"}),
    Operation.TRANSLATION: frozenset({"audio_transcription"}),
    Operation.MODERATION: frozenset({"moderation"}),
    Operation.RERANK: frozenset({"rerank"}),
    Operation.REALTIME: frozenset({"realtime"}),
}
_TALK: Final = frozenset({"chat", "completion", "responses"})
_ANY: Final = frozenset({Operation.OLLAMA_LOAD, Operation.PASS_THROUGH})


def abilities_needed(fields: Mapping[str, msgspec.Raw]) -> frozenset[str]:
    """The capabilities, in the catalogue's words, that a body's fields call for."""
    found = set()
    if any(bytes(fields[name]) not in _EMPTY for name in _TOOL_FIELDS if name in fields):
        found.add(TOOLS)
    for name in _CONVERSATION:
        raw = fields.get(name)
        if raw is not None and (name == "images" or any(mark in bytes(raw) for mark in _PICTURES)):
            found.add(VISION)
    return frozenset(found)


def serves(mode: str, operation: Operation) -> bool:
    """Whether a model that is for ``mode`` is for ``operation``."""
    return operation in _ANY or mode in _MODES.get(operation, _TALK)
