"""Who makes keys for a team or for themselves, as the operator's ``key_generation_settings`` have it.

Source: LiteLLM 1.109.1, ``key_generation_check``; where it answers 400 to somebody whose role is not among those that
may, here that is 403.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import UnsetType

from pointsman.admin.rights import Rights
from pointsman.config.people_sections import KeyGeneration
from pointsman.core.errors import Forbidden, Malformed

__all__ = ["demand_generation"]


def demand_generation(
    settings: KeyGeneration, rights: Rights, team_id: str | UnsetType | None, body: Mapping[str, msgspec.Raw]
) -> None:
    """Raise unless who asks makes keys of that team, or, without one, keys of their own, and says what is required.

    Who administers the gateway makes any key of a team. Who administers a team's organisation counts as its admin.

    Raises:
        Forbidden: others make such keys.
        Malformed: a field is missing.
    """
    if not isinstance(team_id, str):
        personal = settings.personal_key_generation
        _demand_role(rights.role.value, personal.allowed_user_roles, "keys outside of teams")
        _demand_params(personal.required_params, body)
    elif not rights.is_admin:
        of_teams = settings.team_key_generation
        _demand_role(rights.teams.get(team_id, "admin"), of_teams.allowed_team_member_roles, "keys for this team")
        _demand_params(of_teams.required_params, body)


def _demand_role(role: str, allowed: tuple[str, ...] | None, what: str) -> None:
    if allowed is not None and role not in allowed:
        raise Forbidden(
            f"The operator lets the roles {', '.join(allowed) or 'of nobody'} make {what}; yours is {role}.",
            hint="Ask one of them for a key.",
            kind="auth_error",
        )


def _demand_params(required: Iterable[str], body: Mapping[str, msgspec.Raw]) -> None:
    for name in required:
        if name not in body:
            raise Malformed(
                f"Required param {name} not in data", hint="The operator wants it said of every key.", param=name
            )
