"""What a key's record says beyond its columns, decoded once: LiteLLM's further fields, which it keeps as JSON.

Money there is in USD and times are ISO 8601, as clients sent them; source: LiteLLM 1.109.1, ``GenerateKeyRequest``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pointsman.core.errors import Malformed
from pointsman.core.identity import KeyRecord
from pointsman.core.price import DOLLARS_MAX, picodollars
from pointsman.policies.durations import approximate_seconds
from pointsman.policies.own_routing import OwnRouting, own_routing_in
from pointsman.stores.directory.records import BudgetWindow, Limits, ModelLimits

__all__ = ["TERMS", "KeyTerms", "demand_term", "priority_in", "terms_of"]

_NOTHING: Final = msgspec.Raw(b"{}")
_FORMS: Final = {
    "budget_limits": 'Write [{"budget_duration": "1d", "max_budget": 5}].',
    "model_max_budget": 'Write {"gpt-5": {"max_budget": 5, "budget_duration": "1d"}}.',
    "itpm_limit": "Write a whole number of tokens.",
    "model_itpm_limit": 'Write {"gpt-5": 100000}.',
    "model_otpm_limit": 'Write {"gpt-5": 20000}.',
    "model_rpm_limit": 'Write {"gpt-5": 60}.',
    "model_tpm_limit": 'Write {"gpt-5": 100000}.',
    "otpm_limit": "Write a whole number of tokens.",
    "tag_rpm_limit": 'Write {"batch": 60}.',
    "temp_budget_expiry": "Write a time such as 2030-01-31T12:00:00Z.",
    "tpd_limit": "Write a whole number of tokens.",
}
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class KeyTerms(msgspec.Struct, frozen=True, kw_only=True):
    """``limits`` are all of a key's own; ``customer_budget_id`` binds the customers it serves who have none.

    ``fallbacks`` are models by the one whose budget (of this key) is gone, in whose place they are asked. ``routing``
    are its own settings of the router.

    ``is_readable`` is False where they cannot be made out, so that nobody takes the key for one without them.
    """

    limits: Limits = Limits()
    organization_id: str | None = None
    project_id: str | None = None
    budget_id: str | None = None
    customer_budget_id: str | None = None
    fallbacks: Mapping[str, tuple[str, ...]] = {}
    access_group_ids: tuple[str, ...] = ()
    priority: str | None = None
    routing: OwnRouting | None = None
    is_readable: bool = True


_Amount = Annotated[float, Meta(ge=0, le=DOLLARS_MAX)]
_Count = Annotated[int, Meta(ge=0, le=2**53)]


class _ModelBudget(msgspec.Struct, frozen=True):
    """LiteLLM's ``BudgetConfig``, under both of its names for each field."""

    max_budget: _Amount | None = None
    budget_limit: _Amount | None = None
    budget_duration: str | None = None
    time_period: str | None = None
    rpm_limit: _Count | None = None
    tpm_limit: _Count | None = None


class _Window(msgspec.Struct, frozen=True):
    budget_duration: str
    max_budget: _Amount


class _Extra(msgspec.Struct, frozen=True):
    """What is heeded of ``KeyRecord.extra``."""

    organization_id: str | None = None
    project_id: str | None = None
    budget_id: str | None = None
    end_user_budget_id: str | None = None
    budget_fallbacks: dict[str, tuple[str, ...]] | None = None
    access_group_ids: tuple[str, ...] | None = None
    budget_limits: tuple[_Window, ...] | None = None
    model_max_budget: dict[str, _ModelBudget | _Amount] | None = None
    model_rpm_limit: dict[str, _Count] | None = None
    model_tpm_limit: dict[str, _Count] | None = None
    model_itpm_limit: dict[str, _Count] | None = None
    model_otpm_limit: dict[str, _Count] | None = None
    tag_rpm_limit: dict[str, _Count] | None = None
    tpd_limit: _Count | None = None
    itpm_limit: _Count | None = None
    otpm_limit: _Count | None = None
    temp_budget_increase: _Amount | None = None
    temp_budget_expiry: str | float | None = None
    rpm_limit_type: str | None = None
    tpm_limit_type: str | None = None
    router_settings: msgspec.Raw = msgspec.Raw()


class _Metadata(msgspec.Struct, frozen=True):
    """What is heeded of ``KeyRecord.metadata``."""

    priority: str | None = None


_decode_extra: Final = msgspec.json.Decoder(_Extra, strict=False).decode
_decode_metadata: Final = msgspec.json.Decoder(_Metadata).decode


TERMS: Final = frozenset(_Extra.__struct_fields__)
"""The fields of ``KeyRecord.extra`` that are heeded."""


def demand_term(name: str, raw: msgspec.Raw) -> None:
    """Raise unless what a request says of one of :data:`TERMS` can be heeded.

    Raises:
        Malformed: it cannot; ``param`` is ``name``.
    """
    record = KeyRecord(token="", key_name="", extra=msgspec.Raw(msgspec.json.encode({name: raw})))
    terms = terms_of(record)
    if not terms.is_readable:
        raise Malformed(
            f"{name} has a value that cannot be meant.",
            hint=_FORMS.get(name, "See docs/limits-and-budgets.md."),
            param=name,
        )
    limits = terms.limits
    for duration in (
        *(its.duration for its in limits.model_limits.values()),
        *(w.duration for w in limits.budget_limits),
    ):
        if duration is not None:
            approximate_seconds(duration, name)


def terms_of(record: KeyRecord) -> KeyTerms:
    """What binds the key, from its columns and from what it keeps as JSON."""
    try:
        extra = _Extra() if record.extra == _NOTHING else _decode_extra(record.extra)
        return KeyTerms(
            limits=_limits(record, extra),
            organization_id=extra.organization_id,
            project_id=extra.project_id or None,
            budget_id=extra.budget_id,
            customer_budget_id=extra.end_user_budget_id or None,
            fallbacks=extra.budget_fallbacks or {},
            access_group_ids=extra.access_group_ids or (),
            priority=priority_in(record.metadata),
            routing=own_routing_in(extra.router_settings),
        )
    except (msgspec.DecodeError, ValueError, ArithmeticError):
        return KeyTerms(is_readable=False)


def _limits(record: KeyRecord, extra: _Extra) -> Limits:
    return Limits(
        max_budget=record.max_budget,
        soft_budget=record.soft_budget,
        budget_duration=record.budget_duration,
        budget_limits=tuple(
            BudgetWindow(duration=window.budget_duration, max_budget=picodollars(window.max_budget))
            for window in extra.budget_limits or ()
        ),
        temp_budget_increase=_money(extra.temp_budget_increase),
        temp_budget_expiry=_moment(extra.temp_budget_expiry),
        rpm_limit=record.rpm_limit,
        tpm_limit=record.tpm_limit,
        tpd_limit=extra.tpd_limit,
        itpm_limit=extra.itpm_limit,
        otpm_limit=extra.otpm_limit,
        max_parallel_requests=record.max_parallel_requests,
        model_limits={model: _model_limits(its) for model, its in (extra.model_max_budget or {}).items()},
        model_rpm_limit=extra.model_rpm_limit or {},
        model_tpm_limit=extra.model_tpm_limit or {},
        model_itpm_limit=extra.model_itpm_limit or {},
        model_otpm_limit=extra.model_otpm_limit or {},
        tag_rpm_limit=extra.tag_rpm_limit or {},
        rpm_limit_type=extra.rpm_limit_type,
        tpm_limit_type=extra.tpm_limit_type,
    )


def _model_limits(its: _ModelBudget | float) -> ModelLimits:
    if not isinstance(its, _ModelBudget):
        return ModelLimits(max_budget=picodollars(its))
    return ModelLimits(
        max_budget=_money(its.budget_limit if its.max_budget is None else its.max_budget),
        duration=its.time_period if its.budget_duration is None else its.budget_duration,
        rpm_limit=its.rpm_limit,
        tpm_limit=its.tpm_limit,
    )


def _money(usd: float | None) -> int | None:
    return None if usd is None else picodollars(usd)


def _moment(given: str | float | None) -> float | None:
    """Seconds since the epoch; a time without a zone is one of UTC."""
    if given is None or isinstance(given, float):
        return given
    if _NUMBER.fullmatch(given):
        return float(given)
    moment = datetime.fromisoformat(given)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def priority_in(metadata: msgspec.Raw) -> str | None:
    """The priority that the metadata of a key or a team name; None: none."""
    if metadata == _NOTHING:
        return None
    try:
        return _decode_metadata(metadata).priority
    except msgspec.DecodeError:
        return None  # somebody's own use of the word
