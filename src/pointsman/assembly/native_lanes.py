"""The lanes of providers with a dialect, an address or credentials of their own, by the word in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from pointsman.accounting.estimate import estimate_text
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.azure import azure_lane
from pointsman.providers.bedrock import AwsKeyring, AwsSurroundings, BedrockServices, KeyFinder, bedrock_lane
from pointsman.providers.google import GoogleServices, gemini_lane, vertex_lane
from pointsman.providers.native import ANTHROPIC_MESSAGES, NativeLane
from pointsman.providers.ollama import ContextWindows, OllamaFactsCache, OllamaServices, ollama_lane
from pointsman.providers.tokens import TokenBook
from pointsman.providers.translated import (
    AnthropicFar,
    CohereEmbeddingFar,
    CohereFar,
    mistral_lane,
    translated_lane,
)

if TYPE_CHECKING:
    from pointsman.assembly.gauges import Truncations
    from pointsman.core.clock import Clock
    from pointsman.core.nursery import Nursery
    from pointsman.providers.lanes import NativeLanes
    from pointsman.providers.media import MediaFetcher
    from pointsman.providers.transport import Transport

__all__ = ["LaneParts", "aws_keyring", "native_lanes"]


class LaneParts(Protocol):
    """What lanes need, and share: a gateway has it, and whoever makes a call without one."""

    @property
    def transport(self) -> Transport:
        """The way out."""
        ...

    @property
    def nursery(self) -> Nursery:
        """Where tasks are started."""
        ...

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def media(self) -> MediaFetcher:
        """What fetches remote images."""
        ...

    @property
    def truncations(self) -> Truncations:
        """Who is told of prompts that were cut."""
        ...

    @property
    def tokens(self) -> TokenBook:
        """The tokens that clouds gave."""
        ...

    @property
    def aws_keys(self) -> AwsKeyring:
        """The keys that requests to AWS are signed with."""
        ...


def aws_keyring(
    transport: Transport, variables: Callable[[], Mapping[str, str]], nursery: Nursery, clock: Clock
) -> AwsKeyring:
    """The keys for AWS, looked for in the environment that ``variables`` gives at that time."""
    finder = KeyFinder(transport, lambda: AwsSurroundings.read(variables()), clock)
    return AwsKeyring(finder.find, nursery, clock)


def native_lanes(parts: LaneParts) -> dict[str, NativeLanes]:
    """They share these parts' transport, clock and background tasks."""
    book = parts.tokens
    google = GoogleServices(parts.media, book, parts.clock)
    return {
        "ollama": _ollama_lanes(parts),
        "anthropic": _anthropic_lane,
        "azure": lambda deployment, operation: azure_lane(deployment, operation, book),
        "bedrock": _bedrock_lanes(parts),
        "cohere": _cohere_lane,
        "gemini": lambda deployment, operation: gemini_lane(deployment, operation, google),
        "mistral": mistral_lane,
        "vertex": lambda deployment, operation: vertex_lane(deployment, operation, google),
    }


def _ollama_lanes(parts: LaneParts) -> NativeLanes:
    windows = ContextWindows()
    services = OllamaServices(
        facts=OllamaFactsCache(parts.transport, parts.nursery, windows, parts.clock),
        windows=windows,
        media=parts.media,
        estimate=estimate_text,
        on_truncation=parts.truncations.tell,
        clock=parts.clock,
    )
    return lambda deployment, operation: ollama_lane(operation, deployment, services)


def _bedrock_lanes(parts: LaneParts) -> NativeLanes:
    services = BedrockServices(parts.aws_keys, parts.media, parts.transport, parts.nursery, parts.clock)
    return lambda deployment, operation: bedrock_lane(deployment, operation, services)


def _anthropic_lane(deployment: Deployment, operation: Operation) -> Lane:
    if operation is Operation.MESSAGES:
        return NativeLane(deployment, ANTHROPIC_MESSAGES)
    return translated_lane(operation, AnthropicFar(), deployment)


def _cohere_lane(deployment: Deployment, operation: Operation) -> Lane:
    return translated_lane(operation, CohereFar(), deployment, embedding_far=CohereEmbeddingFar())
