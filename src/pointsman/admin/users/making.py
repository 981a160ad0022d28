"""``/user/new``: a user, their memberships, and a key for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.admin.governance.entries import author, demand_printable, tell
from pointsman.admin.keys.making import make_key
from pointsman.admin.keys.replies import KeyFacts, generated_key
from pointsman.admin.keys.restrictions import not_enforced_header
from pointsman.admin.office import Office
from pointsman.admin.people.accounts import begin, default_limits
from pointsman.admin.people.joining import existing_team, join_organization, join_team
from pointsman.admin.people.noting import note_user
from pointsman.admin.rights import Rights, rights_of
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.users.changes import changed_user, demand_may_make, demand_unique
from pointsman.admin.users.passwords import given_digest
from pointsman.admin.users.replies import user_rows
from pointsman.admin.users.requests import NEW_USER_PASSIVE, NewUserRequest, NewUserTeam
from pointsman.core.clock import call_id
from pointsman.core.errors import NotFound
from pointsman.core.identity import KeyRecord
from pointsman.core.price import picodollars
from pointsman.stores.directory.kinds import ORGANIZATIONS, TEAMS, USERS
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import NO_LIMITS, Limits, Role, Team, User

__all__ = ["new_user"]

_KEY_FIELDS: Final = frozenset({
    "aliases", "duration", "key_alias", "max_parallel_requests", "metadata", "models", "rpm_limit", "team_id",
    "tpm_limit",
})  # fmt: skip
"""What a request says of the user's key too."""

_FOR_MODELS: Final = msgspec.Raw(b'"llm_api"')

_decode_team: Final = msgspec.json.Decoder(str | NewUserTeam).decode


async def new_user(office: Office, visit: Visit[Nothing, NewUserRequest]) -> Answer:
    """A new user, and with them a key unless the request declines."""
    wanted, by = visit.body, author(visit)
    rights = await rights_of(office, visit.caller)
    user, unheeded = _user(office, visit, by)
    organizations = tuple(dict.fromkeys(wanted.organizations or ()))
    teams = await _teams(office, wanted)
    named = tuple(team.team_id for team, _ in teams) if wanted.teams or wanted.team_id else ()
    await demand_may_make(office, rights, user, organizations, named)
    await _demand_organizations(office, organizations)
    given = wanted.user_id if isinstance(wanted.user_id, str) and wanted.user_id else None
    await demand_unique(office, given, user.email)
    user = msgspec.structs.replace(user, password=await given_digest(office, rights, wanted.password))
    await office.directory.insert(USERS, user)
    await begin(office, "user", user.user_id, user.limits)
    if isinstance(wanted.spend, float) and wanted.spend > 0:
        await office.spend.set_amount(Meter("user", user.user_id), picodollars(wanted.spend))
    tell(office, USERS, user.user_id)
    note_user(visit, "created", None, user)
    for team, joining in teams:
        limits = _member_limits(joining)
        await join_team(office, team, user, joining.user_role, by, limits=limits)
    for one in organizations:
        await join_organization(office, one, user, Role.USER, by)
    return Answer(await _reply(office, visit, user, rights), headers=not_enforced_header(unheeded))


def _user(office: Office, visit: Visit[Nothing, NewUserRequest], by: str) -> tuple[User, tuple[str, ...]]:
    wanted, now, defaults = visit.body, office.clock.wall(), office.user_defaults
    user_id = wanted.user_id if isinstance(wanted.user_id, str) and wanted.user_id else call_id()
    demand_printable(user_id=user_id)
    role = Role(wanted.user_role) if isinstance(wanted.user_role, str) else Role(defaults.user_role or Role.USER.value)
    blank = User(
        user_id=user_id,
        role=role,
        models=() if role is Role.ADMIN else defaults.models,
        limits=default_limits(office, role),
        created_at=now,
        created_by=by,
    )
    return changed_user(blank, wanted, _said(visit.fields), NEW_USER_PASSIVE, now, by)


def _said(body: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """The fields that say something: of a new user null means the default."""
    return {name: raw for name, raw in body.items() if bytes(raw) != b"null"}


async def _teams(office: Office, wanted: NewUserRequest) -> list[tuple[Team, NewUserTeam]]:
    """The teams to join, as the request names them or else the operator's defaults."""
    if wanted.team_id:
        return [(await existing_team(office, wanted.team_id), NewUserTeam(team_id=wanted.team_id))]
    if wanted.teams is not None:
        named = [one if isinstance(one, NewUserTeam) else NewUserTeam(team_id=one) for one in wanted.teams]
        return [(await existing_team(office, one.team_id), one) for one in named]
    found = []
    for raw in office.user_defaults.teams:
        one = _decode_team(raw)
        joining = one if isinstance(one, NewUserTeam) else NewUserTeam(team_id=one)
        team = await office.directory.get(TEAMS, joining.team_id)
        if team is not None:
            found.append((team, joining))
    return found


def _member_limits(joining: NewUserTeam) -> Limits:
    budget = joining.max_budget_in_team
    return NO_LIMITS if budget is None else Limits(max_budget=picodollars(budget))


async def _demand_organizations(office: Office, organizations: tuple[str, ...]) -> None:
    found = await office.directory.look_up([(ORGANIZATIONS, one) for one in organizations])
    for one, organization in zip(organizations, found, strict=True):
        if organization is None:
            raise NotFound(
                f"Organization not found for organization_id={one}",
                param="organizations",
                code="organization_not_found",
            )


async def _reply(
    office: Office, visit: Visit[Nothing, NewUserRequest], user: User, rights: Rights
) -> dict[str, object]:
    wanted = visit.body
    shown = (await user_rows(office, (user,)))[0]
    if wanted.auto_create_key is False:
        blank = KeyRecord(token="", key_name="", user_id=user.user_id, created_at=user.created_at)
        key_row = generated_key(blank, "", None, KeyFacts())
    else:
        body = {name: raw for name, raw in _said(visit.fields).items() if name in _KEY_FIELDS}
        if user.models:
            body["models"] = msgspec.Raw(msgspec.json.encode(user.models))
        body["user_id"] = msgspec.Raw(msgspec.json.encode(user.user_id))
        if not rights.is_admin:
            # Whoever is handed it must not have the rights with it that the user has one day.
            body = {**body, "key_type": _FOR_MODELS}
            body.pop("metadata", None)
        key_row, _ = await make_key(office, visit, body, permitted=True)
    # The row is the user's; of the key there is what only a key has.
    return {**key_row, **shown}
