"""The fields of LiteLLM's keys that have no column: what each may say. They are kept as they came, as JSON.

Source: LiteLLM 1.109.1, ``GenerateKeyRequest``. What each does is for others to say; a value of a wrong form is refused
here with its path, so that nobody who reads it later has to doubt it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pointsman.admin.keys.requests import Count, Dollars, Duration, Label, ModelName
from pointsman.admin.timestamps import read_moment
from pointsman.core.errors import Malformed
from pointsman.policies.durations import ends_at, next_reset
from pointsman.wire.json_fields import decode_field

__all__ = ["demand_well_formed"]

_Labels = Annotated[tuple[Label, ...], Meta(max_length=1000)]
_Throughput = Literal["guaranteed_throughput", "best_effort_throughput", "dynamic"]


class _ModelBudget(msgspec.Struct, frozen=True, kw_only=True):
    """LiteLLM's ``BudgetConfig``: two names for the amount, two for the period."""

    max_budget: Dollars | None = None
    budget_limit: Dollars | None = None
    budget_duration: Duration | None = None
    time_period: Duration | None = None
    tpm_limit: Count | None = None
    rpm_limit: Count | None = None


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    """LiteLLM's ``BudgetLimitEntry``."""

    budget_duration: Duration
    max_budget: Dollars


_TYPES: Final[Mapping[str, Any]] = {
    "access_group_ids": _Labels,
    "agent_id": Label,
    "allowed_cache_controls": _Labels,
    "allowed_routes": _Labels,
    "auto_rotate": bool,
    "budget_fallbacks": dict[ModelName, tuple[ModelName, ...]],
    "budget_id": Label,
    "budget_limits": Annotated[tuple[_Window, ...], Meta(max_length=32)],
    "config": dict[str, msgspec.Raw],
    "end_user_budget_id": Label,
    "enforced_params": _Labels,
    "key_type": Literal["default", "llm_api", "management", "read_only"],
    "itpm_limit": Count,
    "model_itpm_limit": dict[ModelName, Count],
    "model_max_budget": dict[ModelName, _ModelBudget | Dollars],
    "model_otpm_limit": dict[ModelName, Count],
    "model_rpm_limit": dict[ModelName, Count],
    "model_tpm_limit": dict[ModelName, Count],
    "object_permission": dict[str, msgspec.Raw],
    "organization_id": Label,
    "otpm_limit": Count,
    "permissions": dict[str, msgspec.Raw],
    "project_id": Label,
    "rotation_interval": Duration,
    "rpm_limit_type": _Throughput,
    "tag_rpm_limit": dict[Label, Count],
    "temp_budget_expiry": Annotated[str, Meta(max_length=64)],
    "temp_budget_increase": Dollars,
    "tpd_limit": Count,
    "tpm_limit_type": _Throughput,
}


def _window_durations(windows: tuple[_Window, ...]) -> None:
    seen: set[str] = set()
    for place, window in enumerate(windows):
        path = f"budget_limits[{place}].budget_duration"
        _demand_duration(window.budget_duration, path)
        if window.budget_duration in seen:
            raise Malformed(f"{path} is there twice.", hint="Leave one of them out.", param=path)
        seen.add(window.budget_duration)


def _model_budgets(budgets: Mapping[str, _ModelBudget | float]) -> None:
    for model, budget in budgets.items():
        for name in ("budget_duration", "time_period") if isinstance(budget, _ModelBudget) else ():
            duration = getattr(budget, name)
            if duration is not None:
                _demand_duration(duration, f"model_max_budget.{model}.{name}")


def _demand_duration(duration: str, path: str) -> None:
    try:
        next_reset(duration, 0.0)
    except Malformed as refused:
        raise Malformed(f"{path} must be a duration.", hint=refused.hint, param=path) from None


def _rotation(interval: str) -> None:
    ends_at(interval, 0.0, "rotation_interval")


def _moment(text: str) -> None:
    read_moment(text, "temp_budget_expiry")


_RULES: Final[Mapping[str, Callable[[Any], None]]] = {
    "budget_limits": _window_durations,
    "model_max_budget": _model_budgets,
    "rotation_interval": _rotation,
    "temp_budget_expiry": _moment,
}


def demand_well_formed(name: str, raw: msgspec.Raw) -> None:
    """Raise unless the field's value, which is not null, is of the form that it has to be.

    Raises:
        Malformed: it is not; ``param`` is the field, or the path within it.
    """
    if name not in _TYPES:
        return
    value = decode_field(name, raw, msgspec.json.Decoder(_TYPES[name], strict=False).decode)
    if name in _RULES:
        _RULES[name](value)
