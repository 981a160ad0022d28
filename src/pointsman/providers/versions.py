"""Which header that names beta features an upstream is sent: those of its own family, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.providers.registry import find_provider

__all__ = ["beta_headers", "family_of"]

_FAMILIES: Final[Mapping[str | None, str]] = MappingProxyType({None: "openai-beta", "anthropic": "anthropic-beta"})
"""By the dialect that a provider has of its own; None: it speaks OpenAI's."""


def family_of(deployment: Deployment) -> str | None:
    """The header in question for a deployment; None: its kind of upstream has none."""
    provider = find_provider(deployment.provider)
    return _FAMILIES.get(None if provider is None else provider.native)


def beta_headers(
    versions: Iterable[tuple[str, str]], family: str | None, own: Mapping[str, Secret]
) -> tuple[tuple[str, Secret], ...]:
    """The header for one request: what the operator has in ``own`` and what the client names, each feature once."""
    asked = next((value for name, value in versions if name == family), None)
    if asked is None or family is None:
        return ()
    said = [value.reveal() for name, value in own.items() if name.lower() == family]
    features = [feature.strip() for text in (*said, asked) for feature in text.split(",")]
    return ((family, Secret(",".join(dict.fromkeys(filter(None, features))))),)
