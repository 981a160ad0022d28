"""The client dialects in which conversations are held, by the operation that their routes ask for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.core.errors import Unsupported
from pointsman.core.upstream import Deployment, Operation
from pointsman.providers.translated.anthropic import AnthropicClient
from pointsman.providers.translated.lane import Preparation, TranslatedLane
from pointsman.providers.translated.ollama import OllamaChatClient
from pointsman.providers.translated.openai import OpenAIChatClient
from pointsman.providers.translated.responses import CompactionClient, ResponsesClient
from pointsman.providers.translated.sides import ClientSide, FarSide

__all__ = ["CLIENTS", "translated_lane"]

CLIENTS: Final[Mapping[Operation, ClientSide]] = MappingProxyType({
    Operation.CHAT: OpenAIChatClient(),
    Operation.MESSAGES: AnthropicClient(),
    Operation.RESPONSES: ResponsesClient(),
    Operation.COMPACTION: CompactionClient(),
    Operation.OLLAMA_CHAT: OllamaChatClient(),
})  # fmt: skip


def translated_lane(
    operation: Operation, far: FarSide, deployment: Deployment, preparations: tuple[Preparation, ...] = ()
) -> TranslatedLane:
    """The lane from the dialect of ``operation`` to an upstream.

    Raises:
        Unsupported: this operation is no conversation.
    """
    client = CLIENTS.get(operation)
    if client is None:
        raise Unsupported(
            f"{deployment.provider} does not serve {operation.value}.", hint="Choose another model.", param="model"
        )
    return TranslatedLane(client, far, deployment, preparations)
