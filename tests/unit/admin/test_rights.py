"""The rights of a caller, as far as they follow from roles alone, and what is left of those who have left a team."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin.rights import (
    Rights,
    demand_change_of_key,
    overseen_teams,
    oversees_team,
    rights_of,
    sees_team_keys,
)
from pointsman.core.errors import Forbidden
from pointsman.core.identity import KeyRecord
from pointsman.policies.principal import Principal
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import MemberRole, Role, Team, TeamMember, User, member_id
from tests.unit.admin.office_desk import Desk

RED = Team(team_id="red", organization_id="acme")


@pytest.mark.parametrize(
    ("role", "may"), [(Role.ORGANIZATION_ADMIN, True), (Role.USER, True), (Role.USER_VIEWER, False)]
)
def test_who_may_only_look_administers_no_organisation_either(role: Role, may: bool) -> None:
    rights = Rights(role=role, token="t", user_id="u", organizations={"acme": Role.ORGANIZATION_ADMIN})
    assert rights.administers_organization("acme") is may
    assert rights.administers_team(RED) is may
    assert rights.sees_team(RED)
    assert not rights.administers_organization("other")
    assert not rights.administers_organization(None)


@pytest.mark.parametrize(
    ("user_id", "team_id", "charged", "role", "may"),
    [
        (None, None, "acme", Role.ORGANIZATION_ADMIN, True),
        (None, None, "acme", Role.USER, False),
        (None, None, "other", Role.ORGANIZATION_ADMIN, False),
        (None, None, None, Role.ORGANIZATION_ADMIN, False),
        ("bob", None, "acme", Role.ORGANIZATION_ADMIN, False),
        (None, "of-others", "acme", Role.ORGANIZATION_ADMIN, False),
        (None, "red", None, Role.ORGANIZATION_ADMIN, True),
        ("bob", "red", None, Role.ORGANIZATION_ADMIN, True),
        ("bob", "red", None, Role.USER, False),
    ],
)
async def test_an_organisation_admin_changes_its_own_keys_and_those_of_its_teams(
    user_id: str | None, team_id: str | None, charged: str | None, role: Role, may: bool
) -> None:
    desk = Desk()
    for team in (RED, Team(team_id="of-others", organization_id="other")):
        await desk.office.directory.insert(TEAMS, team)
    extra = msgspec.Raw(msgspec.json.encode({} if charged is None else {"organization_id": charged}))
    record = KeyRecord(token="k", key_name="k", user_id=user_id, team_id=team_id, extra=extra)
    rights = Rights(role=Role.USER, token="t", user_id="ann", organizations={"acme": role})
    if may:
        assert await demand_change_of_key(desk.office, rights, record, "/key/update")
        return
    with pytest.raises(Forbidden):
        await demand_change_of_key(desk.office, rights, record, "/key/update")


@pytest.mark.parametrize(
    ("rights", "may"),
    [
        ({"role": Role.VIEWER}, True),
        ({"teams": {"red": "admin"}}, True),
        ({"teams": {"red": "user"}}, False),
        ({"teams": {"open": "user"}, "team_id": "open"}, False),
        ({"organizations": {"acme": Role.ORGANIZATION_ADMIN}}, True),
        ({"organizations": {"acme": Role.USER}}, False),
        ({}, False),
    ],
)
async def test_who_oversees_a_team_or_is_permitted_to_lists_its_keys(rights: dict[str, Any], may: bool) -> None:
    desk = Desk()
    for team in (RED, Team(team_id="open", member_permissions=("/key/list",))):
        await desk.office.directory.insert(TEAMS, team)
    caller = Rights(**{"role": Role.USER, "token": "t", "user_id": "ann", **rights})
    assert await sees_team_keys(desk.office, caller, "red") is may
    assert await sees_team_keys(desk.office, caller, "open") is (caller.sees_all or "open" in caller.teams)
    assert await sees_team_keys(desk.office, caller, "gone") is caller.sees_all


async def test_whoever_oversees_a_team_sees_what_everybody_in_it_does() -> None:
    desk = Desk()
    for team in (RED, Team(team_id="open", member_permissions=("/key/list",)), Team(team_id="blue")):
        await desk.office.directory.insert(TEAMS, team)
    teams: dict[str, MemberRole] = {"red": "admin", "open": "user", "blue": "user", "gone": "admin"}
    rights = Rights(role=Role.USER, token="t", user_id="ann", teams=teams)
    assert await overseen_teams(desk.office, rights) == {"red"}
    assert await overseen_teams(desk.office, rights, ("/key/list",)) == {"red", "open"}
    assert await overseen_teams(desk.office, rights, ("/key/delete",)) == {"red"}
    seen = [await oversees_team(desk.office, rights, team) for team in ("red", "open", "gone", None)]
    assert seen == [True, False, False, False]


@pytest.mark.parametrize("said", ["/key/regenerate", "/key/{key_id}/regenerate"])
@pytest.mark.parametrize("member", [True, False])
def test_regenerating_may_be_permitted_under_either_name(said: str, member: bool) -> None:
    team = Team(team_id="red", member_permissions=(said,))
    rights = Rights(role=Role.USER, token="t", user_id="u", teams={"red": "user"} if member else {})
    assert rights.permitted(team, "/key/regenerate") is member
    assert not rights.permitted(team, "/key/delete")


async def test_the_key_of_somebody_who_left_a_team_has_no_rights_in_it() -> None:
    desk = Desk()
    await desk.office.directory.insert(USERS, User(user_id="u", role=Role.USER))
    await desk.office.directory.insert(TEAM_MEMBERS, TeamMember(team_id="red", user_id="u", role="admin"))
    key = Principal(KeyRecord(token="t", key_name="k", user_id="u", team_id="red"))
    assert (await rights_of(desk.office, key)).teams == {"red": "admin"}
    await desk.office.directory.delete(TEAM_MEMBERS, [member_id("red", "u")])
    left = await rights_of(desk.office, key)
    assert (left.teams, left.administers_team(RED), left.team_id) == ({}, False, "red")
