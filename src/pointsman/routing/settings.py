"""What the operator decides about routing, in LiteLLM's names, ready for use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from pointsman.core.rules import Target
from pointsman.core.upstream import Deployment
from pointsman.routing.failures import Failure
from pointsman.routing.rules.book import Rulebook

__all__ = [
    "AffinityRules",
    "FallbackLists",
    "Purses",
    "RetryPolicy",
    "RoutingSettings",
    "StrategyArguments",
    "StrategyChoice",
    "TagRules",
]

_RETRIES: Final = 2
_HOPS: Final = 5
_AFFINITY_SECONDS: Final = 3600.0
_CONVERSATION_SECONDS: Final = 900.0

RetryPolicy = Mapping[Failure, int]
"""How many retries (or failures) there may be after a failure of some kind; ``Failure.OTHER`` stands for the rest."""


class FallbackLists(msgspec.Struct, frozen=True):
    """The models to turn to, by the model that failed; ``*`` stands for any that has no list of its own."""

    general: Mapping[str, tuple[Target, ...]] = {}
    context_window: Mapping[str, tuple[Target, ...]] = {}
    content_policy: Mapping[str, tuple[Target, ...]] = {}
    default: tuple[Target, ...] = ()


class StrategyArguments(msgspec.Struct, frozen=True):
    """``latency_buffer``: among deployments slower than the fastest by no more than this share of it, chance decides.

    None: the faster of two that are drawn is taken.
    """

    latency_buffer: float | None = None


class StrategyChoice(msgspec.Struct, frozen=True):
    """A strategy by its name in the configuration; None: warm-first among local servers, else a weighted shuffle."""

    name: str | None = None
    arguments: StrategyArguments = StrategyArguments()


class TagRules(msgspec.Struct, frozen=True):
    """Whether the tags of a request decide where it may go; with ``match_any`` one that fits is enough.

    With a ``prefix`` only those of its tags do that begin with it; what its key has does in any case. Where it
    ``fails_open`` tags that nothing fits do not keep a request from being served, save those of its key.
    """

    enabled: bool = False
    match_any: bool = True
    prefix: str = ""
    fails_open: bool = False


class AffinityRules(msgspec.Struct, frozen=True):
    """What is kept at one deployment, for ``seconds`` after its last request, in LiteLLM's names of the checks.

    ``by_group`` replaces ``checks`` for the models it names. With ``repins`` whoever had to be served
    elsewhere stays there. ``conversation_seconds`` is for conversations at local servers; 0: they do not stay.
    """

    checks: frozenset[str] = frozenset()
    by_group: Mapping[str, frozenset[str]] = {}
    seconds: float = _AFFINITY_SECONDS
    repins: bool = False
    conversation_seconds: float = _CONVERSATION_SECONDS


class Purses(Protocol):
    """The budgets of deployments, their own and their providers'."""

    def has_purse(self, deployment: Deployment) -> bool:
        """Whether there is a budget for it."""
        ...

    def affords(self, deployment: Deployment) -> bool:
        """Whether its budgets leave anything, or it costs nothing."""
        ...


class RoutingSettings(msgspec.Struct, frozen=True):
    """Times are in seconds. ``num_retries`` counts further attempts of a request, ``max_fallbacks`` further models.

    Its default is LiteLLM's, which has it from the OpenAI SDK. ``wait_seconds_max`` bounds all the pauses of a request
    together, ``retry_budget`` the retries of the process, as a share of its requests. ``allowed_fails`` None: the share
    of failures decides. ``strategies`` are those of single models, by name. With ``strict_limits`` nothing is sent to a
    deployment beyond its ``rpm`` and ``tpm``, else only if another has room. ``pre_call_checks``: prompts that are
    longer than a model's context are not sent to it.
    ``needs_price``: what nobody knows the price of is not used. ``rulebook`` None: the operator has no rules.
    ``purses`` None: no deployment has a budget.
    """

    strategy: StrategyChoice = StrategyChoice()
    strategies: Mapping[str, StrategyChoice] = {}
    tags: TagRules = TagRules()
    affinity: AffinityRules = AffinityRules()
    pre_call_checks: bool = False
    strict_limits: bool = False
    needs_price: bool = False
    parallel_per_deployment: int | None = None
    num_retries: int = _RETRIES
    retry_after: float = 0.0
    fallbacks: FallbackLists = FallbackLists()
    max_fallbacks: int = _HOPS
    cooldown_seconds: float = 5.0
    cools_down: bool = True
    rulebook: Rulebook | None = None
    retry_policy: RetryPolicy = {}
    group_retry_policies: Mapping[str, RetryPolicy] = {}
    allowed_fails: int | None = None
    allowed_fails_policy: RetryPolicy = {}
    wait_seconds_max: float = 20.0
    retry_budget: float = 0.1
    purses: Purses | None = None
    falls_back_when_unsupported: bool = True
    demands_fallback_access: bool = False
    tells_fallback_errors: bool = False
