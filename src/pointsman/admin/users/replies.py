"""What ``/user/…`` answers: a user's row in LiteLLM's field names, in USD and ISO 8601. Never a password."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.admin.amounts import usd
from pointsman.admin.governance.limit_fields import ModelBudget
from pointsman.admin.governance.periods import spent_by
from pointsman.admin.keys.replies import GeneratedKeyReply
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import users_by_id
from pointsman.admin.people.fields import model_budgets
from pointsman.admin.timestamps import iso, iso_or_none
from pointsman.core.price import dollars
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, TEAM_MEMBERS
from pointsman.stores.directory.ports import DirectoryQuery, Spent
from pointsman.stores.directory.records import OrganizationMember, User, member_id

__all__ = [
    "BulkUpdateUsersReply",
    "ListedUser",
    "NewUserReply",
    "OrganizationMembership",
    "RoleFact",
    "UpdatedUserReply",
    "UserChoice",
    "UserInfoReply",
    "UserInfoV2Reply",
    "UserListReply",
    "UserRow",
    "UserUpdateResult",
    "membership_rows",
    "team_key_row",
    "user_rows",
]

_MEMBERSHIPS_MAX: Final = 10_000
_SEEN_IN_TEAMS: Final = ("user_id", "user_alias", "user_role", "blocked", "created_at", "updated_at")
_UNSEEN: Final[Mapping[str, object]] = {
    **dict.fromkeys((
        "user_email", "sso_user_id", "organization_id", "max_budget", "soft_budget", "budget_duration",
        "budget_reset_at", "rpm_limit", "tpm_limit", "tpd_limit", "itpm_limit", "otpm_limit", "max_parallel_requests",
        "object_permission_id",
    )),
    **dict.fromkeys(("organization_memberships", "models", "allowed_cache_controls", "policies"), ()),
    **dict.fromkeys(("model_max_budget", "model_spend", "metadata"), msgspec.Raw(b"{}")),
}  # fmt: skip
"""What a key of a team does not see of its user, who may be somebody else elsewhere."""

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OrganizationMembership(msgspec.Struct, frozen=True, kw_only=True):
    """A user in an organisation (LiteLLM_OrganizationMembershipTable)."""

    user_id: str
    organization_id: str
    user_role: str | None
    spend: float
    budget_id: str | None
    created_at: str
    updated_at: str
    user_email: str | None = None
    user: msgspec.Raw | None = None
    litellm_budget_table: msgspec.Raw | None = None


class UserRow(msgspec.Struct, kw_only=True):
    """A user (LiteLLM_UserTable, without the password)."""

    user_id: str
    user_alias: str | None
    user_email: str | None
    user_role: str
    sso_user_id: str | None
    teams: tuple[str, ...]
    organization_id: str | None
    organization_memberships: tuple[OrganizationMembership, ...]
    models: tuple[str, ...]
    spend: float
    max_budget: float | None
    soft_budget: float | None
    budget_duration: str | None
    budget_reset_at: str | None
    rpm_limit: int | None
    tpm_limit: int | None
    tpd_limit: int | None
    itpm_limit: int | None
    otpm_limit: int | None
    max_parallel_requests: int | None
    model_max_budget: dict[str, ModelBudget]
    model_spend: dict[str, float]
    metadata: msgspec.Raw
    blocked: bool
    allowed_cache_controls: tuple[str, ...]
    policies: tuple[str, ...]
    object_permission_id: str | None
    created_at: str
    updated_at: str


class ListedUser(UserRow, kw_only=True):
    """A user with the number of their keys."""

    key_count: int


class NewUserReply(GeneratedKeyReply, kw_only=True):
    """A new user with their key; ``key`` is empty if none was made."""

    user_email: str | None
    user_alias: str | None
    user_role: str
    teams: tuple[str, ...]


class UpdatedUserReply(msgspec.Struct, kw_only=True):
    """A user as they are now."""

    user_id: str
    data: UserRow


class UserUpdateResult(msgspec.Struct, kw_only=True):
    """What became of one of several changes."""

    user_id: str | None
    user_email: str | None
    success: bool
    error: str | None = None
    updated_user: UserRow | None = None


class BulkUpdateUsersReply(msgspec.Struct, kw_only=True):
    """What became of several changes."""

    results: tuple[UserUpdateResult, ...]
    total_requested: int
    successful_updates: int
    failed_updates: int


class UserInfoReply(msgspec.Struct, kw_only=True):
    """A user with their keys and teams."""

    user_id: str | None
    user_info: UserRow | None
    keys: tuple[msgspec.Raw, ...]
    teams: tuple[msgspec.Raw, ...]


class UserInfoV2Reply(msgspec.Struct, kw_only=True):
    """A user, and nothing else."""

    user_id: str
    user_email: str | None
    user_alias: str | None
    user_role: str
    spend: float
    max_budget: float | None
    tpm_limit: int | None
    rpm_limit: int | None
    models: tuple[str, ...]
    budget_duration: str | None
    budget_reset_at: str | None
    metadata: msgspec.Raw
    created_at: str
    updated_at: str
    sso_user_id: str | None
    teams: tuple[str, ...]
    object_permission: None = None
    model_max_budget: dict[str, ModelBudget] = {}


class UserListReply(msgspec.Struct, kw_only=True):
    """A page of users."""

    users: tuple[ListedUser, ...]
    total: int
    page: int
    page_size: int
    total_pages: int


class UserChoice(msgspec.Struct, kw_only=True):
    """A user to choose."""

    user_id: str
    user_email: str | None
    user_alias: str | None


class RoleFact(msgspec.Struct, frozen=True):
    """What a role is for."""

    description: str
    ui_label: str


async def user_rows(office: Office, users: Sequence[User]) -> list[dict[str, object]]:
    """:class:`UserRow` of each, with the fields that are kept unheeded; a field of ours wins over one of theirs."""
    spent = await spent_by(office, "user", [user.user_id for user in users])
    return [await _row(office, user, spent[user.user_id]) for user in users]


async def team_key_row(office: Office, row: dict[str, object], team_id: str) -> dict[str, object]:
    """A user's row as a key of a team sees it: who they are, and what they did in that team."""
    member = member_id(team_id, str(row["user_id"]))
    spent = (await spent_by(office, "member", [member]))[member]
    known = {name: row[name] for name in _SEEN_IN_TEAMS}
    return {**_UNSEEN, **known, "spend": dollars(spent.amount), "teams": [team_id]}


async def membership_rows(office: Office, members: Sequence[OrganizationMember]) -> list[OrganizationMembership]:
    """Memberships in organisations as they are shown."""
    named = [member_id(member.organization_id, member.user_id) for member in members]
    spent = await spent_by(office, "organization_member", named)
    users = await users_by_id(office, [member.user_id for member in members])
    return [
        _membership(member, users.get(member.user_id), spent[name].amount)
        for name, member in zip(named, members, strict=True)
    ]


def _membership(member: OrganizationMember, user: User | None, spent: int) -> OrganizationMembership:
    return OrganizationMembership(
        user_id=member.user_id,
        user_email=None if user is None else user.email,
        organization_id=member.organization_id,
        user_role=member.role.value,
        spend=dollars(spent),
        budget_id=member.budget_id,
        created_at=iso(member.created_at),
        updated_at=iso(member.updated_at),
    )


async def _row(office: Office, user: User, spent: Spent) -> dict[str, object]:
    query = DirectoryQuery(owner=user.user_id, size=_MEMBERSHIPS_MAX, sort_order="asc")
    teams = await office.directory.find(TEAM_MEMBERS, query)
    organizations = await office.directory.find(ORGANIZATION_MEMBERS, query)
    limits = user.limits
    return {
        **_decode_object(user.extra),
        "user_id": user.user_id,
        "user_alias": user.alias,
        "user_email": user.email,
        "user_role": user.role.value,
        "sso_user_id": user.sso_user_id,
        "teams": [member.team_id for member in teams.records],
        "organization_id": organizations.records[0].organization_id if organizations.records else None,
        "organization_memberships": await membership_rows(office, organizations.records),
        "models": user.models,
        "spend": dollars(spent.amount),
        "max_budget": usd(limits.max_budget),
        "soft_budget": usd(limits.soft_budget),
        "budget_duration": limits.budget_duration,
        "budget_reset_at": iso_or_none(spent.reset_at),
        "rpm_limit": limits.rpm_limit,
        "tpm_limit": limits.tpm_limit,
        "tpd_limit": limits.tpd_limit,
        "itpm_limit": limits.itpm_limit,
        "otpm_limit": limits.otpm_limit,
        "max_parallel_requests": limits.max_parallel_requests,
        "model_max_budget": model_budgets(limits.model_limits),
        "model_spend": {},
        "metadata": user.metadata,
        "blocked": user.blocked,
        "allowed_cache_controls": (),
        "policies": (),
        "object_permission_id": None,
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
    }
