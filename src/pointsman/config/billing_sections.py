"""What is put on statements: discounts and margins for single accounts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pointsman.config.value_types import Amount, Share

__all__ = ["Billing", "BillingTerms"]


class BillingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What one account agreed on: shares of 1, and USD for each call that succeeded."""

    discount: Share | None = None
    margin: Amount | None = None
    fixed_amount: Amount | None = None


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """Discounts and margins on statements, by id: ``pointsman.billing``."""

    organizations: Mapping[str, BillingTerms] = {}
    teams: Mapping[str, BillingTerms] = {}
    customers: Mapping[str, BillingTerms] = {}
