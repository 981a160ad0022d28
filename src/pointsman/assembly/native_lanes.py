"""The lanes of providers with a dialect, an address or credentials of their own, by the word in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from pointsman.accounting.estimate import estimate_text
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.azure import azure_count, azure_lane, azure_responses_relay, azure_signer
from pointsman.providers.bedrock import (
    AwsKeyring,
    AwsSurroundings,
    BedrockServices,
    KeyFinder,
    bedrock_count,
    bedrock_lane,
    bedrock_signer,
)
from pointsman.providers.google import (
    GoogleServices,
    gemini_count,
    gemini_lane,
    vertex_count,
    vertex_lane,
    vertex_signer,
)
from pointsman.providers.native import ANTHROPIC_MESSAGES, OPENAI_RESPONSES, AnthropicCount, NativeLane, WayMaker
from pointsman.providers.ollama import ContextWindows, OllamaFactsCache, OllamaServices, ollama_lane
from pointsman.providers.pass_through import PassageSigner
from pointsman.providers.registry import find_provider
from pointsman.providers.tokens import TokenBook
from pointsman.providers.translated import (
    AnthropicFar,
    CohereEmbeddingFar,
    CohereFar,
    mistral_lane,
    translated_lane,
)
from pointsman.providers.watsonx import watsonx_lane, watsonx_signer

if TYPE_CHECKING:
    from pointsman.assembly.gauges import Truncations
    from pointsman.core.clock import Clock
    from pointsman.core.nursery import Nursery
    from pointsman.providers.lanes import NativeLanes
    from pointsman.providers.media import MediaFetcher
    from pointsman.providers.transport import Transport

__all__ = [
    "CloudServices",
    "LaneParts",
    "aws_keyring",
    "counting_ways",
    "native_lanes",
    "passage_signer",
    "responses_relay",
]


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


class CloudServices:
    """What lets requests into clouds: tokens and keys, each got once per identity, whatever it is needed for."""

    def __init__(self, parts: LaneParts) -> None:
        self.book = parts.tokens
        self._aws_keys = parts.aws_keys
        self.google = GoogleServices(parts.media, parts.tokens, parts.clock)
        self.bedrock = BedrockServices(parts.aws_keys, parts.media, parts.transport, parts.nursery, parts.clock)

    def issued(self) -> tuple[str, ...]:
        """What clouds gave to come in with, and nobody is told."""
        return (*self.book.issued(), *self._aws_keys.issued())


def native_lanes(parts: LaneParts) -> dict[str, NativeLanes]:
    """They share these parts' transport, clock and background tasks."""
    clouds = CloudServices(parts)
    return {
        "ollama": _ollama_lanes(parts),
        "anthropic": _anthropic_lane,
        "azure": lambda deployment, operation: azure_lane(deployment, operation, clouds.book, parts.media),
        "bedrock": lambda deployment, operation: bedrock_lane(deployment, operation, clouds.bedrock),
        "cohere": _cohere_lane,
        "gemini": lambda deployment, operation: gemini_lane(deployment, operation, clouds.google),
        "mistral": mistral_lane,
        "vertex": lambda deployment, operation: vertex_lane(deployment, operation, clouds.google),
        "watsonx": lambda deployment, operation: watsonx_lane(deployment, operation, clouds.book, parts.media),
    }


def counting_ways(clouds: CloudServices) -> dict[str, WayMaker]:
    """How upstreams are asked for the tokens of a conversation, by the word in the registry."""
    return {
        "anthropic": AnthropicCount,
        "azure": lambda deployment: azure_count(deployment, clouds.book),
        "bedrock": lambda deployment: bedrock_count(deployment, clouds.bedrock),
        "gemini": gemini_count,
        "vertex": lambda deployment: vertex_count(deployment, clouds.google),
    }


def responses_relay(deployment: Deployment, clouds: CloudServices) -> NativeLane | None:
    """The lane that relays the Responses API to a server that speaks OpenAI's dialects; None where it never has it."""
    provider = find_provider(deployment.provider)
    if provider is not None and provider.native == "azure":
        return azure_responses_relay(deployment, clouds.book)
    return NativeLane(deployment, OPENAI_RESPONSES)


def passage_signer(deployment: Deployment, clouds: CloudServices) -> PassageSigner | None:
    """Who lets in what is passed on to a deployment's provider; None: its key."""
    provider = find_provider(deployment.provider)
    match provider.cloud if provider is not None else "":
        case "aws":
            return bedrock_signer(deployment, clouds.bedrock)
        case "azure":
            return azure_signer(deployment, clouds.book)
        case "google":
            return vertex_signer(deployment, clouds.google)
        case "ibm":
            return watsonx_signer(deployment, clouds.book)
        case _:
            return None


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


def _anthropic_lane(deployment: Deployment, operation: Operation) -> Lane:
    if operation is Operation.MESSAGES:
        return NativeLane(deployment, ANTHROPIC_MESSAGES)
    return translated_lane(operation, AnthropicFar(), deployment)


def _cohere_lane(deployment: Deployment, operation: Operation) -> Lane:
    return translated_lane(operation, CohereFar(), deployment, embedding_far=CohereEmbeddingFar())
