"""What ``/user/…`` is sent. Field names and meanings: LiteLLM's ``NewUserRequest`` and its kin.

A field that is not there is ``UNSET``: nothing is said about it. ``null`` says "none". Amounts are in USD.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pointsman.admin.keys.requests import Dollars, Duration, Label, ModelName
from pointsman.admin.people.fields import AccountFields, Email, Models, Page
from pointsman.admin.people.passive import Passive

__all__ = [
    "NEW_USER_PASSIVE",
    "USER_PASSIVE",
    "BulkUpdateUsersRequest",
    "DeleteUsersRequest",
    "NewUserRequest",
    "NewUserTeam",
    "UpdateUserRequest",
    "UserFields",
    "UserFilterQuery",
    "UserListQuery",
    "UserQuery",
    "UserRole",
]

UserRole = Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"]

_REFUSED: Final = frozenset({
    "enforced_params", "guardrails", "object_permission", "permissions", "policies",
})  # fmt: skip
_KEPT: Final = frozenset({
    "agent_id", "allowed_cache_controls", "budget_fallbacks", "config", "default_estimated_output_tokens",
    "default_estimated_output_tokens_per_model", "mcp_rpm_limit", "prompts", "send_invite_email", "team_id",
})  # fmt: skip

USER_PASSIVE: Final = Passive(_REFUSED, _KEPT | {"aliases", "duration", "key_alias"})
NEW_USER_PASSIVE: Final = Passive(_REFUSED, _KEPT)


class UserFields(AccountFields, frozen=True, kw_only=True):
    """What can be said about a user."""

    user_id: Label | UnsetType | None = UNSET
    user_email: Email | UnsetType | None = UNSET
    user_alias: Label | UnsetType | None = UNSET
    user_role: UserRole | UnsetType | None = UNSET
    models: Models | UnsetType | None = UNSET
    metadata: dict[str, msgspec.Raw] | UnsetType | None = UNSET
    spend: Dollars | UnsetType | None = UNSET
    blocked: bool | UnsetType | None = UNSET
    sso_user_id: Label | UnsetType | None = UNSET
    password: Annotated[str, Meta(max_length=4096)] | UnsetType | None = UNSET


class NewUserTeam(msgspec.Struct, frozen=True, kw_only=True):
    """A team that a new user joins."""

    team_id: Label
    max_budget_in_team: Dollars | None = None
    user_role: Literal["user", "admin"] = "user"


class NewUserRequest(UserFields, frozen=True, kw_only=True):
    """A new user, and a key for them unless ``auto_create_key`` is false.

    ``key_alias``, ``duration``, ``aliases`` and ``team_id`` are the key's; its budget is the user's.
    """

    auto_create_key: bool | None = True
    key_alias: Label | None = None
    duration: Duration | None = None
    aliases: dict[ModelName, ModelName] | None = None
    team_id: Label | None = None
    teams: tuple[Label | NewUserTeam, ...] | None = None
    organizations: tuple[Label, ...] | None = None


class UpdateUserRequest(UserFields, frozen=True, kw_only=True):
    """Changes to the user with ``user_id``, or without it to the one with ``user_email``.

    As in LiteLLM, empty ``models`` and ``metadata`` change nothing.
    """


class BulkUpdateUsersRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to several users, each for itself; or one change to all."""

    users: Annotated[tuple[dict[str, msgspec.Raw], ...], Meta(max_length=500)] | None = None
    all_users: bool | None = False
    user_updates: dict[str, msgspec.Raw] | None = None


class DeleteUsersRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Users to delete, with their keys and memberships."""

    user_ids: Annotated[tuple[Label, ...], Meta(max_length=1000)]


class UserQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which user; left out: the caller."""

    user_id: str | None = None


class UserListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which users to list; filters hold together. Ids are separated by commas."""

    role: UserRole | None = None
    user_ids: str | None = None
    sso_user_ids: str | None = None
    user_email: str | None = None
    search: str | None = None
    team: str | None = None
    organization_ids: str | None = None
    page: Page = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 25
    sort_by: (
        Literal[
            "user_id", "user_email", "created_at", "updated_at", "spend", "user_alias", "user_role", "max_budget",
            "sso_user_id",
        ] | None
    ) = None  # fmt: skip
    sort_order: Literal["asc", "desc"] = "asc"


class UserFilterQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Users to choose from; each text need only occur."""

    user_id: str | None = None
    user_email: str | None = None
    search: str | None = None
    team_id: str | None = None
    page: Page = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 50
