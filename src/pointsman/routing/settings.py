"""What the operator decides about routing, in LiteLLM's names, ready for use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.routing.rules.book import Rulebook

__all__ = ["FallbackLists", "RoutingSettings"]

_RETRIES: Final = 2
_HOPS: Final = 5


class FallbackLists(msgspec.Struct, frozen=True):
    """The models to turn to, by the model that failed; ``*`` stands for any that has no list of its own."""

    general: Mapping[str, tuple[str, ...]] = {}
    context_window: Mapping[str, tuple[str, ...]] = {}
    content_policy: Mapping[str, tuple[str, ...]] = {}
    default: tuple[str, ...] = ()


class RoutingSettings(msgspec.Struct, frozen=True):
    """Times are in seconds. ``num_retries`` counts further attempts within one model, ``max_fallbacks`` further models.

    Its default is LiteLLM's, which has it from the OpenAI SDK. ``rulebook`` None: the operator has no rules.
    """

    strategy: str = "simple-shuffle"
    num_retries: int = _RETRIES
    retry_after: float = 0.0
    fallbacks: FallbackLists = FallbackLists()
    max_fallbacks: int = _HOPS
    cooldown_seconds: float = 5.0
    cools_down: bool = True
    rulebook: Rulebook | None = None
