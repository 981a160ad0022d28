"""What new users and teams have of whom nothing is said: parts of ``litellm_settings``, in LiteLLM's names."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["KeyGeneration", "PersonalKeys", "TeamDefaults", "TeamKeys", "TeamRole", "UserDefaults", "UserRole"]

_Amount = Annotated[float, Meta(ge=0)]
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Name = Annotated[str, Meta(min_length=1, description="a name")]

TeamRole = Annotated[str, Meta(pattern=r"^(admin|user)$", description="admin or user")]

UserRole = Annotated[
    str,
    Meta(
        pattern=r"^(proxy_admin|proxy_admin_viewer|internal_user|internal_user_viewer)$",
        description="proxy_admin, proxy_admin_viewer, internal_user or internal_user_viewer",
    ),
]


class TeamKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Who of a team makes keys for it, and what they have to say of them; None: as the team lets them."""

    allowed_team_member_roles: tuple[TeamRole, ...] | None = None
    required_params: tuple[_Name, ...] = ()


class PersonalKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes keys outside of teams, and what they have to say of them; None: whoever may make any."""

    allowed_user_roles: tuple[_Name, ...] | None = None
    required_params: tuple[_Name, ...] = ()


class KeyGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes which keys: ``key_generation_settings``."""

    team_key_generation: TeamKeys = TeamKeys()
    personal_key_generation: PersonalKeys = PersonalKeys()


class UserDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a new user has of whom nothing else is said. Amounts are in USD.

    ``teams`` are joined at once: ids, or objects with ``team_id``, ``max_budget_in_team`` and ``user_role``;
    ``available_teams`` may be joined by whoever wants to.
    """

    user_role: UserRole | None = None
    max_budget: _Amount | None = None
    budget_duration: _Name | None = None
    models: tuple[_Name, ...] = ()
    rpm_limit: _Count | None = None
    tpm_limit: _Count | None = None
    teams: tuple[msgspec.Raw, ...] = ()
    available_teams: tuple[_Name, ...] = ()


class TeamDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a new team has of which nothing else is said. Amounts are in USD."""

    max_budget: _Amount | None = None
    budget_duration: _Name | None = None
    models: tuple[_Name, ...] = ()
    rpm_limit: _Count | None = None
    tpm_limit: _Count | None = None
    team_member_permissions: tuple[_Name, ...] | None = None
