"""Who talks to whom: the client dialects, and the kinds of upstream. One more of either is one more line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pointsman.core.access import AwsAccess
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Deployment, Operation
from pointsman.dialects.anthropic_messages.dialect import AnthropicDialect
from pointsman.dialects.gemini.dialect import GeminiChatDialect
from pointsman.dialects.ollama.dialect import OllamaChatDialect
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.dialects.openai_responses.dialect import ResponsesDialect
from pointsman.providers.bedrock.far import BedrockFar
from pointsman.providers.bedrock.signer import BedrockSigner
from pointsman.providers.fitting import fitting_for
from pointsman.providers.mapping import (
    anthropic_messages,
    gemini,
    ollama_chat,
    openai_chat,
    openai_others,
    openai_responses,
    samples,
)
from pointsman.providers.mapping.plain import (
    Plain,
    gemini_embedding,
    ollama_completion,
    ollama_embedding,
    watsonx_embedding,
)
from pointsman.providers.mapping.probes import Probe
from pointsman.providers.media import MediaKind
from pointsman.providers.ollama.far import OllamaFar
from pointsman.providers.registry import find_provider
from pointsman.providers.translated.anthropic import AnthropicClient, AnthropicFar
from pointsman.providers.translated.cohere import CohereFar
from pointsman.providers.translated.gemini import GeminiFar
from pointsman.providers.translated.gemini_client import GeminiClient
from pointsman.providers.translated.mistral import MistralFar
from pointsman.providers.translated.ollama import OllamaChatClient
from pointsman.providers.translated.openai import OpenAIChatClient, OpenAIChatFar
from pointsman.providers.translated.openai_responses import RESPONSES_MODE, OpenAIResponsesFar
from pointsman.providers.translated.remote_media import BY_VALUE, DOCUMENTS_BY_VALUE
from pointsman.providers.translated.responses import ResponsesClient
from pointsman.providers.translated.sides import ClientSide, FarSide
from pointsman.providers.watsonx import IMAGES_BY_VALUE, WatsonxFar

__all__ = ["CLIENT_PARTIES", "FAR_PARTIES", "ClientParty", "FarParty", "far_party_of"]


class ClientParty(msgspec.Struct, frozen=True):
    """A client dialect: its name, what it is called, how it is read, its plainest request and its catalogue.

    ``side`` None: its requests are no conversations. ``kept`` are parameters that lean on what the gateway stores, of
    which there is nothing here.
    """

    name: str
    title: str
    operation: Operation
    dialect: ClientDialect
    side: ClientSide | None
    base: str
    probes: tuple[Probe, ...]
    kept: frozenset[str] = frozenset()


class FarParty(msgspec.Struct, frozen=True):
    """A kind of upstream.

    Attributes:
        native: The dialect of :class:`~pointsman.providers.registry.Provider`; None: OpenAI's.
        far: Makes its far side for a deployment.
        sample: One whole answer of its, to see what the gateway makes of it.
        express: What it is asked in the client's own words.
        fetches: Which remote things are put into its requests by the gateway.
        plain: What it can do where there is no conversation.
    """

    name: str
    title: str
    native: str | None
    deployment: Deployment
    far: Callable[[Deployment], FarSide]
    sample: bytes
    express: frozenset[Operation] = frozenset()
    fetches: frozenset[MediaKind] = frozenset()
    plain: Mapping[Operation, Plain] = {}

    def serves(self, client: ClientParty) -> bool:
        """Whether this kind of upstream has anything for what the client asks."""
        return client.side is not None or client.operation in self.express or client.operation in self.plain


CLIENT_PARTIES: Final = (
    ClientParty("openai_chat", "OpenAI Chat Completions", Operation.CHAT, OpenAIDialect(), OpenAIChatClient(),
                openai_chat.BASE, openai_chat.PROBES),
    ClientParty("openai_responses", "OpenAI Responses", Operation.RESPONSES, ResponsesDialect(), ResponsesClient(),
                openai_responses.BASE, openai_responses.PROBES,
                frozenset({"background", "conversation", "previous_response_id"})),
    ClientParty("anthropic_messages", "Anthropic Messages", Operation.MESSAGES, AnthropicDialect(), AnthropicClient(),
                anthropic_messages.BASE, anthropic_messages.PROBES),
    ClientParty("gemini", "Gemini generateContent", Operation.GEMINI_CHAT, GeminiChatDialect(), GeminiClient(),
                gemini.BASE, gemini.PROBES),
    ClientParty("ollama_chat", "Ollama /api/chat", Operation.OLLAMA_CHAT, OllamaChatDialect(), OllamaChatClient(),
                ollama_chat.BASE, ollama_chat.PROBES),
    ClientParty("openai_completions", "OpenAI completions (legacy)", Operation.COMPLETION, OpenAIDialect(), None,
                openai_others.COMPLETION_BASE, openai_others.COMPLETION_PROBES),
    ClientParty("openai_embeddings", "OpenAI embeddings", Operation.EMBEDDING, OpenAIDialect(), None,
                openai_others.EMBEDDING_BASE, openai_others.EMBEDDING_PROBES),
)  # fmt: skip
"""In the order in which they are told."""


def _deployment(provider: str, model: str) -> Deployment:
    """A model of that provider that can do what its best can."""
    return Deployment(
        id="probe", group="probe", provider=provider, model=model, litellm_model=f"{provider}/{model}",
        api_base="http://upstream.invalid", price=None, output_tokens_max=16_384,
        capabilities=frozenset({"tools", "reasoning", "response_schema", "vision"}),
    )  # fmt: skip


def _path(deployment: Deployment, verb: str) -> bytes:
    """Where Gemini is asked, in any of its places."""
    return f"/models/{deployment.model}:{verb}".encode()


def _bedrock(deployment: Deployment) -> BedrockFar:
    """The far side without keys, so that nothing is signed; its region changes nothing about a body."""
    placed = msgspec.structs.replace(deployment, access=AwsAccess(region="us-east-1"))
    return BedrockFar(placed, BedrockSigner(placed, None))


FAR_PARTIES: Final = (
    FarParty(
        "openai",
        "OpenAI and compatible servers",
        None,
        _deployment("openai", "gpt-4.1"),
        lambda deployment: OpenAIChatFar(fitting_for(deployment)),
        samples.OPENAI,
        frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING}),
        DOCUMENTS_BY_VALUE.kinds,
    ),
    FarParty(
        "openai_responses",
        "OpenAI, models for Responses only",
        "openai_responses",
        _deployment("openai", "o3-pro"),
        lambda _deployment: OpenAIResponsesFar(),
        samples.RESPONSES,
        fetches=DOCUMENTS_BY_VALUE.kinds,
    ),
    FarParty(
        "anthropic",
        "Anthropic",
        "anthropic",
        _deployment("anthropic", "claude-sonnet-4-5"),
        lambda _deployment: AnthropicFar(),
        samples.ANTHROPIC,
        frozenset({Operation.MESSAGES}),
    ),
    FarParty(
        "gemini",
        "Gemini",
        "gemini",
        _deployment("gemini", "gemini-2.5-flash"),
        lambda _deployment: GeminiFar(_path),
        samples.GEMINI,
        fetches=BY_VALUE.kinds,
        plain={Operation.EMBEDDING: gemini_embedding},
    ),
    FarParty(
        "azure",
        "Azure OpenAI",
        "azure",
        _deployment("azure", "gpt-4.1"),
        lambda _deployment: OpenAIChatFar(),
        samples.OPENAI,
        frozenset({Operation.CHAT, Operation.EMBEDDING}),
        DOCUMENTS_BY_VALUE.kinds,
    ),
    FarParty(
        "vertex",
        "Vertex AI (Gemini)",
        "vertex",
        _deployment("vertex_ai", "gemini-2.5-flash"),
        lambda _deployment: GeminiFar(_path, call_ids=False),
        samples.GEMINI,
        fetches=BY_VALUE.kinds,
    ),
    FarParty(
        "bedrock",
        "Amazon Bedrock (Claude)",
        "bedrock",
        _deployment("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        _bedrock,
        samples.BEDROCK,
        fetches=BY_VALUE.kinds,
    ),
    FarParty(
        "mistral",
        "Mistral",
        "mistral",
        _deployment("mistral", "mistral-large-latest"),
        lambda _deployment: MistralFar(),
        samples.OPENAI,
    ),
    FarParty(
        "cohere",
        "Cohere",
        "cohere",
        _deployment("cohere", "command-a-03-2025"),
        lambda _deployment: CohereFar(),
        samples.COHERE,
    ),
    FarParty(
        "watsonx",
        "IBM watsonx.ai",
        "watsonx",
        _deployment("watsonx", "openai/gpt-oss-120b"),
        lambda _deployment: WatsonxFar(),
        samples.OPENAI,
        fetches=IMAGES_BY_VALUE.kinds,
        plain={Operation.EMBEDDING: watsonx_embedding},
    ),
    FarParty(
        "ollama",
        "Ollama",
        "ollama",
        _deployment("ollama", "qwen3"),
        lambda _deployment: OllamaFar(),
        samples.OLLAMA,
        fetches=BY_VALUE.kinds,
        plain={Operation.COMPLETION: ollama_completion, Operation.EMBEDDING: ollama_embedding},
    ),
)
"""In the order in which they are told."""


def far_party_of(deployment: Deployment) -> FarParty | None:
    """The kind of upstream that a deployment is, with that deployment; None: none that is listed."""
    provider = find_provider(deployment.provider)
    native = None if provider is None else provider.native
    if native == "vertex" and deployment.model.startswith("claude"):
        native = "anthropic"
    if deployment.mode == RESPONSES_MODE and native in {None, "azure"}:
        native = "openai_responses"
    found = next((party for party in FAR_PARTIES if party.native == native), None)
    if found is None:
        return None
    # What the operator adds or leaves out is none of the dialect's doing.
    bare = msgspec.structs.replace(deployment, pinned={}, additional_drop_params=(), allowed_openai_params=())
    return msgspec.structs.replace(found, deployment=bare)
