"""The lanes of providers with a dialect, an address or credentials of their own, by the word in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from pointsman.assembly.gateway import Gateway
    from pointsman.providers.lanes import NativeLanes

__all__ = ["CloudServices", "counting_ways", "native_lanes", "passage_signer", "responses_relay"]


class CloudServices:
    """What lets requests into clouds: tokens and keys, each got once per identity, whatever it is needed for."""

    def __init__(self, gateway: Gateway) -> None:
        self.book = TokenBook(gateway.transport, gateway.nursery, gateway.clock)
        self.google = GoogleServices(gateway.media, self.book, gateway.clock)
        finder = KeyFinder(gateway.transport, lambda: AwsSurroundings.read(gateway.loaded.variables), gateway.clock)
        self.keyring = AwsKeyring(finder.find, gateway.nursery, gateway.clock)
        self.bedrock = BedrockServices(self.keyring, gateway.media, gateway.transport, gateway.nursery, gateway.clock)


def native_lanes(gateway: Gateway, clouds: CloudServices) -> dict[str, NativeLanes]:
    """They share this gateway's transport, clock and background tasks."""
    return {
        "ollama": _ollama_lanes(gateway),
        "anthropic": _anthropic_lane,
        "azure": lambda deployment, operation: azure_lane(deployment, operation, clouds.book, gateway.media),
        "bedrock": lambda deployment, operation: bedrock_lane(deployment, operation, clouds.bedrock),
        "cohere": _cohere_lane,
        "gemini": lambda deployment, operation: gemini_lane(deployment, operation, clouds.google),
        "mistral": mistral_lane,
        "vertex": lambda deployment, operation: vertex_lane(deployment, operation, clouds.google),
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
        case _:
            return None


def _ollama_lanes(gateway: Gateway) -> NativeLanes:
    windows = ContextWindows()
    services = OllamaServices(
        facts=OllamaFactsCache(gateway.transport, gateway.nursery, windows, gateway.clock),
        windows=windows,
        media=gateway.media,
        estimate=estimate_text,
        on_truncation=gateway.truncations.tell,
        clock=gateway.clock,
    )
    return lambda deployment, operation: ollama_lane(operation, deployment, services)


def _anthropic_lane(deployment: Deployment, operation: Operation) -> Lane:
    if operation is Operation.MESSAGES:
        return NativeLane(deployment, ANTHROPIC_MESSAGES)
    return translated_lane(operation, AnthropicFar(), deployment)


def _cohere_lane(deployment: Deployment, operation: Operation) -> Lane:
    return translated_lane(operation, CohereFar(), deployment, embedding_far=CohereEmbeddingFar())
