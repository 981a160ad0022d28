"""Which providers there are, and which one a ``provider/model`` string means."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

__all__ = [
    "ANTHROPIC",
    "AZURE",
    "AZURE_AI",
    "BEDROCK",
    "COHERE",
    "GEMINI",
    "OLLAMA",
    "VERTEX",
    "WATSONX",
    "Habits",
    "Provider",
    "Service",
    "find_provider",
    "is_guess",
    "providers",
    "split_model",
]

Service = Literal[
    "chat", "completions", "embeddings", "images", "moderations", "rerank", "responses", "speech", "transcriptions"
]
"""What can be asked of a provider, by the name of the route."""

_VARIABLE: Final = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_ADDRESS_PART: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


class Habits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a service's route departs from OpenAI's; ``compatible.toml`` tells what each field means.

    Only renames, drops and refusals mean something beyond chats.
    """

    developer_role: bool = False
    renames: Mapping[str, str] = {}
    drops: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    refuses_by_model: Mapping[str, tuple[str, ...]] = {}
    reasoning: Literal["reasoning_content", "reasoning", "none"] = "reasoning_content"
    reasoning_required: bool = False
    thinking: Literal["", "effort", "thinking", "thinking_and_effort", "enable_thinking", "reasoning"] = ""
    efforts: tuple[str, ...] = ()


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of upstream. ``native`` is the dialect it needs where it is not OpenAI's.

    ``cloud`` names whose kind of access it takes (``azure``, ``aws``, ``google``, ``ibm``); empty: an address and a key
    do. ``keys`` and ``bases`` are variables of the environment, ``key_header`` bears the key, ``headers`` go with every
    request. ``api_base`` may hold variables, as ``{NAME}``. ``long_tail``: it is reached through LiteLLM's library.
    ``reached`` says in words what else leads to it. ``compatible.toml`` tells what the other fields mean.
    """

    name: str
    title: str = ""
    api_base: str | None = None
    keys: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    local: bool = False
    native: str | None = None
    cloud: str = ""
    key_header: str = "Authorization"
    headers: Mapping[str, str] = {}
    long_tail: bool = False
    base_tail: str = ""
    base_strips: tuple[str, ...] = ()
    partner_first: bool = False
    serves: tuple[Service, ...] = ("chat",)
    docs: str = ""
    reached: str = ""
    chat: Habits = Habits()
    embedding: Habits = Habits()

    @property
    def needs(self) -> tuple[str, ...]:
        """The variables of the environment that its usual address is made from."""
        return tuple(_VARIABLE.findall(self.api_base or ""))

    def base_in(self, environment: Mapping[str, str]) -> str | None:
        """The address, from the environment or as usual; None where there is none, or a part of it is missing."""
        given = next((environment[name] for name in self.bases if environment.get(name)), None)
        if given is not None:
            return self.completed(given)
        if self.api_base is None or not all(_ADDRESS_PART.fullmatch(environment.get(name, "")) for name in self.needs):
            return None
        return _VARIABLE.sub(lambda found: environment[found[1]], self.api_base)

    def completed(self, base: str) -> str:
        """An operator's address as requests are sent below it: without the path of one route, with the tail."""
        base = base.rstrip("/")
        for ending in self.base_strips:
            base = base.removesuffix(ending)
        return base if not self.base_tail or base.endswith(self.base_tail) else base + self.base_tail

    def upstream_model(self, model: str, base: str) -> str:
        """What the service at ``base`` calls a model that LiteLLM's users call ``model``."""
        partner, _, rest = model.partition("/")
        if self.partner_first and base == self.api_base and "/" in rest:
            return f"{rest}:{partner}"
        return model

    def key_in(self, environment: Mapping[str, str]) -> str | None:
        """The key in the environment."""
        return next((environment[name] for name in self.keys if environment.get(name)), None)


OLLAMA: Final = Provider(
    "ollama",
    title="Ollama, and Ollama Cloud with api_base https://ollama.com",
    api_base="http://127.0.0.1:11434",
    keys=("OLLAMA_API_KEY",),
    bases=("OLLAMA_API_BASE",),
    local=True,
    native="ollama",
    serves=("chat", "completions", "embeddings"),
    docs="https://docs.litellm.ai/docs/providers/ollama",
)

ANTHROPIC: Final = Provider(
    "anthropic",
    title="Anthropic",
    api_base="https://api.anthropic.com",
    keys=("ANTHROPIC_API_KEY",),
    bases=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    native="anthropic",
    key_header="x-api-key",
    headers={"anthropic-version": "2023-06-01"},
    docs="https://docs.litellm.ai/docs/providers/anthropic",
)

COHERE: Final = Provider(
    "cohere",
    title="Cohere",
    api_base="https://api.cohere.com",
    keys=("COHERE_API_KEY", "CO_API_KEY"),
    bases=("COHERE_API_BASE",),
    native="cohere",
    base_strips=("/chat", "/v1", "/v2"),
    serves=("chat", "embeddings", "rerank"),
    docs="https://docs.litellm.ai/docs/providers/cohere",
)

BEDROCK: Final = Provider(
    "bedrock",
    title="Amazon Bedrock",
    keys=("AWS_BEARER_TOKEN_BEDROCK",),
    native="bedrock",
    cloud="aws",
    serves=("chat", "embeddings", "images", "rerank"),
    docs="https://docs.litellm.ai/docs/providers/bedrock",
    reached="the address of its region (`AWS_REGION_NAME`, `AWS_REGION`), and AWS's keys, profile or role",
)

AZURE: Final = Provider(
    "azure",
    title="Azure OpenAI",
    keys=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    bases=("AZURE_API_BASE",),
    native="azure",
    cloud="azure",
    serves=("chat", "completions", "embeddings"),
    docs="https://docs.litellm.ai/docs/providers/azure",
)

AZURE_AI: Final = Provider(
    "azure_ai",
    title="Azure AI Foundry",
    keys=("AZURE_AI_API_KEY",),
    bases=("AZURE_AI_API_BASE",),
    native="azure",
    cloud="azure",
    serves=("chat", "embeddings"),
    docs="https://docs.litellm.ai/docs/providers/azure_ai",
)

GEMINI: Final = Provider(
    "gemini",
    title="Google AI Studio (Gemini)",
    api_base="https://generativelanguage.googleapis.com",
    keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    bases=("GEMINI_API_BASE",),
    native="gemini",
    key_header="x-goog-api-key",
    serves=("chat", "embeddings", "images"),
    docs="https://docs.litellm.ai/docs/providers/gemini",
)

VERTEX: Final = Provider(
    "vertex_ai",
    title="Google Vertex AI",
    bases=("VERTEXAI_API_BASE",),
    native="vertex",
    cloud="google",
    serves=("chat", "embeddings", "images", "rerank"),
    docs="https://docs.litellm.ai/docs/providers/vertex",
    reached="the address of its location (`VERTEXAI_LOCATION`), and Google's credentials",
)

WATSONX: Final = Provider(
    "watsonx",
    title="IBM watsonx.ai",
    keys=("WATSONX_APIKEY", "WATSONX_API_KEY", "WX_API_KEY"),
    bases=("WATSONX_API_BASE", "WATSONX_URL", "WX_URL", "WML_URL"),
    native="watsonx",
    cloud="ibm",
    serves=("chat", "embeddings"),
    docs="https://docs.litellm.ai/docs/providers/watsonx",
)


@cache
def providers() -> Mapping[str, Provider]:
    """Every provider by its LiteLLM prefix."""
    rows = tomllib.loads((Path(__file__).parent / "compatible.toml").read_text("utf-8"))
    compatible = {name: msgspec.convert({"name": name, **row}, Provider) for name, row in rows.items()}
    return {
        **compatible,
        "ollama": OLLAMA,
        "ollama_chat": OLLAMA,
        "anthropic": ANTHROPIC,
        "azure": AZURE,
        "azure_text": AZURE,
        "azure_ai": AZURE_AI,
        "bedrock": BEDROCK,
        "bedrock_converse": BEDROCK,
        "cohere": COHERE,
        "cohere_chat": COHERE,
        "gemini": GEMINI,
        "vertex_ai": VERTEX,
        "vertex_ai_beta": VERTEX,
        "watsonx": WATSONX,
    }


def find_provider(name: str) -> Provider | None:
    """The provider with this LiteLLM prefix, or None."""
    own = providers().get(name)
    return Provider(name, long_tail=True) if own is None and name in _long_tail() else own


@cache
def _long_tail() -> frozenset[str]:
    """The prefixes for which there is nothing of our own."""
    lines = (Path(__file__).parent / "long_tail.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def split_model(model: str, forced: str | None, *, has_base: bool) -> tuple[str, str]:
    """Provider prefix and upstream model of a ``litellm_params.model``.

    ``forced`` is ``custom_llm_provider``. Without a prefix the provider is ``openai``, which may be a guess; with an
    address of its own, a first part that is no provider's name belongs to the model (``org/model``).
    """
    prefix, slash, rest = model.partition("/")
    if forced:
        return forced, rest if slash and prefix == forced else model
    if not slash or (has_base and find_provider(prefix) is None):
        return "openai", model
    return prefix, rest


def is_guess(model: str, forced: str | None, *, has_base: bool) -> bool:
    """Whether nothing but the model's name can tell that :func:`split_model` is right about ``openai``."""
    return not forced and not has_base and "/" not in model
