"""Which rows of the catalogue a provider's model may mean, best first. Pure string rules.

The first six candidates and :func:`same_provider` follow LiteLLM 1.109.1, so that the same configuration
costs the same; what comes after them only finds rows where LiteLLM finds none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["LOCAL_PROVIDERS", "candidates", "embeds", "is_local", "same_provider", "undated"]

LOCAL_PROVIDERS: Final = frozenset(
    {
        "docker_model_runner",
        "hosted_vllm",
        "infinity",
        "lemonade",
        "llama.cpp",
        "llama_cpp",
        "llamafile",
        "lm_studio",
        "ollama",
        "oobabooga",
        "sglang",
        "vllm",
        "xinference",
    }
)
"""Providers whose models run on the operator's own machines, and cost nothing unless the operator says so."""

_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "azure_text": "azure",
        "bedrock_converse": "bedrock",
        "cohere_chat": "cohere",
        "ollama_chat": "ollama",
        "text-completion-codestral": "codestral",
        "text-completion-inception": "inception",
        "text-completion-openai": "openai",
        "vertex_ai_beta": "vertex_ai",
    }
)
"""Names under which LiteLLM addresses one and the same service in another way."""

_FAMILIES: Final = ("bedrock", "fireworks_ai", "vertex_ai")
"""Providers whose rows are tagged with the provider's name and a suffix (``vertex_ai-llama_models``)."""

_RESELLERS: Final = frozenset({"github", "litellm_proxy"})
"""Providers without rows of their own: the models of all others under the names of those."""

_ISO_DATE: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$", re.ASCII)
_ANY_DATE: Final = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2})$", re.ASCII)
_VERSION: Final = re.compile(r"-\d+$", re.ASCII)
_FINE_TUNE: Final = re.compile(r"(?::[^:]*){3}$")
_BEDROCK_ROUTE: Final = re.compile(r"^(?:converse|converse_like|invoke)/")
_BEDROCK_REGION: Final = re.compile(r"^(?:us-gov|global|apac|us|eu|au|jp|ca)\.")
_TAG: Final = re.compile(r":[^:/]*$")
_LATEST: Final = re.compile(r"[-@:]latest$")

_EMBEDS: Final = re.compile(
    r"embed|(?:^|[^a-z0-9])(?:bge|e5|gte|minilm|mxbai|paraphrase)(?![a-z0-9])(?!.*rerank)", re.ASCII | re.IGNORECASE
)


def embeds(model: str) -> bool:
    """Whether a name is that of an embedding model: their makers say so in it, or name a family of nothing else."""
    return _EMBEDS.search(model) is not None


def is_local(provider: str) -> bool:
    """Whether the provider's models run on the operator's own machines."""
    return _canonical(provider.lower()) in LOCAL_PROVIDERS


def same_provider(provider: str, tag: str) -> bool:
    """Whether a row tagged ``tag`` speaks of models that ``provider`` serves.

    Azure AI also serves OpenAI's models, at OpenAI's prices; so LiteLLM counts them.
    """
    provider, tag = _canonical(provider.lower()), _canonical(tag.lower())
    if provider == tag or provider in _RESELLERS:
        return True
    if provider == "azure_ai":
        return tag in {"azure", "openai"}
    return any(provider.startswith(family) and tag.startswith(family) for family in _FAMILIES)


def candidates(provider: str, model: str) -> Iterator[str]:
    """Keys to try, best first, for a model name with or without ``provider/`` before it.

    1. ``provider/model``, 2. ``model`` as given, 3. ``model`` without the provider's prefix, 4. and 5. both
    without the version or region that this provider's names carry, 6. ``provider/model`` once more with the prefix kept
    (``openrouter/openrouter/auto``); then 7. without a date in any form (``-20251001``, ``@20251001``),
    8. without ``-latest``, and 9. for local providers without the ``:tag``, which there names a size or a
    quantization of the same model. The tags of others (``:free``, ``:online``) change the price: kept.
    """
    canonical = _canonical(provider.lower())
    bare = _without_prefix(provider, canonical, model)
    shorter = _versionless(canonical)(bare)
    seen = set()
    for name in (
        *(f"{prefix}/{bare}" for prefix in dict.fromkeys((provider, canonical))),
        model,
        bare,
        f"{canonical}/{shorter}",
        shorter,
        f"{canonical}/{model}",
        *_widened(canonical, bare),
    ):
        if name not in seen:
            seen.add(name)
            yield name


def undated(provider: str, model: str) -> tuple[str, ...]:
    """The names to look for with any date behind them, if ``model`` ends in ``latest``; else none."""
    canonical = _canonical(provider.lower())
    bare = _without_prefix(provider, canonical, model)
    name = _LATEST.sub("", bare)
    return () if name == bare else (f"{canonical}/{name}", name)


def _widened(provider: str, bare: str) -> Iterator[str]:
    names = [_ANY_DATE.sub("", bare), _LATEST.sub("", bare)]
    if provider in LOCAL_PROVIDERS:
        names.append(_TAG.sub("", bare))
    for name in names:
        if name != bare:
            yield f"{provider}/{name}"
            yield name


def _versionless(provider: str) -> Callable[[str], str]:
    """How LiteLLM shortens the names of a provider's models to find their row."""
    if provider == "bedrock":
        return lambda name: _BEDROCK_REGION.sub("", name)
    if provider in {"vertex_ai", "gemini", "databricks"}:
        return lambda name: _VERSION.sub("", name)
    return _without_fine_tune_or_date


def _without_fine_tune_or_date(name: str) -> str:
    return _FINE_TUNE.sub("", name) if name.startswith("ft:") else _ISO_DATE.sub("", name)


def _without_prefix(provider: str, canonical: str, model: str) -> str:
    for prefix in (provider, canonical):
        if model.lower().startswith(f"{prefix.lower()}/"):
            model = model[len(prefix) + 1 :]
            break
    return _BEDROCK_ROUTE.sub("", model) if canonical == "bedrock" else model


def _canonical(provider: str) -> str:
    return _ALIASES.get(provider, provider)
