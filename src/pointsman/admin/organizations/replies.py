"""What ``/organization/…`` answers: a row in LiteLLM's field names, amounts in USD, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.admin.governance.limit_fields import BudgetTable, budget_table
from pointsman.admin.governance.periods import budgets_named, joined_limits, spent_by
from pointsman.admin.office import Office
from pointsman.admin.rights import org_members
from pointsman.admin.teams.replies import TeamRow, team_rows
from pointsman.admin.timestamps import iso
from pointsman.admin.users.replies import OrganizationMembership, UserRow, membership_rows
from pointsman.core.price import dollars
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Organization

__all__ = ["OrganizationMembersReply", "OrganizationRow", "OrganizationWithMembers", "organization_rows", "whole_rows"]

_TEAMS_MAX: Final = 10_000
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OrganizationRow(msgspec.Struct, kw_only=True):
    """An organisation (LiteLLM_OrganizationTable). ``litellm_budget_table`` is what binds it."""

    organization_id: str
    organization_alias: str | None
    budget_id: str | None
    spend: float
    metadata: msgspec.Raw
    models: tuple[str, ...]
    model_spend: dict[str, float]
    model_rpm_limit: dict[str, int]
    model_tpm_limit: dict[str, int]
    model_itpm_limit: dict[str, int]
    model_otpm_limit: dict[str, int]
    blocked: bool
    created_by: str
    updated_by: str
    created_at: str
    updated_at: str
    users: tuple[UserRow, ...] | None
    litellm_budget_table: BudgetTable
    object_permission: msgspec.Raw | None
    object_permission_id: None


class OrganizationWithMembers(OrganizationRow, kw_only=True):
    """An organisation with its members and teams."""

    members: tuple[OrganizationMembership, ...]
    teams: tuple[TeamRow, ...]


class OrganizationMembersReply(msgspec.Struct):
    """The users and memberships that were added."""

    organization_id: str
    updated_users: tuple[UserRow, ...]
    updated_organization_memberships: tuple[OrganizationMembership, ...]


async def organization_rows(office: Office, organizations: Sequence[Organization]) -> list[dict[str, object]]:
    """:class:`OrganizationRow` of each."""
    spent = await spent_by(office, "organization", [one.organization_id for one in organizations])
    budgets = await budgets_named(office, [one.budget_id for one in organizations])
    rows: list[dict[str, object]] = []
    for one in organizations:
        budget = None if one.budget_id is None else budgets.get(one.budget_id)
        limits, its = joined_limits(one.limits, budget), spent[one.organization_id]
        rows.append(
            {
                "object_permission": None,
                **_decode_object(one.extra),
                "organization_id": one.organization_id,
                "organization_alias": one.alias,
                "budget_id": one.budget_id,
                "spend": dollars(its.amount),
                "metadata": one.metadata,
                "models": one.models,
                "model_spend": {},
                "model_rpm_limit": limits.model_rpm_limit,
                "model_tpm_limit": limits.model_tpm_limit,
                "model_itpm_limit": limits.model_itpm_limit,
                "model_otpm_limit": limits.model_otpm_limit,
                "blocked": one.blocked,
                "created_by": one.created_by or "",
                "updated_by": one.updated_by or one.created_by or "",
                "created_at": iso(one.created_at),
                "updated_at": iso(one.updated_at),
                "users": None,
                "litellm_budget_table": budget_table(limits, one.budget_id, its.reset_at, one.created_at),
                "object_permission_id": None,
            }
        )
    return rows


async def whole_rows(office: Office, organizations: Sequence[Organization]) -> list[dict[str, object]]:
    """:class:`OrganizationWithMembers` of each."""
    rows = await organization_rows(office, organizations)
    for one, row in zip(organizations, rows, strict=True):
        row["members"] = await membership_rows(office, await org_members(office, one.organization_id))
        query = DirectoryQuery(parent=one.organization_id, size=_TEAMS_MAX, sort_order="asc")
        row["teams"] = await team_rows(office, (await office.directory.find(TEAMS, query)).records)
    return rows
