"""Whom the directory knows of those that tokens speak of, and who is added to it."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.config.jwt_sections import JwtAuth
from pointsman.core.errors import Forbidden
from pointsman.policies.bearers.claims import Claimant
from pointsman.policies.bearers.noting import NotedDirectory
from pointsman.policies.bearers.people import Resolved, resolve
from pointsman.stores.audit import AuditQuery
from pointsman.stores.directory.kinds import ORGANIZATIONS, TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import Organization, Role, Team, TeamMember, User
from pointsman.stores.memory import MemoryAuditStore, MemoryDatabase, MemoryDirectoryStore
from tests.unit.admin.office_desk import SetClock


class Scene:
    def __init__(self) -> None:
        self.directory = MemoryDirectoryStore(MemoryDatabase())

    async def fill(self) -> None:
        await self.directory.insert(ORGANIZATIONS, Organization(organization_id="org", alias="The org"))
        await self.directory.insert(TEAMS, Team(team_id="t1", alias="First", organization_id="org", models=("fast",)))
        await self.directory.insert(TEAMS, Team(team_id="shut", blocked=True))
        await self.directory.insert(USERS, User(user_id="ann", email="ann@example.com", models=("slow",)))
        await self.directory.insert(USERS, User(user_id="out", blocked=True))
        await self.directory.insert(TEAM_MEMBERS, TeamMember(team_id="old", user_id="ann"))

    async def resolve(self, *, rules: JwtAuth | None = None, role: str = "internal_user", **fields: Any) -> Resolved:
        claimant = Claimant(identity="jwt-x", role=role, **fields)
        return await resolve(claimant, rules or JwtAuth(), self.directory, SetClock())

    async def teams_of(self, user_id: str) -> set[str]:
        found = await self.directory.find(TEAM_MEMBERS, DirectoryQuery(owner=user_id))
        return {member.team_id for member in found.records}


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.fill()
    return made


async def test_the_models_are_the_teams_or_without_one_the_users(scene: Scene) -> None:
    alone = await scene.resolve(user_id="ann")
    assert (alone.models, alone.organization_id) == (("slow",), None)
    together = await scene.resolve(user_id="ann", teams=("nobody", "t1"), role="team")
    assert (together.models, together.organization_id) == (("fast",), "org")
    assert (await scene.resolve(teams=(), team_alias="First")).models == ("fast",)


async def test_a_user_may_be_found_by_address(scene: Scene) -> None:
    found = await scene.resolve(email="ann@example.com")
    assert found.user is not None and found.user.user_id == "ann"


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": "stranger"},
        {"email": "stranger@example.com"},
        {"teams": ("nobody",), "role": "team"},
        {"team_alias": "Nobody"},
        {"user_id": "out"},
        {"teams": ("shut",), "role": "team"},
        {"user_id": "ann", "org_id": "none"},
        {"user_id": "ann", "org_alias": "None"},
    ],
)
async def test_who_is_not_known_or_blocked_is_refused(scene: Scene, fields: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        await scene.resolve(**fields)


async def test_an_administrator_needs_no_entry(scene: Scene) -> None:
    found = await scene.resolve(user_id="boss", teams=("nobody",), role="proxy_admin")
    assert (found.user, found.team, found.role) == (None, None, Role.ADMIN)
    found = await scene.resolve(user_id="boss", role="proxy_admin")
    assert (found.user, found.team, found.role) == (None, None, Role.ADMIN)


async def test_who_comes_for_a_team_needs_no_entry(scene: Scene) -> None:
    found = await scene.resolve(user_id="service", teams=("t1",), role="team")
    assert found.user is None
    assert found.team is not None and found.team.team_id == "t1"


async def test_upserts_add_users_and_teams_with_the_least_rights(scene: Scene) -> None:
    rules = JwtAuth(user_id_upsert=True, team_id_upsert=True, upsert_sso_user_to_team=True)
    found = await scene.resolve(rules=rules, user_id="new", email="new@example.com", teams=("fresh",), role="team")
    assert found.user is not None and (found.user.role, found.user.email) == (Role.USER, "new@example.com")
    assert found.team is not None and found.team.team_id == "fresh"
    assert await scene.teams_of("new") == {"fresh"}
    again = await scene.resolve(rules=rules, user_id="new", teams=("fresh",), role="team")
    assert again.user == found.user
    boss = await scene.resolve(rules=rules, user_id="boss", role="proxy_admin")
    assert boss.user is not None and boss.user.role is Role.USER


async def test_a_team_that_the_user_is_in_may_stand_in_for_the_tokens(scene: Scene) -> None:
    await scene.directory.insert(TEAM_MEMBERS, TeamMember(team_id="t1", user_id="ann"))
    assert (await scene.resolve(user_id="ann")).team is None
    found = await scene.resolve(rules=JwtAuth(fallback_to_db_teams=True), user_id="ann")
    assert found.team is not None and found.team.team_id == "t1"
    rules = JwtAuth(team_claim_fallback=True)
    found = await scene.resolve(rules=rules, user_id="ann", teams=("nobody",), role="team")
    assert found.team is not None and found.team.team_id == "t1"
    with pytest.raises(Forbidden):
        await scene.resolve(rules=rules, teams=("nobody",), role="team")


async def test_nobody_is_given_an_address_that_another_has(scene: Scene) -> None:
    found = await scene.resolve(rules=JwtAuth(user_id_upsert=True), user_id="eve", email="ann@example.com")
    assert found.user is not None and (found.user.user_id, found.user.email) == ("eve", None)


async def test_role_and_teams_follow_the_token_where_that_is_wanted(scene: Scene) -> None:
    rules = JwtAuth(sync_user_role_and_teams=True)
    found = await scene.resolve(rules=rules, user_id="ann", teams=("t1", "nobody"), role="proxy_admin_viewer")
    assert found.user is not None and found.user.role is Role.VIEWER
    assert await scene.teams_of("ann") == {"t1"}
    kept = await scene.resolve(user_id="ann", role="internal_user")
    assert kept.user is not None and kept.user.role is Role.VIEWER
    version = await scene.directory.version()
    same = await scene.resolve(rules=rules, user_id="ann", teams=("t1",), role="proxy_admin_viewer")
    assert same.user == kept.user
    assert (await scene.resolve(rules=rules, user_id="ann", teams=("t1",), role="team")).user == kept.user
    assert await scene.directory.version() == version, "nothing was to be changed"


async def test_what_a_token_changes_is_written_down(scene: Scene) -> None:
    audit = MemoryAuditStore()
    noted = NotedDirectory(scene.directory, audit, SetClock())
    rules = JwtAuth(user_id_upsert=True, team_id_upsert=True, sync_user_role_and_teams=True)
    for teams, role in ((("t1", "fresh"), "internal_user"), (("fresh",), "internal_user_viewer")):
        await resolve(Claimant(identity="jwt-x", role=role, user_id="new", teams=teams), rules, noted, SetClock())
    page = await audit.find(AuditQuery(sort_by="id", sort_order="asc"))
    assert {entry.changed_by for entry in page.entries} == {"jwt"}
    told = [(entry.action, entry.table_name, entry.object_id) for entry in page.entries]
    assert told[0] == ("created", "LiteLLM_UserTable", "new")
    assert ("updated", "LiteLLM_UserTable", "new") in told and ("updated", "LiteLLM_TeamTable", "t1") in told
    assert "password" not in repr([bytes(entry.updated_values or b"") for entry in page.entries])
