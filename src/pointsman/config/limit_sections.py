"""What a configuration can say about budgets and rates, as typed data, under LiteLLM's names for each field."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

__all__ = ["BudgetSection", "CallerIdentity", "MetricsLabel", "PrioritySettings"]

_WHOLE_MAX: Final = 2**53
_Amount = Annotated[float, Meta(ge=0)]
_Count = Annotated[int, Meta(ge=0, le=_WHOLE_MAX)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Span = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,8}(s|m|h|d|w|mo)$", description="a duration such as 30s, 15m, 12h, 7d or 1mo")
]


MetricsLabel = Annotated[
    str,
    Meta(
        pattern="^(client_ip|end_user|user_agent|user_email)$",
        description="client_ip, end_user, user_agent or user_email",
    ),
]
"""A label of metrics that callers can make very many of."""

CallerIdentity = Annotated[
    str, Meta(pattern="^(api_key_alias|user_email|both)$", description="api_key_alias, user_email or both")
]
"""Whom LiteLLM's metrics of deployments name as the caller."""


class BudgetSection(msgspec.Struct, frozen=True, kw_only=True):
    """LiteLLM's ``BudgetConfig``, with all that bounds an account beside it. Money is in USD.

    ``budget_limit`` and ``time_period`` are other names of ``max_budget`` and ``budget_duration``.
    """

    max_budget: _Amount | None = None
    budget_limit: _Amount | None = None
    soft_budget: _Amount | None = None
    budget_duration: _Span | None = None
    time_period: _Span | None = None
    rpm_limit: _Count | None = None
    tpm_limit: _Count | None = None
    tpd_limit: _Count | None = None
    itpm_limit: _Count | None = None
    otpm_limit: _Count | None = None
    max_parallel_requests: _Count | None = None


class PrioritySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How shares of a model's capacity are reserved. ``default_priority`` is the share of all keys without a priority.

    Shares bind once ``saturation_threshold`` of the capacity is in use.
    """

    default_priority: _Share = 0.25
    saturation_threshold: _Share = 0.5
