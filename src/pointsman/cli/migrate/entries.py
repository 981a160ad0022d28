"""From LiteLLM's rows to entries of the directory, each with notes on what is different here.

What restricts somebody and is not enforced here is never dropped in silence: whoever it restricts comes over blocked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypedDict

import msgspec

from pointsman.admin.rights import MEMBER_PERMISSIONS
from pointsman.cli.migrate.rows import Row, amount_of
from pointsman.core.errors import Malformed
from pointsman.policies.durations import next_reset
from pointsman.policies.own_routing import unheeded_in
from pointsman.stores.directory.records import (
    AccessGroup,
    Budget,
    BudgetWindow,
    Customer,
    Limits,
    MemberRole,
    ModelGroupBudget,
    ModelLimits,
    Organization,
    OrganizationMember,
    Project,
    RetiredKey,
    Role,
    Tag,
    Team,
    TeamMember,
    User,
)

__all__ = [
    "Made",
    "access_group_of",
    "budget_of",
    "customer_of",
    "limits_of",
    "member_roles",
    "model_group_budget_of",
    "organization_member_of",
    "organization_of",
    "project_of",
    "raw",
    "retired_of",
    "tag_of",
    "team_member_of",
    "team_of",
    "user_of",
]

_UNHEEDED_OF_PROJECTS: Final = ("guardrails", "policies")
_MODEL_RATES: Final = ("model_rpm_limit", "model_tpm_limit", "model_itpm_limit", "model_otpm_limit")
_NUMBER_MAX: Final = 2**53
_ROLES: Final = {role.value: role for role in Role}


class Made(NamedTuple):
    """An entry, and what is to be said of it."""

    record: msgspec.Struct
    notes: tuple[str, ...] = ()


def budget_of(row: Row) -> Made:
    """A budget."""
    limits, notes = limits_of(row)
    if row.texts("allowed_models"):
        notes = (*notes, "allowed_models of a member's budget is taken over with the member, not with the budget.")
    record = Budget(budget_id=row.named("budget_id"), limits=limits, **_stamps(row))
    return Made(record, notes)


def organization_of(row: Row) -> Made:
    """An organisation."""
    metadata = row.fields("metadata")
    limits = Limits(
        model_rpm_limit=_numbers(metadata.get("model_rpm_limit")),
        model_tpm_limit=_numbers(metadata.get("model_tpm_limit")),
    )
    record = Organization(
        organization_id=row.named("organization_id"),
        alias=row.text("organization_alias"),
        models=row.texts("models"),
        budget_id=row.text("budget_id"),
        limits=limits,
        metadata=raw(metadata),
        **_stamps(row),
    )
    return Made(record)


def organization_member_of(row: Row) -> Made:
    """A user in an organisation."""
    record = OrganizationMember(
        organization_id=row.named("organization_id"),
        user_id=row.named("user_id"),
        role=_ROLES.get(row.named("user_role"), Role.USER),
        budget_id=row.text("budget_id"),
        **_stamps(row),
    )
    return Made(record)


def user_of(row: Row) -> Made:
    """A user. Passwords are hashed in another way here, so they do not come over."""
    limits, notes = limits_of(row)
    said = row.named("user_role")
    role = _ROLES.get(said, Role.USER)
    if said and said not in _ROLES:
        notes = (*notes, f"the role {said!r} is not known here: internal_user instead.")
    if row.text("password"):
        notes = (*notes, "the password does not come over: a new one has to be set.")
    record = User(
        user_id=row.named("user_id"),
        alias=row.text("user_alias"),
        email=row.text("user_email"),
        role=role,
        sso_user_id=row.text("sso_user_id"),
        models=row.texts("models"),
        limits=limits,
        metadata=raw(row.fields("metadata")),
        **_stamps(row),
    )
    return Made(record, notes)


def team_of(row: Row, aliases: Mapping[int, Mapping[str, str]]) -> Made:
    """A team; ``aliases`` are those of models, by the id of their row."""
    limits, notes = limits_of(row)
    metadata = row.fields("metadata")
    guarded = [name for name in ("guardrails", "policies") if metadata.get(name) or row.texts(name)]
    notes = (*notes, *(f"{name} are not enforced here, so the team comes over blocked." for name in guarded))
    permissions = row.texts("team_member_permissions")
    unknown = [one for one in permissions if one not in MEMBER_PERMISSIONS]
    notes = (*notes, *(f"team_member_permissions: {one} is kept and lets nobody do anything here." for one in unknown))
    member_budget, duration = metadata.get("team_member_budget_id"), metadata.get("team_member_key_duration")
    routing = row.fields("router_settings")
    kept = raw({"router_settings": routing} if routing else {})
    notes = (*notes, *(f"{name} is kept and has no effect here." for name in unheeded_in(raw(routing))))
    record = Team(
        team_id=row.named("team_id"),
        alias=row.text("team_alias"),
        organization_id=row.text("organization_id"),
        models=row.texts("models"),
        model_aliases=dict(aliases.get(row.whole("model_id") or 0, {})),
        default_member_models=row.texts("default_team_member_models"),
        access_group_ids=row.texts("access_group_ids"),
        tags=_texts(metadata.get("tags")),
        limits=limits,
        member_budget_id=member_budget if isinstance(member_budget, str) else None,
        member_permissions=permissions or None,
        member_key_duration=duration if isinstance(duration, str) and duration else None,
        blocked=row.flag("blocked") or bool(guarded),
        metadata=raw(metadata),
        extra=kept,
        **_stamps(row),
    )
    return Made(record, notes)


def member_roles(row: Row) -> dict[str, MemberRole]:
    """The members of a team by their ids; of those without one nothing can be said."""
    found: dict[str, MemberRole] = {}
    told = row.json("members_with_roles")
    for one in told if isinstance(told, list) else []:
        if isinstance(one, dict) and isinstance(one.get("user_id"), str) and one["user_id"]:
            found[one["user_id"]] = "admin" if one.get("role") == "admin" else "user"
    for user_id in row.texts("members"):
        found.setdefault(user_id, "user")
    for user_id in row.texts("admins"):
        found[user_id] = "admin"
    return found


def team_member_of(
    team_id: str, user_id: str, role: MemberRole, membership: Row | None, models: tuple[str, ...]
) -> Made:
    """A user in a team."""
    budget_id = None if membership is None else membership.text("budget_id")
    return Made(TeamMember(team_id=team_id, user_id=user_id, role=role, models=models, budget_id=budget_id))


def customer_of(row: Row) -> Made:
    """A customer."""
    record = Customer(
        customer_id=row.named("user_id"),
        alias=row.text("alias"),
        blocked=row.flag("blocked"),
        default_model=row.text("default_model"),
        allowed_model_region=row.text("allowed_model_region"),
        models=row.texts("models"),
        budget_id=row.text("budget_id"),
    )
    return Made(record)


def tag_of(row: Row) -> Made:
    """A tag."""
    record = Tag(
        name=row.named("tag_name"),
        description=row.text("description"),
        models=row.texts("models"),
        budget_id=row.text("budget_id"),
        **_stamps(row),
    )
    return Made(record)


def project_of(row: Row) -> Made:
    """A project of a team. What it may spend is in its budget."""
    metadata = row.fields("metadata")
    guarded = [name for name in _UNHEEDED_OF_PROJECTS if metadata.get(name)]
    if row.text("object_permission_id"):
        guarded.append("object_permission")
    rates = {name: _numbers(metadata.get(name)) or _numbers(row.fields(name)) for name in _MODEL_RATES}
    record = Project(
        project_id=row.named("project_id"),
        alias=row.text("project_alias"),
        description=row.text("description"),
        team_id=row.text("team_id"),
        models=row.texts("models"),
        tags=_texts(metadata.get("tags")),
        budget_id=row.text("budget_id"),
        limits=msgspec.convert(rates, Limits),
        blocked=row.flag("blocked") or bool(guarded),
        metadata=raw({name: value for name, value in metadata.items() if name not in {"tags", *_MODEL_RATES}}),
        **_stamps(row),
    )
    return Made(record, tuple(f"{name}: not enforced here, so the project comes over blocked." for name in guarded))


def model_group_budget_of(row: Row) -> Made:
    """The budget of a group of models."""
    name = row.named("access_group_name")
    return Made(ModelGroupBudget(name=name, budget_id=row.text("budget_id"), **_stamps(row)))


def access_group_of(row: Row) -> Made:
    """An access group."""
    absent = [name for name in ("access_mcp_server_ids", "access_agent_ids", "access_skill_names") if row.texts(name)]
    record = AccessGroup(
        access_group_id=row.named("access_group_id"),
        name=row.named("access_group_name"),
        description=row.text("description"),
        models=row.texts("access_model_names"),
        team_ids=row.texts("assigned_team_ids"),
        key_tokens=row.texts("assigned_key_ids"),
        **_stamps(row),
    )
    return Made(record, tuple(f"{name}: there are none here, so they are left out." for name in absent))


def retired_of(row: Row) -> Made:
    """A key that was replaced and still works."""
    until = row.moment("revoke_at") or 0.0
    token, successor = row.named("token"), row.named("active_token_id")
    return Made(RetiredKey(token=token, successor=successor, until=until, created_at=row.moment("created_at") or 0.0))


def limits_of(row: Row) -> tuple[Limits, tuple[str, ...]]:
    """The limits that a row has in its columns and its metadata, and notes on those that are none."""
    notes = list(row.strange_amounts("max_budget", "soft_budget", "temp_budget_increase"))
    notes += row.strange_limits("rpm_limit", "tpm_limit", "tpd_limit", "max_parallel_requests")
    metadata = row.fields("metadata")
    duration = row.text("budget_duration")
    if duration is not None and not _is_duration(duration):
        notes.append(f"budget_duration {duration!r} is none here: the budget is never reset.")
        duration = None
    models: dict[str, ModelLimits] = {}
    for name, told in row.fields("model_max_budget").items():
        limit = _model_limits(told)
        if limit is None:
            notes.append(f"model_max_budget of {name} cannot be read and is left out.")
        else:
            models[name] = limit
    limits = Limits(
        max_budget=row.money("max_budget"),
        soft_budget=row.money("soft_budget"),
        budget_duration=duration,
        budget_limits=_windows(row.json("budget_limits")),
        temp_budget_increase=row.money("temp_budget_increase"),
        temp_budget_expiry=row.moment("temp_budget_expiry"),
        rpm_limit=row.limit("rpm_limit"),
        tpm_limit=row.limit("tpm_limit"),
        tpd_limit=row.limit("tpd_limit"),
        max_parallel_requests=row.limit("max_parallel_requests"),
        model_limits=models,
        model_rpm_limit=_numbers(metadata.get("model_rpm_limit")),
        model_tpm_limit=_numbers(metadata.get("model_tpm_limit")),
        tag_rpm_limit=_numbers(metadata.get("tag_rpm_limit")),
    )
    return limits, tuple(notes)


def raw(fields: Mapping[str, object]) -> msgspec.Raw:
    """A JSON object as it is stored."""
    return msgspec.Raw(msgspec.json.encode(dict(fields)))


class _Stamps(TypedDict):
    created_at: float
    updated_at: float
    created_by: str | None
    updated_by: str | None


def _stamps(row: Row) -> _Stamps:
    created_at = row.moment("created_at") or 0.0
    return _Stamps(
        created_at=created_at,
        updated_at=row.moment("updated_at") or created_at,
        created_by=row.text("created_by"),
        updated_by=row.text("updated_by"),
    )


def _is_duration(text: str) -> bool:
    try:
        next_reset(text, 0.0)
    except Malformed:
        return False
    return True


def _model_limits(told: object) -> ModelLimits | None:
    if isinstance(told, int | float) and not isinstance(told, bool):
        return ModelLimits(max_budget=amount_of(told))
    if not isinstance(told, dict):
        return None
    budget = told.get("max_budget", told.get("budget_limit"))
    duration = told.get("budget_duration", told.get("time_period"))
    return ModelLimits(
        max_budget=amount_of(budget),
        duration=duration if isinstance(duration, str) and _is_duration(duration) else None,
        rpm_limit=_number(told.get("rpm_limit")),
        tpm_limit=_number(told.get("tpm_limit")),
    )


def _windows(told: object) -> tuple[BudgetWindow, ...]:
    found = []
    for one in told if isinstance(told, list) else []:
        duration, budget = (
            (one.get("budget_duration"), one.get("max_budget")) if isinstance(one, dict) else (None, None)
        )
        most = amount_of(budget)
        if isinstance(duration, str) and _is_duration(duration) and most is not None:
            found.append(BudgetWindow(duration=duration, max_budget=most))
    return tuple(found)


def _numbers(told: object) -> dict[str, int]:
    pairs: Iterable[tuple[str, object]] = told.items() if isinstance(told, dict) else ()
    return {name: number for name, value in pairs if (number := _number(value)) is not None}


def _number(value: object) -> int | None:
    """A limit that a store can hold; what is below nought lets nothing through, as nought does."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _NUMBER_MAX:
        return None
    return max(int(value), 0)


def _texts(told: object) -> tuple[str, ...]:
    return tuple(one for one in told if isinstance(one, str)) if isinstance(told, list) else ()
