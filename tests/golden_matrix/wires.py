"""The far sides of the matrix. A new provider is one row here and one folder of answers below ``answers/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from pointsman.accounting.estimate import estimate_text
from pointsman.core.access import GoogleAccess
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Lane, Operation
from pointsman.providers.azure.places import azure_path
from pointsman.providers.bedrock.far import BedrockFar
from pointsman.providers.bedrock.signer import BedrockSigner
from pointsman.providers.fitting import fitting_for
from pointsman.providers.google.far_sides import VertexClaudeFar
from pointsman.providers.google.places import VertexPlace
from pointsman.providers.ollama import ContextWindows, OllamaServices
from pointsman.providers.ollama.control import OllamaFacts
from pointsman.providers.ollama.lanes import ChatLane
from pointsman.providers.tokens import FixedCredential
from pointsman.providers.translated import (
    AnthropicFar,
    ClientSide,
    FarSide,
    OpenAIChatFar,
    OpenAIResponsesFar,
    TranslatedLane,
)
from pointsman.providers.translated.cohere import CohereFar
from pointsman.providers.translated.gemini import GeminiFar
from pointsman.providers.translated.mistral import MistralFar
from tests.golden_matrix.clients import (
    Body,
    Seen,
    anthropic_gather,
    anthropic_see,
    chat_gather,
    chat_see,
    gemini_gather,
    gemini_see,
    ollama_gather,
    ollama_see,
    responses_gather,
    responses_see,
)
from tests.golden_matrix.tellers import (
    azure_gather,
    bedrock_gather,
    bedrock_see,
    bedrock_send,
    cohere_gather,
    cohere_see,
    mistral_gather,
    mistral_see,
)

ALL_ABILITIES: Final = frozenset({"response_schema", "reasoning"})


def deployment(provider: str, model: str, api_base: str = "http://upstream.example") -> Deployment:
    return Deployment(
        id=provider,
        group="fast",
        provider=provider,
        model=model,
        litellm_model=f"{provider}/{model}",
        api_base=api_base,
        price=None,
        api_key=Secret("key"),
        capabilities=ALL_ABILITIES,
    )


OPENAI_HABITS: Final = fitting_for(deployment("openai", "gpt-4.1-mini"))


class Wire(msgspec.Struct, frozen=True):
    """A kind of upstream.

    Attributes:
        name: The folder of its answers.
        lane: How it is reached from a client's side.
        gather: One of its streams put together, without our readers.
        see: What one of its answers says, without our readers.
        stream_file: How the names of its streams end.
        send: The bytes of a stream as they are sent, given those of the file.
    """

    name: str
    lane: Callable[[ClientSide], Lane]
    gather: Callable[[bytes], Body]
    see: Callable[[Body], Seen]
    stream_file: str = "sse"
    send: Callable[[bytes], bytes] = bytes


def far(provider: str, model: str, side: FarSide) -> Callable[[ClientSide], Lane]:
    """The lane over a far side."""
    return lambda client: TranslatedLane(client, side, deployment(provider, model))


def gemini_path(deployment: Deployment, verb: str) -> bytes:
    return f"/models/{deployment.model}:{verb}".encode()


class _Facts:
    """What is known of the one model of the one Ollama host."""

    def recall(self, deployment: Deployment) -> OllamaFacts:
        return OllamaFacts(context_tokens=40960, capabilities=frozenset({"completion", "tools", "vision", "reasoning"}))


def _ollama(client: ClientSide) -> Lane:
    facts: Any = _Facts()
    media: Any = None
    services = OllamaServices(facts=facts, windows=ContextWindows(), media=media, estimate=estimate_text)
    return ChatLane(deployment("ollama", "qwen3:4b"), services, client)


def _azure(client: ClientSide) -> Lane:
    """A deployment of one's own name, under the dated version of the API."""
    place = deployment("azure", "chat-mini", "https://acme.openai.azure.com")
    path = azure_path(place, Operation.MESSAGES, None)
    return TranslatedLane(client, OpenAIChatFar(path=path, model=place.model), place)


def _bedrock(client: ClientSide) -> Lane:
    """With an API key, which nothing is signed with: what is signed differs with the time of day."""
    place = deployment("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    return TranslatedLane(client, BedrockFar(place, BedrockSigner(place, None)), place)


def _vertex(model: str, side_at: Callable[[VertexPlace], FarSide]) -> Callable[[ClientSide], Lane]:
    placed = deployment("vertex_ai", model)
    access = GoogleAccess(project="acme-prod", location="europe-west1")
    side = side_at(VertexPlace(placed, access, FixedCredential(Secret("token"))))
    return lambda client: TranslatedLane(client, side, placed)


_VERTEX_GEMINI: Final = _vertex("gemini-2.5-flash", lambda place: GeminiFar(place.model_path, call_ids=False))
_VERTEX_CLAUDE: Final = _vertex("claude-sonnet-4-5@20250929", lambda place: VertexClaudeFar(place, SYSTEM_CLOCK))

_ROWS: Final = (
    Wire("openai_chat", far("openai", "gpt-4.1-mini", OpenAIChatFar(OPENAI_HABITS)), chat_gather, chat_see),
    Wire("openai_responses", far("openai", "o3-pro", OpenAIResponsesFar()), responses_gather, responses_see),
    Wire("anthropic_messages", far("anthropic", "claude-sonnet-4-5", AnthropicFar()), anthropic_gather, anthropic_see),
    Wire("gemini", far("gemini", "gemini-2.5-flash", GeminiFar(gemini_path)), gemini_gather, gemini_see),
    Wire("cohere", far("cohere", "command-a-03-2025", CohereFar()), cohere_gather, cohere_see),
    Wire("mistral", far("mistral", "mistral-large-latest", MistralFar()), mistral_gather, mistral_see),
    Wire("ollama", _ollama, ollama_gather, ollama_see, "ndjson"),
    Wire("bedrock", _bedrock, bedrock_gather, bedrock_see, "events", bedrock_send),
    Wire("azure", _azure, azure_gather, chat_see),
    Wire("vertex_gemini", _VERTEX_GEMINI, gemini_gather, gemini_see),
    Wire("vertex_claude", _VERTEX_CLAUDE, anthropic_gather, anthropic_see),
)

WIRES: Final[Mapping[str, Wire]] = {row.name: row for row in _ROWS}
