"""The limits that the configuration sets: on everything together, on models, deployments, providers and customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.stores.directory.records import NO_LIMITS, Limits

__all__ = ["NO_GENERAL_LIMITS", "GeneralLimits", "Reservation"]


class Reservation(msgspec.Struct, frozen=True):
    """Shares of each model's capacity: by priority a kind (percent, rpm or tpm) and a number.

    ``usual`` is the share of all keys together without a priority. They bind once ``threshold`` of the capacity is in
    use. ``capacities`` are requests and tokens of a minute by model group.
    """

    shares: Mapping[str, tuple[str, float]]
    usual: float
    threshold: float
    capacities: Mapping[str, Limits] = {}


class GeneralLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``accounts`` are by scope (global, model, deployment, provider) and id; the id of ``global`` is empty.

    ``customers`` bind every customer who has no limits of its own, as does the budget called ``customer_budget_id``,
    which wins. ``each_key`` binds every key that says nothing of it itself. ``tags`` are by name. With
    ``knows_customers`` a request for one that is not in the directory is refused. With ``users_of_teams`` a user's
    budget also binds the keys that the user has in teams.
    """

    accounts: Mapping[tuple[str, str], Limits] = {}
    customers: Limits = NO_LIMITS
    customer_budget_id: str | None = None
    each_key: Limits = NO_LIMITS
    tags: Mapping[str, Limits] = {}
    knows_customers: bool = False
    users_of_teams: bool = False
    reservation: Reservation | None = None

    @property
    def bind_calls(self) -> bool:
        """Whether any of them may bind a call of whoever it is."""
        return bool(self.accounts) or self.reservation is not None


NO_GENERAL_LIMITS: Final = GeneralLimits()
