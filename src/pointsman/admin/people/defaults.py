"""Whether what the operator's configuration says about new users and teams can be had by anybody."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.admin.teams.changes import demand_permissions
from pointsman.admin.users.requests import NewUserTeam
from pointsman.core.errors import Malformed, Misconfigured
from pointsman.policies.durations import next_reset

__all__ = ["demand_usable_people_defaults"]

_decode_team: Final = msgspec.json.Decoder(str | NewUserTeam).decode


def demand_usable_people_defaults(office: Office) -> None:
    """Raise unless every new user and every new team can have their defaults.

    Raises:
        Misconfigured: it names the setting and what is wrong with it.
    """
    _demand_duration("default_internal_user_params.budget_duration", office.user_defaults.budget_duration)
    _demand_duration("internal_user_budget_duration", office.user_budget_duration)
    _demand_duration("default_team_params.budget_duration", office.team_defaults.budget_duration)
    for team in office.user_defaults.teams:
        try:
            _decode_team(team)
        except msgspec.MsgspecError as problem:
            raise _unusable("default_internal_user_params.teams", str(problem)) from None
    try:
        demand_permissions(office.team_defaults.team_member_permissions or ())
    except Malformed as problem:
        raise _unusable("default_team_params.team_member_permissions", problem.told()) from None


def _demand_duration(setting: str, duration: str | None) -> None:
    try:
        if duration is not None:
            next_reset(duration, 0.0)
    except Malformed as problem:
        raise _unusable(setting, problem.told()) from None


def _unusable(setting: str, why: str) -> Misconfigured:
    return Misconfigured(f"litellm_settings.{setting}: {why}")
