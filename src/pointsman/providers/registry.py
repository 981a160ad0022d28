"""Which providers there are, and which one a ``provider/model`` string means."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["ANTHROPIC", "BEDROCK", "OLLAMA", "Provider", "find_provider", "is_guess", "providers", "split_model"]


class Provider(msgspec.Struct, frozen=True):
    """A kind of upstream. ``native`` is the dialect it needs where it is not OpenAI's.

    ``cloud`` names whose kind of access it takes (``azure``, ``aws``, ``google``); empty: an address and a key do.
    ``keys`` and ``bases`` are variables of the environment, ``key_header`` bears the key, ``headers`` go with every
    request.
    """

    name: str
    api_base: str | None = None
    keys: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    local: bool = False
    native: str | None = None
    cloud: str = ""
    key_header: str = "Authorization"
    headers: Mapping[str, str] = {}

    def base_in(self, environment: Mapping[str, str]) -> str | None:
        """The address, from the environment or as usual."""
        return next((environment[name] for name in self.bases if environment.get(name)), self.api_base)

    def key_in(self, environment: Mapping[str, str]) -> str | None:
        """The key in the environment."""
        return next((environment[name] for name in self.keys if environment.get(name)), None)


OLLAMA: Final = Provider(
    "ollama",
    api_base="http://127.0.0.1:11434",
    keys=("OLLAMA_API_KEY",),
    bases=("OLLAMA_API_BASE",),
    local=True,
    native="ollama",
)

ANTHROPIC: Final = Provider(
    "anthropic",
    api_base="https://api.anthropic.com",
    keys=("ANTHROPIC_API_KEY",),
    bases=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    native="anthropic",
    key_header="x-api-key",
    headers={"anthropic-version": "2023-06-01"},
)

BEDROCK: Final = Provider("bedrock", keys=("AWS_BEARER_TOKEN_BEDROCK",), native="bedrock", cloud="aws")


@cache
def providers() -> Mapping[str, Provider]:
    """Every provider by its LiteLLM prefix."""
    rows = tomllib.loads((Path(__file__).parent / "compatible.toml").read_text("utf-8"))
    compatible = {name: msgspec.convert({"name": name, **row}, Provider) for name, row in rows.items()}
    bedrock = {"bedrock": BEDROCK, "bedrock_converse": BEDROCK}
    return {**compatible, "ollama": OLLAMA, "ollama_chat": OLLAMA, "anthropic": ANTHROPIC, **bedrock}


def find_provider(name: str) -> Provider | None:
    """The provider with this LiteLLM prefix, or None."""
    return providers().get(name)


def split_model(model: str, forced: str | None, *, has_base: bool) -> tuple[str, str]:
    """Provider prefix and upstream model of a ``litellm_params.model``.

    ``forced`` is ``custom_llm_provider``. Without a prefix the provider is ``openai``, which may be a guess; with an
    address of its own, a first part that is no provider's name belongs to the model (``org/model``).
    """
    prefix, slash, rest = model.partition("/")
    if forced:
        return forced, rest if slash and prefix == forced else model
    if not slash or (prefix not in providers() and has_base):
        return "openai", model
    return prefix, rest


def is_guess(model: str, forced: str | None, *, has_base: bool) -> bool:
    """Whether nothing but the model's name can tell that :func:`split_model` is right about ``openai``."""
    return not forced and not has_base and "/" not in model
