"""Prices of a provider's service tiers: what the same tokens cost that are served first, or when there is time.

Source: LiteLLM 1.109.1, ``litellm_core_utils/llm_cost_calc/utils.py``: a price that a service tier does not have is the
usual one, above a length of the prompt as well; only what thinking costs follows what writing costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.core.price import Price, Tier, UnitPrice

__all__ = ["EVERY_LENGTH", "SERVICE_TIERS", "Rates", "applied", "service_tiers", "services_of"]

SERVICE_TIERS: Final = ("balanced", "flex", "priority", "ultrafast")
"""What stands behind the names of prices."""

EVERY_LENGTH: Final = -1
"""The threshold, in prompt tokens, of a price that is of calls of any length."""


class Rates(msgspec.Struct, frozen=True, omit_defaults=True):
    """Femtodollars as far as they are given; None: not said."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    per_request: int | None = None
    units: UnitPrice | None = None


def services_of(price: Price | None) -> frozenset[str]:
    """The service tiers that have prices of their own."""
    return frozenset() if price is None else frozenset(tier.service for tier in price.tiers if tier.service)


def applied(price: Price, rates: Rates) -> Price:
    """``price`` with what is given in ``rates``."""
    given = {name: rate for name, rate in msgspec.structs.asdict(rates).items() if rate is not None}
    return msgspec.structs.replace(price, **given)


def service_tiers(
    untiered: Price, lengths: Sequence[Tier], service: str, changes: Mapping[int, Rates]
) -> tuple[Tier, ...]:
    """The prices on a service tier, by length of the prompt.

    ``untiered`` and ``lengths`` are the usual ones, ``changes`` what the service tier has said itself, by threshold.
    """
    usual = {EVERY_LENGTH: untiered, **{tier.above_tokens: tier.price for tier in lengths}}
    found: list[Tier] = []
    below = untiered
    for threshold in sorted({*usual, *changes}):
        said = changes.get(threshold, Rates())
        price = found[-1].price if found else untiered
        if threshold in usual:
            price = applied(price, _difference(below, usual[threshold]))
            below = usual[threshold]
        price = applied(price, said)
        if said.output is not None and said.reasoning is None:
            price = msgspec.structs.replace(price, reasoning=None)
        found.append(Tier(threshold, price, service))
    return tuple(found)


def _difference(below: Price, above: Price) -> Rates:
    """What the usual price above a threshold says otherwise than below it."""
    names = Rates.__struct_fields__
    return Rates(**{name: its for name in names if (its := getattr(above, name)) != getattr(below, name)})
