"""What the operator decides about routing, in LiteLLM's names, ready for use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.rules import Target
from pointsman.routing.failures import Failure

__all__ = ["FallbackLists", "RetryPolicy", "RoutingSettings"]

_RETRIES: Final = 2
_HOPS: Final = 5

RetryPolicy = Mapping[Failure, int]
"""How many retries (or failures) there may be after a failure of some kind; ``Failure.OTHER`` stands for the rest."""


class FallbackLists(msgspec.Struct, frozen=True):
    """The models to turn to, by the model that failed; ``*`` stands for any that has no list of its own."""

    general: Mapping[str, tuple[Target, ...]] = {}
    context_window: Mapping[str, tuple[Target, ...]] = {}
    content_policy: Mapping[str, tuple[Target, ...]] = {}
    default: tuple[Target, ...] = ()


class RoutingSettings(msgspec.Struct, frozen=True):
    """Times are in seconds. ``num_retries`` counts further attempts of a request, ``max_fallbacks`` further models.

    Its default is LiteLLM's, which has it from the OpenAI SDK. ``wait_seconds_max`` bounds all the pauses of a request
    together, ``retry_budget`` the retries of the process, as a share of its requests. ``allowed_fails`` None: the share
    of failures decides.
    """

    strategy: str = "simple-shuffle"
    num_retries: int = _RETRIES
    retry_after: float = 0.0
    fallbacks: FallbackLists = FallbackLists()
    max_fallbacks: int = _HOPS
    cooldown_seconds: float = 5.0
    cools_down: bool = True
    retry_policy: RetryPolicy = {}
    group_retry_policies: Mapping[str, RetryPolicy] = {}
    allowed_fails: int | None = None
    allowed_fails_policy: RetryPolicy = {}
    wait_seconds_max: float = 20.0
    retry_budget: float = 0.1
    falls_back_when_unsupported: bool = True
    demands_fallback_access: bool = False
    tells_fallback_errors: bool = False
