"""Limits as requests name them, and as rows show them. Field names and meanings: LiteLLM's ``BudgetNewRequest``.

A field that is not there is ``UNSET``: nothing is said about it. ``null`` takes the limit away. Amounts are in USD.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.amounts import usd
from pointsman.admin.keys.requests import Count, Dollars, Duration, Label, ModelName
from pointsman.admin.timestamps import iso_or_none, read_moment
from pointsman.core.errors import Malformed
from pointsman.core.price import picodollars
from pointsman.policies.durations import ResetClock, next_reset
from pointsman.stores.directory.records import Limits, ModelLimits

__all__ = [
    "COUNTED",
    "MODEL_RATES",
    "BudgetFields",
    "BudgetTable",
    "ModelBudget",
    "budget_table",
    "changed_limits",
    "first_reset",
    "says_limits",
]

T = TypeVar("T")

MODEL_RATES: Final = ("model_rpm_limit", "model_tpm_limit", "model_itpm_limit", "model_otpm_limit")
"""Rates of single models: of requests, of all tokens, and of those that go in or come out."""

COUNTED: Final = ("rpm_limit", "tpm_limit", "itpm_limit", "otpm_limit", "tpd_limit", "max_parallel_requests")
"""What somebody may do so many of in a time, or at once."""
_MONEY: Final = ("max_budget", "soft_budget", "temp_budget_increase")


class ModelBudget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one model may cost; LiteLLM has two names for the amount and two for the period."""

    max_budget: Dollars | None = None
    budget_limit: Dollars | None = None
    budget_duration: Duration | None = None
    time_period: Duration | None = None
    tpm_limit: Count | None = None
    rpm_limit: Count | None = None


class BudgetFields(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said about limits."""

    max_budget: Dollars | UnsetType | None = UNSET
    soft_budget: Dollars | UnsetType | None = UNSET
    budget_duration: Duration | UnsetType | None = UNSET
    rpm_limit: Count | UnsetType | None = UNSET
    tpm_limit: Count | UnsetType | None = UNSET
    itpm_limit: Count | UnsetType | None = UNSET
    otpm_limit: Count | UnsetType | None = UNSET
    tpd_limit: Count | UnsetType | None = UNSET
    max_parallel_requests: Count | UnsetType | None = UNSET
    model_max_budget: dict[ModelName, ModelBudget] | UnsetType | None = UNSET
    budget_reset_at: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    temp_budget_increase: Dollars | UnsetType | None = UNSET
    temp_budget_expiry: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET


class BudgetTable(msgspec.Struct, frozen=True, kw_only=True):
    """Limits as LiteLLM's ``LiteLLM_BudgetTableFull`` shows them."""

    budget_id: Label | None
    max_budget: float | None
    soft_budget: float | None
    max_parallel_requests: int | None
    tpm_limit: int | None
    rpm_limit: int | None
    tpd_limit: int | None
    model_max_budget: dict[str, ModelBudget] | None
    budget_duration: str | None
    budget_reset_at: str | None
    allowed_models: tuple[str, ...] = ()
    temp_budget_increase: float | None = None
    temp_budget_expiry: str | None = None
    created_at: str | None = None
    itpm_limit: int | None = None
    otpm_limit: int | None = None


def says_limits(fields: BudgetFields) -> bool:
    """Whether the request says anything about limits."""
    return any(getattr(fields, name) is not UNSET for name in BudgetFields.__struct_fields__)


def changed_limits(fields: BudgetFields, limits: Limits) -> Limits:
    """The limits with what the request says about them.

    Raises:
        Malformed: a duration is none, or a model's budget has two amounts; ``param`` is the field.
    """
    found: dict[str, object] = {name: value for name in COUNTED if (value := getattr(fields, name)) is not UNSET}
    found |= {name: _money(value) for name in _MONEY if (value := getattr(fields, name)) is not UNSET}
    if fields.budget_duration is not UNSET:
        found["budget_duration"] = fields.budget_duration or None
        if fields.budget_duration:
            next_reset(fields.budget_duration, 0.0)
    if fields.temp_budget_expiry is not UNSET:
        until = fields.temp_budget_expiry
        found["temp_budget_expiry"] = read_moment(until, "temp_budget_expiry")[0].timestamp() if until else None
    if fields.model_max_budget is not UNSET:
        found["model_limits"] = {
            name: _model_limits(name, budget) for name, budget in (fields.model_max_budget or {}).items()
        }
    changed = msgspec.structs.replace(limits, **found)
    if (changed.temp_budget_increase is None) != (changed.temp_budget_expiry is None):
        raise Malformed(
            "temp_budget_increase and temp_budget_expiry must be set together.", param="temp_budget_increase"
        )
    return changed


def first_reset(fields: BudgetFields, limits: Limits, now: float, clock: ResetClock) -> float | None:
    """When the period that begins now ends: as the request says, or as the clock has it; None: never.

    Raises:
        Malformed: ``budget_reset_at`` is no moment.
    """
    if isinstance(fields.budget_reset_at, str):
        return read_moment(fields.budget_reset_at, "budget_reset_at")[0].timestamp()
    return next_reset(limits.budget_duration, now, clock) if limits.budget_duration else None


def budget_table(
    limits: Limits, budget_id: str | None, reset_at: float | None, created_at: float | None = None
) -> BudgetTable:
    """The limits as they are shown."""
    return BudgetTable(
        budget_id=budget_id,
        max_budget=usd(limits.max_budget),
        soft_budget=usd(limits.soft_budget),
        max_parallel_requests=limits.max_parallel_requests,
        tpm_limit=limits.tpm_limit,
        rpm_limit=limits.rpm_limit,
        tpd_limit=limits.tpd_limit,
        model_max_budget={name: _shown(one) for name, one in limits.model_limits.items()} or None,
        budget_duration=limits.budget_duration,
        budget_reset_at=iso_or_none(reset_at),
        temp_budget_increase=usd(limits.temp_budget_increase),
        temp_budget_expiry=iso_or_none(limits.temp_budget_expiry),
        created_at=iso_or_none(created_at),
        itpm_limit=limits.itpm_limit,
        otpm_limit=limits.otpm_limit,
    )


def _model_limits(name: str, budget: ModelBudget) -> ModelLimits:
    path = f"model_max_budget.{name}"
    duration = _one_of(budget.budget_duration, budget.time_period, path, ("budget_duration", "time_period"))
    if duration is not None:
        try:
            next_reset(duration, 0.0)
        except Malformed as refused:
            raise Malformed(f"{path}: {refused.message}", hint=refused.hint, param=path) from None
    return ModelLimits(
        max_budget=_money(_one_of(budget.max_budget, budget.budget_limit, path, ("max_budget", "budget_limit"))),
        duration=duration,
        rpm_limit=budget.rpm_limit,
        tpm_limit=budget.tpm_limit,
    )


def _one_of(one: T | None, other: T | None, path: str, names: tuple[str, str]) -> T | None:
    if one is not None and other is not None and one != other:
        raise Malformed(f"{path} says two things: {names[0]} and {names[1]}.", hint="Leave one out.", param=path)
    return other if one is None else one


def _shown(limits: ModelLimits) -> ModelBudget:
    return ModelBudget(
        max_budget=usd(limits.max_budget),
        budget_duration=limits.duration,
        tpm_limit=limits.tpm_limit,
        rpm_limit=limits.rpm_limit,
    )


def _money(value: float | UnsetType | None) -> int | None:
    return picodollars(value) if isinstance(value, int | float) else None
