"""From the fields of a request to a team as it will be, and who may ask for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UnsetType

from pointsman.admin.governance.limit_fields import BudgetFields, changed_limits
from pointsman.admin.grants import bound_of_account, bound_of_limits, demand_within, grant_of_limits
from pointsman.admin.office import Office
from pointsman.admin.people.fields import account_limits, json_object, raised
from pointsman.admin.people.passive import passive
from pointsman.admin.rights import MEMBER_PERMISSIONS, Rights, demand
from pointsman.admin.said_in_metadata import with_said_fields
from pointsman.admin.teams.requests import TEAM_PASSIVE, TeamFields
from pointsman.core.errors import Malformed, NotFound
from pointsman.policies.durations import ends_at
from pointsman.policies.key_terms import priority_in
from pointsman.stores.directory.kinds import ORGANIZATIONS
from pointsman.stores.directory.records import Limits, Team

__all__ = ["changed_team", "demand_permissions", "demand_priority", "demand_within_organization", "demand_within_team"]

_MEMBER_FIELDS: Final = (
    ("team_member_budget", "max_budget"),
    ("team_member_budget_duration", "budget_duration"),
    ("team_member_rpm_limit", "rpm_limit"),
    ("team_member_tpm_limit", "tpm_limit"),
    ("team_member_model_max_budget", "model_max_budget"),
)


def changed_team(
    team: Team, fields: TeamFields, body: Mapping[str, msgspec.Raw], now: float, by: str
) -> tuple[Team, tuple[str, ...]]:
    """The team with what the request says; and the names of the fields that are not heeded.

    Raises:
        Malformed, Unsupported: a value that no team can have; ``param`` names the field.
    """
    fields, body = with_said_fields(fields, body, TEAM_PASSIVE.refused)
    extra, unheeded = passive(body, frozenset(fields.__struct_fields__), TEAM_PASSIVE, team.extra)
    _demand_printable(fields)
    found: dict[str, object] = {
        "extra": extra,
        "limits": account_limits(fields, team.limits),
        "member_limits": _member_limits(fields, team.member_limits),
    }
    for name, ours, empty in (
        ("team_alias", "alias", None),
        ("organization_id", "organization_id", None),
        ("models", "models", ()),
        ("model_aliases", "model_aliases", {}),
        ("blocked", "blocked", False),
        ("tags", "tags", ()),
        ("access_group_ids", "access_group_ids", ()),
        ("default_team_member_models", "default_member_models", ()),
        ("team_member_permissions", "member_permissions", None),
        ("team_member_key_duration", "member_key_duration", None),
    ):
        value = getattr(fields, name)
        if not isinstance(value, UnsetType):
            found[ours] = empty if value is None or value == "" else value
    if not isinstance(fields.metadata, UnsetType):
        found["metadata"] = json_object(fields.metadata)
    if isinstance(fields.team_member_key_duration, str) and fields.team_member_key_duration:
        ends_at(fields.team_member_key_duration, now, "team_member_key_duration")
    if isinstance(fields.team_member_permissions, tuple):
        demand_permissions(fields.team_member_permissions)
    return msgspec.structs.replace(team, updated_at=now, updated_by=by, **found), unheeded


def demand_permissions(permissions: tuple[str, ...]) -> None:
    """Raise unless a team can let its members do these.

    Raises:
        Malformed: one is unknown.
    """
    unknown = [one for one in permissions if one not in MEMBER_PERMISSIONS]
    if unknown:
        raise Malformed(
            f"There is no permission {unknown[0]!r}.",
            hint=f"There are: {', '.join(MEMBER_PERMISSIONS)}.",
            param="team_member_permissions",
        )


async def demand_within_organization(office: Office, team: Team) -> None:
    """Raise unless the team has no more than its organisation.

    Raises:
        NotFound: there is no such organisation.
        Malformed: it has more.
    """
    if team.organization_id is None:
        return
    organization = await office.directory.get(ORGANIZATIONS, team.organization_id)
    if organization is None:
        raise NotFound(
            f"Organization not found for organization_id={team.organization_id}",
            hint="POST /organization/new makes one.",
            param="organization_id",
            code="organization_not_found",
        )
    bound = await bound_of_account(office, "the organisation", organization)
    grant = grant_of_limits(team.limits, team.models, tuple(team.model_aliases.values()))
    demand_within(office, grant, (bound,), new=True)


def demand_priority(rights: Rights, before: Team | None, after: Team) -> None:
    """Raise where the team's metadata would put its keys before others: who comes first is the operator's to say.

    Raises:
        Forbidden: only administrators of the gateway may.
    """
    priority = None if before is None else priority_in(before.metadata)
    demand(rights.is_admin or priority_in(after.metadata) == priority, "set the priority of a team")


def demand_within_team(office: Office, rights: Rights, before: Team, after: Team) -> None:
    """Raise unless who asks may change the team so: its admins narrow it, and do not widen it or move it.

    Raises:
        Forbidden, Malformed: they may not.
    """
    demand_priority(rights, before, after)
    if rights.administers_organization(before.organization_id):
        demand(
            rights.is_admin or rights.administers_organization(after.organization_id),
            "move a team to this organisation",
        )
        return
    demand(rights.administers_team(before), "change this team")
    demand(before.organization_id == after.organization_id, "move a team to another organisation")
    demand(after.blocked or not before.blocked, "unblock your own team")
    demand(set(after.access_group_ids) <= set(before.access_group_ids), "give your own team access groups")
    demand(before.extra == after.extra, "set fields of your own team that are for the operator to set")
    wider = raised(before.limits, after.limits)
    demand(wider is None, f"raise {wider} of your own team")
    if before.models:
        bound = bound_of_limits("the team", Limits(), before.models, enforced=False)
        targets = tuple(name for alias, name in after.model_aliases.items() if before.model_aliases.get(alias) != name)
        grant = grant_of_limits(Limits(), after.models, targets)
        demand_within(office, grant, (bound,), new=False)


def _member_limits(fields: TeamFields, limits: Limits) -> Limits:
    given = {ours: getattr(fields, name) for name, ours in _MEMBER_FIELDS}
    return changed_limits(BudgetFields(**given), limits)


def _demand_printable(fields: TeamFields) -> None:
    for name in ("team_id", "team_alias", "organization_id"):
        value = getattr(fields, name, None)
        if isinstance(value, str) and not value.isprintable():
            raise Malformed(f"{name} must not have control characters.", param=name)
    for name in ("models", "tags", "access_group_ids", "default_team_member_models", "model_aliases"):
        values = getattr(fields, name)
        texts = [] if values is None or isinstance(values, UnsetType) else list(values)
        texts += values.values() if isinstance(values, dict) else []
        if not all(text.isprintable() for text in texts):
            raise Malformed(f"{name} must not have control characters.", param=name)
