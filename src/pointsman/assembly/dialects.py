"""The dialect in which each operation is asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Operation
from pointsman.dialects.anthropic_messages.dialect import AnthropicDialect
from pointsman.dialects.ollama.dialect import OllamaChatDialect
from pointsman.dialects.openai_extras.dialect import EXTRAS, ExtrasDialect
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.dialects.openai_responses.dialect import ResponsesDialect

__all__ = ["CLIENT_DIALECTS"]

_OPENAI: Final = OpenAIDialect()

CLIENT_DIALECTS: Final[Mapping[Operation, ClientDialect]] = MappingProxyType({
    Operation.CHAT: _OPENAI,
    Operation.COMPLETION: _OPENAI,
    Operation.EMBEDDING: _OPENAI,
    Operation.MESSAGES: AnthropicDialect(),
    Operation.RESPONSES: ResponsesDialect(),
    Operation.OLLAMA_CHAT: OllamaChatDialect(),
    **dict.fromkeys(EXTRAS, ExtrasDialect()),
})  # fmt: skip
