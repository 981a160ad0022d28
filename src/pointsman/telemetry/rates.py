"""What is allowed in a minute and what of it is used, under LiteLLM's metric names (``litellm_…_rate_limit_…_metric``).

Told of those who have such limits and called not long ago, as far as a process remembers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric

__all__ = ["RATES_SHOWN_MAX", "RateNow", "merged", "rate_families"]

RATES_SHOWN_MAX: Final = 1_000
"""Limits of one scope that are told; of more, those of which least is left."""

_KIND: Final = "rate_limit_type"
_SCOPES: Final = MappingProxyType({
    ("key", False): ("litellm_api_key_rate_limit", ("hashed_api_key", "api_key_alias")),
    ("team", False): ("litellm_team_rate_limit", ("team", "team_alias")),
    ("project", True): ("litellm_project_model_rate_limit", ("project_id", "project_alias", "requested_model")),
})  # fmt: skip
"""How LiteLLM's names begin, and its labels: the identity, the name, and for some the model."""

_LEFT_OF_MODELS: Final = MappingProxyType({
    "requests": "litellm_remaining_api_key_requests_for_model",
    "tokens": "litellm_remaining_api_key_tokens_for_model",
})  # fmt: skip


class RateNow(msgspec.Struct, frozen=True):
    """What somebody may do in a minute, and how much of it was done in the last one.

    ``kind`` is requests, tokens, input_tokens or output_tokens, as LiteLLM's ``rate_limit_type``.
    ``model`` is set where the limit is for that model only.
    """

    scope: str
    identity: str
    name: str
    model: str
    kind: str
    allowed: int
    used: int

    @property
    def left(self) -> int:
        """How much may be done now."""
        return max(0, self.allowed - self.used)


def rate_families(rates: Sequence[RateNow]) -> Iterable[Metric]:
    """The gauges of every scope of which there are limits."""
    for (scope, of_models), (word, labels) in _SCOPES.items():
        own = _scarcest(one for one in rates if one.scope == scope and bool(one.model) == of_models)
        if not own:
            continue
        every = (*labels, _KIND)
        allowed = GaugeMetricFamily(f"{word}_allowed_metric", "What is allowed in a minute.", labels=every)
        used = GaugeMetricFamily(f"{word}_used_metric", "What was used of it in the last minute.", labels=every)
        for one in own:
            values = (*(one.identity, one.name, one.model)[: len(labels)], one.kind)
            allowed.add_metric(values, one.allowed)
            used.add_metric(values, one.used)
        yield from (allowed, used)
    for kind, name in _LEFT_OF_MODELS.items():
        of_keys = _scarcest(one for one in rates if one.scope == "key" and one.model and one.kind == kind)
        if of_keys:
            words = f"{kind.capitalize()} that a key has left in this minute for a model."
            left = GaugeMetricFamily(name, words, labels=("hashed_api_key", "api_key_alias", "model"))
            for one in of_keys:
                left.add_metric((one.identity, one.name, one.model), one.left)
            yield left


def merged(rates: Iterable[RateNow]) -> list[RateNow]:
    """Each limit once, with what all workers together used of it."""
    known: dict[tuple[str, str, str, str], RateNow] = {}
    for one in rates:
        place = (one.scope, one.identity, one.model, one.kind)
        before = known.get(place)
        known[place] = one if before is None else msgspec.structs.replace(one, used=one.used + before.used)
    return list(known.values())


def _scarcest(rates: Iterable[RateNow]) -> list[RateNow]:
    return sorted(rates, key=lambda one: (one.left, one.identity, one.model, one.kind))[:RATES_SHOWN_MAX]
