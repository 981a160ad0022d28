"""The limits that a configuration sets, from what it says to what the accounts take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pointsman.config.limit_sections import BudgetSection
from pointsman.config.load import Loaded
from pointsman.core.clock import Clock
from pointsman.core.errors import Misconfigured
from pointsman.core.price import picodollars
from pointsman.core.upstream import Deployment
from pointsman.policies.general_limits import GeneralLimits, Reservation
from pointsman.policies.reservations import capacities_of
from pointsman.routing.router import Router
from pointsman.stores.directory.records import NO_LIMITS, Limits

__all__ = ["general_limits", "is_failing", "provider_limits"]

_MINUTE_SECONDS: Final = 60.0

_Name = tuple[str, str]


class _Share(msgspec.Struct, frozen=True):
    """LiteLLM's ``PriorityReservationDict``: a share of the capacity, or a part of it in requests or tokens."""

    type: str
    value: float


_decode_share: Final = msgspec.json.Decoder(float | _Share).decode


def general_limits(loaded: Loaded, deployments: Iterable[Deployment]) -> GeneralLimits:
    """The limits of everything together, of models, providers and deployments, and the usual ones of customers.

    Raises:
        Misconfigured: a reserved share is none.
    """
    deployments = tuple(deployments)
    settings = loaded.settings
    lite, general = settings.litellm_settings, settings.general_settings
    accounts: dict[_Name, Limits] = {}
    if lite.max_budget is not None:
        accounts["global", ""] = Limits(max_budget=picodollars(lite.max_budget), budget_duration=lite.budget_duration)
    for model, section in settings.local.model_limits.items():
        accounts["model", model] = _limits(section)
    for provider, its in provider_limits(loaded).items():
        accounts["provider", provider] = its
    for deployment in deployments:
        if deployment.budget is not None:
            accounts["deployment", deployment.id] = Limits(
                max_budget=deployment.budget, budget_duration=deployment.budget_duration
            )
    customers = NO_LIMITS
    if lite.max_end_user_budget is not None:
        customers = Limits(max_budget=picodollars(lite.max_end_user_budget))
    return GeneralLimits(
        accounts={name: limits for name, limits in accounts.items() if limits != NO_LIMITS},
        customers=customers,
        each_key=_of_each_key(deployments),
        customer_budget_id=lite.max_end_user_budget_id,
        tags={tag: _limits(section) for tag, section in lite.tag_budget_config.items()},
        knows_customers=lite.validate_end_user_id_in_db,
        users_of_teams=general.apply_user_budget_to_team_keys,
        reservation=_reservation(loaded, capacities_of(deployments)),
    )


def _of_each_key(deployments: Iterable[Deployment]) -> Limits:
    """What a key may do with single models: of several deployments the least that one of them says, as in LiteLLM."""
    rpm: dict[str, int] = {}
    tpm: dict[str, int] = {}
    for one in deployments:
        if one.terms is not None:
            for said, limit in ((rpm, one.terms.key_rpm), (tpm, one.terms.key_tpm)):
                if limit is not None:
                    said[one.group] = min(limit, said.get(one.group, limit))
    return Limits(model_rpm_limit=rpm, model_tpm_limit=tpm)


def provider_limits(loaded: Loaded) -> dict[str, Limits]:
    """What providers may cost, by their names."""
    sections = loaded.settings.router_settings.provider_budget_config
    return {provider: _limits(section) for provider, section in sections.items()}


def is_failing(router: Router, clock: Clock, group: str) -> bool:
    """Whether any deployment of a model rests, or has failed within the last minute."""
    pool, now = router.pool(group), clock.monotonic()
    return pool is not None and any(
        not member.admits(now) or (member.live.recent_failures and now - member.live.minute_at < _MINUTE_SECONDS)
        for member in pool.members
    )


def _limits(section: BudgetSection) -> Limits:
    most = section.budget_limit if section.max_budget is None else section.max_budget
    return Limits(
        max_budget=None if most is None else picodollars(most),
        soft_budget=None if section.soft_budget is None else picodollars(section.soft_budget),
        budget_duration=section.time_period if section.budget_duration is None else section.budget_duration,
        rpm_limit=section.rpm_limit,
        tpm_limit=section.tpm_limit,
        tpd_limit=section.tpd_limit,
        itpm_limit=section.itpm_limit,
        otpm_limit=section.otpm_limit,
        max_parallel_requests=section.max_parallel_requests,
    )


def _reservation(loaded: Loaded, capacities: Mapping[str, Limits]) -> Reservation | None:
    lite = loaded.settings.litellm_settings
    if not lite.priority_reservation:
        return None
    shares = {name: _share(name, raw) for name, raw in lite.priority_reservation.items()}
    usual = lite.priority_reservation_settings
    return Reservation(shares, usual.default_priority, usual.saturation_threshold, capacities)


def _share(name: str, raw: msgspec.Raw) -> tuple[str, float]:
    """The kind (percent, rpm or tpm) and the number.

    Raises:
        Misconfigured: it is none.
    """
    try:
        given = _decode_share(raw)
    except msgspec.DecodeError:
        given = -1.0
    kind, value = ("percent", given) if isinstance(given, float) else (given.type, given.value)
    if value < 0 or kind not in {"percent", "rpm", "tpm"} or (kind == "percent" and value > 1):
        message = f"litellm_settings.priority_reservation.{name}: this is no share."
        raise Misconfigured(message, hint="Write a number from 0 to 1, or {type: rpm, value: 90}.")
    return kind, value
