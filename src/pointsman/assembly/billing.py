"""What the configuration says about charging: LiteLLM's discounts and margins, and ours for single accounts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import msgspec

from pointsman.accounting.billing import PriceBook, Terms
from pointsman.config.billing_sections import BillingTerms
from pointsman.config.load import Loaded
from pointsman.core.errors import Misconfigured
from pointsman.core.price import picodollars

__all__ = ["price_book"]


class _Margin(msgspec.Struct, frozen=True):
    """A margin that LiteLLM's configuration spells out."""

    percentage: float | None = None
    fixed_amount: float | None = None


def price_book(loaded: Loaded) -> PriceBook:
    """The discounts and margins in force.

    Raises:
        Misconfigured: a margin is neither a number nor ``{percentage, fixed_amount}``.
    """
    lite, billing = loaded.settings.litellm_settings, loaded.settings.local.billing
    accounts: dict[tuple[str, str], Terms] = {}
    of_scopes: tuple[tuple[str, Mapping[str, BillingTerms]], ...] = (
        ("organization", billing.organizations),
        ("team", billing.teams),
        ("customer", billing.customers),
    )
    for scope, of_scope in of_scopes:
        for identity, terms in of_scope.items():
            fixed = None if terms.fixed_amount is None else picodollars(terms.fixed_amount)
            accounts[(scope, identity)] = Terms(_share(terms.discount), _share(terms.margin), fixed)
    return PriceBook(
        {name: Fraction(Decimal(str(share))) for name, share in lite.cost_discount_config.items()},
        {name: _margin(name, raw) for name, raw in lite.cost_margin_config.items()},
        accounts,
    )


def _share(share: float | None) -> Fraction | None:
    return None if share is None else Fraction(Decimal(str(share)))


def _margin(name: str, raw: msgspec.Raw) -> Terms:
    try:
        told = msgspec.json.decode(raw, type=float | _Margin)
    except msgspec.MsgspecError:
        told = _Margin(-1.0)
    margin = _Margin(told) if isinstance(told, float) else told
    if min(margin.percentage or 0.0, margin.fixed_amount or 0.0) < 0:
        raise Misconfigured(
            f"litellm_settings.cost_margin_config.{name} is no margin.",
            hint="Write a share, as 0.1 for 10 %, or {percentage: 0.1, fixed_amount: 0.001}; neither is negative.",
        )
    fixed = None if margin.fixed_amount is None else picodollars(margin.fixed_amount)
    return Terms(None, _share(margin.percentage), fixed)
