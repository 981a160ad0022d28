"""What ``/team/…`` is sent. Field names and meanings: LiteLLM's ``NewTeamRequest`` and its kin.

A field that is not there is ``UNSET``: nothing is said about it. ``null`` says "none". Amounts are in USD.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.governance.limit_fields import ModelBudget
from pointsman.admin.keys.requests import Count, Dollars, Duration, KeyText, Label, ModelName
from pointsman.admin.people.fields import AccountFields, Email, Models, Page
from pointsman.admin.people.passive import Passive

__all__ = [
    "TEAM_PASSIVE",
    "BulkMemberAddRequest",
    "BulkPermissionsRequest",
    "Member",
    "MemberAddRequest",
    "MemberDeleteRequest",
    "MemberUpdateRequest",
    "NewTeamRequest",
    "PatchTeamRequest",
    "PermissionsRequest",
    "ResetMemberSpendRequest",
    "TeamFields",
    "TeamFilterQuery",
    "TeamIdsRequest",
    "TeamInfoQuery",
    "TeamKeysRequest",
    "TeamListQuery",
    "TeamListV2Query",
    "TeamModelsRequest",
    "TeamPermissionsQuery",
    "TeamRequest",
    "UpdateTeamRequest",
]

TEAM_PASSIVE: Final = Passive(
    refused=frozenset({
        "denied_passthrough_routes", "enforced_batch_output_expires_after", "enforced_file_expires_after", "guardrails",
        "object_permission", "policies", "require_trace_id",
    }),
    kept=frozenset({
        "allowed_passthrough_routes", "allowed_vector_store_indexes", "default_estimated_output_tokens",
        "default_estimated_output_tokens_per_model", "disable_global_guardrails", "mcp_rpm_limit", "prompts",
        "secret_manager_settings",
    }),
    routing=True,
)  # fmt: skip

_MemberRole = Literal["admin", "user"]
_TeamIds = Annotated[tuple[Label, ...], Meta(max_length=1000)]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a team: by ``user_id``, or by ``user_email``; who does not exist yet is made."""

    user_id: Label | None = None
    user_email: Email | None = None
    role: _MemberRole = "user"


class TeamFields(AccountFields, frozen=True, kw_only=True):
    """What can be said about a team; ``team_member_…`` bounds each member who has no limits of their own."""

    team_alias: Label | UnsetType | None = UNSET
    organization_id: Label | UnsetType | None = UNSET
    models: Models | UnsetType | None = UNSET
    model_aliases: dict[ModelName, ModelName] | UnsetType | None = UNSET
    metadata: dict[str, msgspec.Raw] | UnsetType | None = UNSET
    blocked: bool | UnsetType | None = UNSET
    tags: tuple[Label, ...] | UnsetType | None = UNSET
    access_group_ids: tuple[Label, ...] | UnsetType | None = UNSET
    default_team_member_models: Models | UnsetType | None = UNSET
    team_member_permissions: tuple[Label, ...] | UnsetType | None = UNSET
    team_member_budget: Dollars | UnsetType | None = UNSET
    team_member_budget_duration: Duration | UnsetType | None = UNSET
    team_member_rpm_limit: Count | UnsetType | None = UNSET
    team_member_tpm_limit: Count | UnsetType | None = UNSET
    team_member_model_max_budget: dict[ModelName, ModelBudget] | UnsetType | None = UNSET
    team_member_key_duration: Duration | UnsetType | None = UNSET


class NewTeamRequest(TeamFields, frozen=True, kw_only=True):
    """A new team. ``admins`` and ``members`` are LiteLLM's older lists of ids."""

    team_id: Label | None = None
    members_with_roles: tuple[Member, ...] = ()
    admins: tuple[Label, ...] = ()
    members: tuple[Label, ...] = ()


class UpdateTeamRequest(TeamFields, frozen=True, kw_only=True):
    """Changes to a team; members are changed by ``/team/member_…``."""

    team_id: Label


class PatchTeamRequest(TeamFields, frozen=True, kw_only=True):
    """Changes to the team in the path; ``team_id``, if it is there, repeats it."""

    team_id: Label | None = None


class TeamIdsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Teams to delete, with their keys and members."""

    team_ids: _TeamIds


class TeamRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One team."""

    team_id: Label


class TeamModelsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Models of a team."""

    team_id: Label
    models: Models


class MemberAddRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One new member or several, and what each of them may spend in the team."""

    team_id: Label
    member: Member | tuple[Member, ...]
    max_budget_in_team: Dollars | None = None
    budget_duration: Duration | None = None
    allowed_models: Models | None = None


class BulkMemberAddRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Several new members, each for itself; or all users."""

    team_id: Label
    members: Annotated[tuple[Member, ...], Meta(max_length=500)] | None = None
    all_users: bool | None = False
    max_budget_in_team: Dollars | None = None


class MemberDeleteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A member who leaves."""

    team_id: Label
    user_id: Label | None = None
    user_email: Email | None = None


class MemberUpdateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to a member."""

    team_id: Label
    user_id: Label | None = None
    user_email: Email | None = None
    role: _MemberRole | None = None
    max_budget_in_team: Dollars | UnsetType | None = UNSET
    budget_duration: Duration | UnsetType | None = UNSET
    tpm_limit: Count | UnsetType | None = UNSET
    rpm_limit: Count | UnsetType | None = UNSET
    allowed_models: Models | UnsetType | None = UNSET
    temp_budget_increase: Dollars | UnsetType | None = UNSET
    temp_budget_expiry: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    model_max_budget: dict[ModelName, ModelBudget] | UnsetType | None = UNSET


class ResetMemberSpendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the member shall have spent from now on, in USD; at most what they have."""

    reset_to: Dollars


class PermissionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What members may do with the team's keys, in place of what they might."""

    team_id: Label
    team_member_permissions: tuple[Label, ...]


class BulkPermissionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Permissions that are added in several teams, or in all of them."""

    permissions: tuple[Label, ...]
    team_ids: _TeamIds | None = None
    apply_to_all_teams: bool = False


class TeamKeysRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One change to several keys of a team, or to all of them; ``update_fields`` as in ``/key/update``."""

    team_id: Label
    update_fields: dict[str, msgspec.Raw]
    key_ids: Annotated[tuple[KeyText, ...], Meta(max_length=500)] | None = None
    all_keys_in_team: bool = False


class TeamInfoQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which team, and how many of its keys to show."""

    team_id: str | None = None
    key_limit: Annotated[int, Meta(ge=0, le=10_000)] | None = None


class TeamPermissionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which team."""

    team_id: Label


class TeamListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whose teams to list."""

    user_id: str | None = None
    organization_id: str | None = None


class TeamListV2Query(msgspec.Struct, frozen=True, kw_only=True):
    """A page of teams; filters hold together."""

    user_id: str | None = None
    organization_id: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    search: str | None = None
    search_team_id_match: Literal["exact", "prefix"] = "exact"
    page: Page = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 10
    sort_by: (
        Literal[
            "team_id", "team_alias", "created_at", "updated_at", "spend", "max_budget", "tpm_limit", "rpm_limit"
        ] | None
    ) = None  # fmt: skip
    sort_order: Literal["asc", "desc"] = "asc"
    status: Literal["active", "deleted"] | None = None


class TeamFilterQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Teams to choose from; each text need only occur."""

    team_id: str | None = None
    team_alias: str | None = None
    page: Page = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 50
