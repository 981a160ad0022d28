"""Who talks to whom: the client dialects, and the kinds of upstream. One more of either is one more line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.call import Call
from pointsman.core.exchange import ClientDialect
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound
from pointsman.dialects.anthropic_messages.dialect import AnthropicDialect
from pointsman.dialects.gemini.client_replies import write_reply as write_gemini_reply
from pointsman.dialects.gemini.client_requests import read_request as read_gemini_request
from pointsman.dialects.gemini.client_streams import StreamWriter as GeminiStreamWriter
from pointsman.dialects.gemini.dialect import GeminiChatDialect
from pointsman.dialects.gemini.errors import read_error as read_gemini_error
from pointsman.dialects.gemini.knobs import refuse_or_drop as fit_to_gemini
from pointsman.dialects.gemini.replies import read_reply as read_gemini_reply
from pointsman.dialects.gemini.requests import path_of
from pointsman.dialects.gemini.requests import write_request as write_gemini_request
from pointsman.dialects.gemini.streams import StreamReader as GeminiStreamReader
from pointsman.dialects.gemini.types import GeminiTarget
from pointsman.dialects.ollama.dialect import OllamaChatDialect
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.dialects.openai_responses.dialect import ResponsesDialect
from pointsman.providers.mapping import (
    anthropic_messages,
    gemini,
    ollama_chat,
    openai_chat,
    openai_others,
    openai_responses,
    samples,
)
from pointsman.providers.mapping.plain import Plain, gemini_embedding, ollama_completion, ollama_embedding
from pointsman.providers.mapping.probes import Probe
from pointsman.providers.ollama.far import OllamaFar
from pointsman.providers.registry import find_provider
from pointsman.providers.translated.anthropic import AnthropicClient, AnthropicFar
from pointsman.providers.translated.ollama import OllamaChatClient
from pointsman.providers.translated.openai import OpenAIChatClient, OpenAIChatFar
from pointsman.providers.translated.responses import ResponsesClient
from pointsman.providers.translated.sides import ClientSide, FarSide, Reading, SseFrames, Writing
from pointsman.providers.translated.tools import demand_known_tools

__all__ = ["CLIENT_PARTIES", "FAR_PARTIES", "ClientParty", "FarParty", "far_party_of"]


class ClientParty(msgspec.Struct, frozen=True):
    """A client dialect: its name, what it is called, how it is read, its plainest request and its catalogue.

    ``side`` None: its requests are no conversations.
    """

    name: str
    title: str
    operation: Operation
    dialect: ClientDialect
    side: ClientSide | None
    base: str
    probes: tuple[Probe, ...]


class FarParty(msgspec.Struct, frozen=True):
    """A kind of upstream.

    Attributes:
        native: The dialect of :class:`~pointsman.providers.registry.Provider`; None: OpenAI's.
        sample: One whole answer of its, to see what the gateway makes of it.
        express: What it is asked in the client's own words.
        fetches: Whether remote images are put into its requests by the gateway.
        plain: What it can do where there is no conversation.
    """

    name: str
    title: str
    native: str | None
    deployment: Deployment
    far: FarSide
    sample: bytes
    express: frozenset[Operation] = frozenset()
    fetches: bool = False
    plain: Mapping[Operation, Plain] = {}

    def serves(self, client: ClientParty) -> bool:
        """Whether this kind of upstream has anything for what the client asks."""
        return client.side is not None or client.operation in self.express or client.operation in self.plain


class _GeminiClient:
    """See :class:`~pointsman.providers.translated.sides.ClientSide`."""

    def read(self, ask: Ask) -> Call:
        """See the protocol."""
        return read_gemini_request(ask.body(), ask.model, stream=ask.stream)

    def writing(self, call: Call, _ask: Ask) -> Writing:
        """See the protocol."""
        return Writing(GeminiStreamWriter(call), lambda reply: write_gemini_reply(reply, call))


class _GeminiFar:
    """See :class:`~pointsman.providers.translated.sides.FarSide`."""

    def write(self, call: Call, deployment: Deployment) -> Outbound:
        """See the protocol."""
        demand_known_tools(call, "gemini")
        call = fit_to_gemini(call, drop_params=deployment.drop_params, additional=deployment.additional_drop_params)
        target = GeminiTarget(deployment.model)
        verb = "streamGenerateContent" if call.stream else "generateContent"
        return Outbound(path_of(target, verb, stream=call.stream), write_gemini_request(call, target))

    def reading(self, call: Call, deployment: Deployment) -> Reading:
        """See the protocol."""
        reader = GeminiStreamReader(deployment.model, single_tool_call=call.parallel_tool_calls is False)
        return Reading(SseFrames(), reader, lambda body: read_gemini_reply(body, reader), read_gemini_error)


CLIENT_PARTIES: Final = (
    ClientParty("openai_chat", "OpenAI Chat Completions", Operation.CHAT, OpenAIDialect(), OpenAIChatClient(),
                openai_chat.BASE, openai_chat.PROBES),
    ClientParty("openai_responses", "OpenAI Responses", Operation.RESPONSES, ResponsesDialect(), ResponsesClient(),
                openai_responses.BASE, openai_responses.PROBES),
    ClientParty("anthropic_messages", "Anthropic Messages", Operation.MESSAGES, AnthropicDialect(), AnthropicClient(),
                anthropic_messages.BASE, anthropic_messages.PROBES),
    ClientParty("gemini", "Gemini generateContent", Operation.CHAT, GeminiChatDialect(), _GeminiClient(),
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
        capabilities=frozenset({"function_calling", "reasoning", "response_schema", "vision"}),
    )  # fmt: skip


FAR_PARTIES: Final = (
    FarParty("openai", "OpenAI and compatible servers", None, _deployment("openai", "gpt-4.1"),
             OpenAIChatFar(), samples.OPENAI, frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING})),
    FarParty("anthropic", "Anthropic", "anthropic", _deployment("anthropic", "claude-sonnet-4-5"),
             AnthropicFar(), samples.ANTHROPIC),
    FarParty("gemini", "Gemini", "gemini", _deployment("gemini", "gemini-2.5-flash"), _GeminiFar(), samples.GEMINI,
             plain={Operation.EMBEDDING: gemini_embedding}),
    FarParty("ollama", "Ollama", "ollama", _deployment("ollama", "qwen3"), OllamaFar(), samples.OLLAMA, fetches=True,
             plain={Operation.COMPLETION: ollama_completion, Operation.EMBEDDING: ollama_embedding}),
)  # fmt: skip
"""In the order in which they are told."""


def far_party_of(deployment: Deployment) -> FarParty | None:
    """The kind of upstream that a deployment is, with that deployment; None: none that is listed."""
    provider = find_provider(deployment.provider)
    native = None if provider is None else provider.native
    found = next((party for party in FAR_PARTIES if party.native == native), None)
    if found is None:
        return None
    # What the operator adds or leaves out is none of the dialect's doing.
    bare = msgspec.structs.replace(deployment, pinned={}, additional_drop_params=(), allowed_openai_params=())
    return msgspec.structs.replace(found, deployment=bare)
