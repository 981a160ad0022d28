"""``GET /provider/budgets``: what providers may cost by ``provider_budget_config``, and what they have cost.

Source: LiteLLM 1.109.1, ``spend_management_endpoints.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pointsman.admin.amounts import usd
from pointsman.admin.governance.periods import spent_by
from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso_or_none
from pointsman.core.price import dollars

__all__ = ["ProviderBudget", "ProviderBudgetsReply", "provider_budgets"]


class ProviderBudget(msgspec.Struct, frozen=True):
    """Amounts are in USD; without a ``time_period`` the budget is for good."""

    budget_limit: float | None
    time_period: str | None
    spend: float
    budget_reset_at: str | None


class ProviderBudgetsReply(msgspec.Struct, frozen=True):
    """The budgets, by provider."""

    providers: Mapping[str, ProviderBudget]


async def provider_budgets(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """The budgets of providers, and what is spent of them."""
    await flushed(office)
    limits = office.provider_limits
    spent = await spent_by(office, "provider", list(limits))
    return Answer(
        ProviderBudgetsReply(
            {
                name: ProviderBudget(
                    usd(its.max_budget),
                    its.budget_duration,
                    dollars(spent[name].amount),
                    iso_or_none(spent[name].reset_at),
                )
                for name, its in limits.items()
            }
        )
    )
