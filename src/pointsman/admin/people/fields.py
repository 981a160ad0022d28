"""Limits of people and groups, as requests say them and rows show them: what budgets have, and some more.

A field that is not there is ``UNSET``: nothing is said about it. ``null`` takes the limit away. Amounts are in USD.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.amounts import usd
from pointsman.admin.governance.limit_fields import COUNTED, MODEL_RATES, BudgetFields, ModelBudget, changed_limits
from pointsman.admin.keys.requests import Count, Dollars, Duration, Label, ModelName
from pointsman.core.errors import Malformed
from pointsman.core.price import picodollars
from pointsman.policies.durations import next_reset
from pointsman.stores.directory.records import BudgetWindow, Limits, ModelLimits

__all__ = [
    "AccountFields",
    "Email",
    "LimitType",
    "Models",
    "Page",
    "WindowFields",
    "account_limits",
    "demand_email",
    "json_object",
    "model_budgets",
    "raised",
]

LimitType = Literal["guaranteed_throughput", "best_effort_throughput", "dynamic"]
Email = Annotated[str, Meta(max_length=320)]
Models = tuple[ModelName, ...]
Page = Annotated[int, Meta(ge=1, le=2**31)]


class WindowFields(msgspec.Struct, frozen=True, kw_only=True):
    """A budget beside the main one, with a period of its own."""

    budget_duration: Duration
    max_budget: Dollars
    reset_at: str | None = None


class AccountFields(BudgetFields, frozen=True, kw_only=True):
    """What can be said about the limits of a user or a team."""

    budget_limits: tuple[WindowFields, ...] | UnsetType | None = UNSET
    model_rpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_tpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_itpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    model_otpm_limit: dict[ModelName, Count] | UnsetType | None = UNSET
    tag_rpm_limit: dict[Label, Count] | UnsetType | None = UNSET
    rpm_limit_type: LimitType | UnsetType | None = UNSET
    tpm_limit_type: LimitType | UnsetType | None = UNSET


def account_limits(fields: AccountFields, limits: Limits) -> Limits:
    """The limits with what the request says about them.

    Raises:
        Malformed: a duration is none, or is there twice; ``param`` is the field.
    """
    limits = changed_limits(fields, limits)
    found: dict[str, object] = {}
    if fields.budget_limits is not UNSET:
        found["budget_limits"] = _windows(fields.budget_limits or ())
    for name in (*MODEL_RATES, "tag_rpm_limit"):
        if (value := getattr(fields, name)) is not UNSET:
            found[name] = value or {}
    for name in ("rpm_limit_type", "tpm_limit_type"):
        if (value := getattr(fields, name)) is not UNSET:
            found[name] = value
    return msgspec.structs.replace(limits, **found)


def raised(before: Limits, after: Limits) -> str | None:
    """The first limit that is wider after than before, by LiteLLM's name; None: none is."""
    for name in ("max_budget", *COUNTED):
        if _wider(getattr(before, name), getattr(after, name)):
            return name
    for name in ("model_limits", *MODEL_RATES, "tag_rpm_limit", "budget_limits"):
        # Whether many amounts together are wider is nobody's guess: they stay, or more come.
        old, new = getattr(before, name), getattr(after, name)
        kept = (
            all(one in new for one in old) if isinstance(old, tuple) else all(new.get(one) == old[one] for one in old)
        )
        if not kept:
            return "model_max_budget" if name == "model_limits" else name
    for name in ("budget_duration", "temp_budget_increase", "temp_budget_expiry", "rpm_limit_type", "tpm_limit_type"):
        if getattr(before, name) != getattr(after, name) and (
            name != "budget_duration" or before.max_budget is not None
        ):
            return name
    return None


def model_budgets(limits: Mapping[str, ModelLimits]) -> dict[str, ModelBudget]:
    """``model_max_budget`` as it is shown."""
    return {
        name: ModelBudget(
            max_budget=usd(one.max_budget),
            budget_duration=one.duration,
            tpm_limit=one.tpm_limit,
            rpm_limit=one.rpm_limit,
        )
        for name, one in limits.items()
    }


def json_object(fields: Mapping[str, msgspec.Raw] | None) -> msgspec.Raw:
    """``metadata`` as it is kept.

    Raises:
        Malformed: it is no JSON.
    """
    try:
        for raw in (fields or {}).values():
            msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed("metadata is not valid JSON.", param="metadata") from None
    return msgspec.Raw(msgspec.json.encode(dict(fields or {})))


def demand_email(text: str | UnsetType | None, param: str = "user_email") -> str | None:
    """An e-mail address as it is kept and compared: without spaces around it, in lower case.

    Raises:
        Malformed: it is none.
    """
    if not isinstance(text, str) or not text.strip():
        return None
    email = text.strip().lower()
    name, at, domain = email.rpartition("@")
    if not (name and at and domain) or not email.isprintable() or " " in email:
        raise Malformed(f"{param} must be an e-mail address.", param=param)
    return email


def _windows(fields: tuple[WindowFields, ...]) -> tuple[BudgetWindow, ...]:
    for one in fields:
        next_reset(one.budget_duration, 0.0)
    if len({one.budget_duration for one in fields}) < len(fields):
        raise Malformed("budget_limits has two budgets for one duration.", param="budget_limits")
    return tuple(BudgetWindow(duration=one.budget_duration, max_budget=picodollars(one.max_budget)) for one in fields)


def _wider(before: int | None, after: int | None) -> bool:
    return before is not None and (after is None or after > before)
