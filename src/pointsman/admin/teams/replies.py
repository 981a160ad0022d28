"""What ``/team/…`` answers: a team's row in LiteLLM's field names, amounts in USD, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.admin.amounts import usd
from pointsman.admin.governance.limit_fields import BudgetTable, ModelBudget, budget_table
from pointsman.admin.governance.periods import budgets_named, joined_limits, spent_by
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import users_by_id
from pointsman.admin.people.fields import WindowFields, model_budgets
from pointsman.admin.rights import team_members
from pointsman.admin.timestamps import iso, iso_or_none
from pointsman.admin.users.replies import UserRow
from pointsman.core.price import dollars
from pointsman.stores.directory.kinds import TEAM_MEMBERS
from pointsman.stores.directory.ports import DirectoryQuery, Spent
from pointsman.stores.directory.records import NO_LIMITS, Budget, Team, TeamMember, User, member_id

__all__ = [
    "MEMBERS_MAX",
    "BulkMemberAddReply",
    "BulkPermissionsReply",
    "DeletedTeamsReply",
    "ListedTeam",
    "MemberAddReply",
    "MemberAddResult",
    "MemberInfoReply",
    "MemberRow",
    "MemberUpdateReply",
    "Membership",
    "PermissionsReply",
    "ResetMemberBudgetReply",
    "ResetMemberSpendReply",
    "TeamChoice",
    "TeamInfoReply",
    "TeamItem",
    "TeamListReply",
    "TeamRow",
    "UpdatedTeamReply",
    "members_of",
    "membership_rows",
    "memberships_of",
    "team_rows",
]

MEMBERS_MAX: Final = 30_000
"""Members that are read for one list of many teams."""
_MEMBERS_AT_ONCE: Final = 10_000
_TEAMS_ONE_BY_ONE_MAX: Final = 50

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class MemberRow(msgspec.Struct, frozen=True):
    """A member as a team's row shows them."""

    user_id: str
    user_email: str | None
    role: str


class Membership(msgspec.Struct, kw_only=True):
    """What a member has spent in the team and may spend there (LiteLLM_TeamMembership)."""

    user_id: str
    team_id: str
    budget_id: str | None
    spend: float
    total_spend: float
    litellm_budget_table: BudgetTable | None


class TeamRow(msgspec.Struct, kw_only=True):
    """A team (LiteLLM_TeamTable)."""

    team_id: str
    team_alias: str | None
    organization_id: str | None
    admins: tuple[str, ...]
    members: tuple[str, ...]
    members_with_roles: tuple[MemberRow, ...]
    team_member_permissions: tuple[str, ...] | None
    metadata: msgspec.Raw
    models: tuple[str, ...]
    default_team_member_models: tuple[str, ...]
    access_group_ids: tuple[str, ...]
    tags: tuple[str, ...]
    blocked: bool
    spend: float
    max_budget: float | None
    soft_budget: float | None
    budget_duration: str | None
    budget_reset_at: str | None
    budget_limits: tuple[WindowFields, ...]
    rpm_limit: int | None
    tpm_limit: int | None
    tpd_limit: int | None
    itpm_limit: int | None
    otpm_limit: int | None
    max_parallel_requests: int | None
    model_max_budget: dict[str, ModelBudget]
    model_rpm_limit: dict[str, int]
    model_tpm_limit: dict[str, int]
    model_itpm_limit: dict[str, int]
    model_otpm_limit: dict[str, int]
    tag_rpm_limit: dict[str, int]
    team_member_key_duration: str | None
    model_spend: dict[str, float]
    team_member_budget_table: BudgetTable | None
    litellm_model_table: dict[str, dict[str, str]] | None
    model_id: int | None
    policies: tuple[str, ...]
    router_settings: dict[str, msgspec.Raw]
    allow_team_guardrail_config: bool
    object_permission: msgspec.Raw | None
    object_permission_id: str | None
    created_at: str
    updated_at: str


class UpdatedTeamReply(msgspec.Struct):
    """A team as it is now."""

    team_id: str
    data: TeamRow


class TeamItem(TeamRow, kw_only=True):
    """A team with the numbers of its members and keys."""

    members_count: int
    keys_count: int


class ListedTeam(TeamRow, kw_only=True):
    """A team with its keys and memberships."""

    keys: tuple[msgspec.Raw, ...]
    team_memberships: tuple[Membership, ...]


class TeamInfoReply(msgspec.Struct):
    """One team with its keys and memberships."""

    team_id: str
    team_info: TeamRow
    keys: tuple[msgspec.Raw, ...]
    team_memberships: tuple[Membership, ...]


class TeamListReply(msgspec.Struct):
    """A page of teams."""

    teams: tuple[TeamItem, ...]
    total: int
    page: int
    page_size: int
    total_pages: int


class TeamChoice(msgspec.Struct):
    """A team to choose."""

    team_id: str
    team_alias: str | None


class DeletedTeamsReply(msgspec.Struct):
    """The teams that are gone."""

    deleted_teams: tuple[str, ...]


class MemberAddReply(TeamRow, kw_only=True):
    """A team with the users and memberships that were added."""

    updated_users: tuple[UserRow, ...]
    updated_team_memberships: tuple[Membership, ...]


class MemberAddResult(msgspec.Struct, kw_only=True):
    """What became of one of several members."""

    user_id: str | None
    user_email: str | None
    success: bool
    error: str | None = None
    updated_user: UserRow | None = None
    updated_team_membership: Membership | None = None


class BulkMemberAddReply(msgspec.Struct, kw_only=True):
    """What became of several members."""

    team_id: str
    results: tuple[MemberAddResult, ...]
    total_requested: int
    successful_additions: int
    failed_additions: int
    updated_team: TeamRow | None


class MemberUpdateReply(msgspec.Struct, kw_only=True):
    """A member as they are now."""

    team_id: str
    user_id: str
    user_email: str | None
    max_budget_in_team: float | None
    budget_duration: str | None
    tpm_limit: int | None
    rpm_limit: int | None
    allowed_models: tuple[str, ...] | None
    temp_budget_increase: float | None
    temp_budget_expiry: str | None
    model_max_budget: dict[str, ModelBudget] | None


class MemberInfoReply(Membership, kw_only=True):
    """The caller's own membership."""

    role: str | None
    user_email: str | None
    team_alias: str | None


class ResetMemberSpendReply(msgspec.Struct, kw_only=True):
    """What a member has spent from now on, and had before."""

    team_id: str
    user_id: str
    spend: float
    previous_spend: float
    max_budget: float | None
    budget_reset_at: str | None


class ResetMemberBudgetReply(msgspec.Struct, kw_only=True):
    """Where a member's limits come from now that they have none of their own."""

    team_id: str
    user_id: str
    budget_id: str | None
    previous_budget_id: str | None
    budget_source: str


class PermissionsReply(msgspec.Struct):
    """What members may do with the team's keys, and what could be allowed."""

    team_id: str
    team_member_permissions: tuple[str, ...]
    all_available_permissions: tuple[str, ...]


class BulkPermissionsReply(msgspec.Struct):
    """How many teams lacked some of them, and have them now."""

    message: str
    teams_updated: int
    permissions_appended: tuple[str, ...] | None


async def team_rows(
    office: Office, teams: Sequence[Team], members: Mapping[str, Sequence[TeamMember]] | None = None
) -> list[dict[str, object]]:
    """:class:`TeamRow` of each, with the fields that are kept unheeded; a field of ours wins over one of theirs.

    ``members`` are looked up if they are not given.
    """
    spent = await spent_by(office, "team", [team.team_id for team in teams])
    if members is None:
        members = (await members_of(office, teams))[0]
    users = await users_by_id(office, [member.user_id for group in members.values() for member in group])
    return [_row(team, members[team.team_id], users, spent[team.team_id]) for team in teams]


async def membership_rows(office: Office, team: Team, members: Sequence[TeamMember]) -> list[Membership]:
    """Each membership with what it has spent."""
    identities = [member_id(team.team_id, member.user_id) for member in members]
    spent = await spent_by(office, "member", identities)
    budgets = await budgets_named(office, [team.member_budget_id, *(member.budget_id for member in members)])
    return [
        _membership(team, member, spent[identity], budgets)
        for member, identity in zip(members, identities, strict=True)
    ]


def _membership(team: Team, member: TeamMember, spent: Spent, budgets: Mapping[str, Budget]) -> Membership:
    own = joined_limits(member.limits, budgets.get(member.budget_id or ""))
    usual = joined_limits(team.member_limits, budgets.get(team.member_budget_id or ""))
    limits = joined_limits(own, Budget(budget_id="", limits=usual))
    table = None
    if limits != NO_LIMITS or member.models:
        shared = team.member_budget_id if own == NO_LIMITS else None
        table = budget_table(limits, member.budget_id or shared, spent.reset_at, member.created_at)
        table = msgspec.structs.replace(table, allowed_models=member.models)
    return Membership(
        user_id=member.user_id,
        team_id=team.team_id,
        budget_id=member.budget_id,
        spend=dollars(spent.amount),
        total_spend=dollars(spent.total),
        litellm_budget_table=table,
    )


async def memberships_of(
    office: Office, teams: Sequence[Team], members: Mapping[str, Sequence[TeamMember]]
) -> list[list[Membership]]:
    """The memberships of each team with what they have spent, which is asked for all of them together."""
    named = [[(member, member_id(team.team_id, member.user_id)) for member in members[team.team_id]] for team in teams]
    spent = await spent_by(office, "member", [identity for group in named for _, identity in group])
    every = [member.budget_id for group in named for member, _ in group]
    budgets = await budgets_named(office, [*(team.member_budget_id for team in teams), *every])
    return [
        [_membership(team, member, spent[identity], budgets) for member, identity in group]
        for team, group in zip(teams, named, strict=True)
    ]


async def members_of(office: Office, teams: Sequence[Team]) -> tuple[dict[str, list[TeamMember]], bool]:
    """The members of each team, and whether these are all; of many teams by one walk through all members.

    That ends after :data:`MEMBERS_MAX`, so that the last teams come without, and all of it fits into memory.
    """
    found: dict[str, list[TeamMember]] = {team.team_id: [] for team in teams}
    if len(teams) <= _TEAMS_ONE_BY_ONE_MAX:
        for team_id in found:
            found[team_id] += await team_members(office, team_id)
        return found, True
    page, seen, total = 1, 0, 1
    while seen < min(total, MEMBERS_MAX):
        query = DirectoryQuery(page=page, size=_MEMBERS_AT_ONCE, sort_by="id", sort_order="asc")
        some = await office.directory.find(TEAM_MEMBERS, query)
        for member in some.records:
            if member.team_id in found:
                found[member.team_id].append(member)
        page, seen, total = page + 1, seen + max(1, len(some.records)), some.total
    return found, seen >= total


def _row(team: Team, members: Sequence[TeamMember], users: Mapping[str, User], spent: Spent) -> dict[str, object]:
    limits = team.limits
    emails = {user_id: user.email for user_id, user in users.items()}
    bounded = team.member_limits != NO_LIMITS
    return {
        "router_settings": {},
        "object_permission": None,
        **_decode_object(team.extra),
        "team_id": team.team_id,
        "team_alias": team.alias,
        "organization_id": team.organization_id,
        "admins": (),
        "members": (),
        "members_with_roles": [MemberRow(one.user_id, emails.get(one.user_id), one.role) for one in members],
        "team_member_permissions": team.member_permissions,
        "metadata": team.metadata,
        "models": team.models,
        "default_team_member_models": team.default_member_models,
        "access_group_ids": team.access_group_ids,
        "tags": team.tags,
        "blocked": team.blocked,
        "spend": dollars(spent.amount),
        "max_budget": usd(limits.max_budget),
        "soft_budget": usd(limits.soft_budget),
        "budget_duration": limits.budget_duration,
        "budget_reset_at": iso_or_none(spent.reset_at),
        "budget_limits": [
            WindowFields(budget_duration=one.duration, max_budget=dollars(one.max_budget))
            for one in limits.budget_limits
        ],
        "rpm_limit": limits.rpm_limit,
        "tpm_limit": limits.tpm_limit,
        "tpd_limit": limits.tpd_limit,
        "itpm_limit": limits.itpm_limit,
        "otpm_limit": limits.otpm_limit,
        "max_parallel_requests": limits.max_parallel_requests,
        "model_max_budget": model_budgets(limits.model_limits),
        "model_rpm_limit": limits.model_rpm_limit,
        "model_tpm_limit": limits.model_tpm_limit,
        "model_itpm_limit": limits.model_itpm_limit,
        "model_otpm_limit": limits.model_otpm_limit,
        "tag_rpm_limit": limits.tag_rpm_limit,
        "team_member_key_duration": team.member_key_duration,
        "model_spend": {},
        "team_member_budget_table": budget_table(team.member_limits, team.member_budget_id, None) if bounded else None,
        "litellm_model_table": {"model_aliases": team.model_aliases} if team.model_aliases else None,
        "model_id": None,
        "policies": (),
        "allow_team_guardrail_config": False,
        "object_permission_id": None,
        "created_at": iso(team.created_at),
        "updated_at": iso(team.updated_at),
    }
