"""Role × route × owner: every route lets in those whom the table names, and nobody else."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from pointsman.admin.route import Route
from pointsman.admin.table import ROUTES
from pointsman.core.identity import KeyRecord, token_of
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, ORGANIZATIONS, PROJECTS, TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import (
    MemberRole,
    Organization,
    OrganizationMember,
    Project,
    Role,
    Team,
    TeamMember,
    User,
)
from tests.unit.admin.matrix_rows import ALL, BY_SCOPE, ROWS
from tests.unit.admin.office_desk import Desk, Reply, route_of

ACTORS = {
    "A": ("root", Role.ADMIN),
    "V": ("watcher", Role.VIEWER),
    "O": ("olga", Role.ORGANIZATION_ADMIN),
    "T": ("tom", Role.USER),
    "M": ("mia", Role.USER),
    "W": ("wim", Role.USER_VIEWER),
    "C": ("carl", Role.CUSTOMER),
}
OBJECTS = {
    "own": {
        "team": "red", "project": "of-red", "organization": "acme", "member": "mate",
        "key_of_team": "sk-mate-in-red-0123456789",
    },
    "mate": {
        "user": "mate", "team": "red", "project": "of-red", "organization": "acme", "member": "mate",
        "team_of_key": "red", "key": "sk-mate-in-red-0123456789", "key_of_team": "sk-mate-in-red-0123456789",
    },
    "other": {
        "user": "stranger", "team": "blue", "project": "of-blue", "organization": "zeta", "member": "stranger",
        "key": "sk-stranger-0123456789", "key_of_team": "sk-stranger-in-blue-0123456789",
    },
    "beside": {
        "user": "neil", "team": "teal", "project": "of-teal", "organization": "zeta", "member": "neil",
        "team_of_key": "teal", "key": "sk-neil-in-teal-0123456789", "key_of_team": "sk-neil-in-teal-0123456789",
    },
}  # fmt: skip

LET_IN = {"public": ALL, "inference": ALL, "self": ALL, "management": ALL, "viewer": "AV", "admin": "A"}


def rows_by_scope() -> dict[str, str]:
    found = {}
    for scope, text in BY_SCOPE.items():
        method = ""
        for word in text.split():
            if word.isalpha():
                method = word
            else:
                found[f"{method} {word}"] = scope
    return found


SCOPES = rows_by_scope()


def name_of(route: Route[Any, Any]) -> str:
    return f"{route.method} {route.paths[0]}"


def asking_key(actor: str) -> str:
    return f"sk-asks-as-{actor}-0123456789"


def own_key(actor: str) -> str:
    return asking_key("S") if actor == "S" else f"sk-own-key-of-{actor}-0123456789"


class House:
    """People, teams and keys as the table of rows presumes them."""

    def __init__(self) -> None:
        self.desk = Desk()

    async def built(self) -> Desk:
        for organization in ("acme", "zeta"):
            await self.desk.directory.insert(ORGANIZATIONS, Organization(organization_id=organization))
        await self.team("red", "acme")
        await self.team("blue", "zeta")
        await self.team("teal", "acme")
        for actor, (user_id, role) in ACTORS.items():
            await self.desk.directory.insert(USERS, User(user_id=user_id, role=role))
            await self.key(asking_key(actor), user_id)
            await self.key(own_key(actor), user_id)
        for user_id in ("mate", "stranger", "neil"):
            await self.desk.directory.insert(USERS, User(user_id=user_id, email=f"{user_id}@example.com"))
        await self.join(
            "acme",
            olga=Role.ORGANIZATION_ADMIN,
            **dict.fromkeys(("tom", "mia", "wim", "mate", "neil"), Role.USER),
        )
        await self.join("zeta", stranger=Role.USER)
        for team, members in (("red", ("tom", "mia", "wim", "mate")), ("blue", ("stranger",)), ("teal", ("neil",))):
            for user_id in members:
                await self.member(team, user_id, "admin" if user_id == "tom" else "user")
        await self.key(asking_key("S"), None, "red")
        await self.key("sk-mate-in-red-0123456789", "mate", "red")
        await self.key("sk-stranger-0123456789", "stranger")
        await self.key("sk-stranger-in-blue-0123456789", "stranger", "blue")
        await self.key("sk-neil-in-teal-0123456789", "neil", "teal")
        return self.desk

    async def team(self, team_id: str, organization_id: str) -> None:
        await self.desk.directory.insert(
            TEAMS, Team(team_id=team_id, organization_id=organization_id, models=("llama3",))
        )
        await self.desk.directory.insert(PROJECTS, Project(project_id=f"of-{team_id}", team_id=team_id))

    async def member(self, team_id: str, user_id: str, role: MemberRole) -> None:
        await self.desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id=team_id, user_id=user_id, role=role))

    async def join(self, organization_id: str, **members: Role) -> None:
        for user_id, role in members.items():
            member = OrganizationMember(organization_id=organization_id, user_id=user_id, role=role)
            await self.desk.directory.insert(ORGANIZATION_MEMBERS, member)

    async def key(self, key: str, user_id: str | None, team_id: str | None = None) -> None:
        record = KeyRecord(token=token_of(key), key_name=f"sk-...{key[-4:]}", user_id=user_id, team_id=team_id)
        await self.desk.keys.insert(record)


def filled(value: Any, facts: dict[str, str]) -> Any:
    """The value with what stands for its ``{names}``; what has nothing to stand for it goes."""
    if isinstance(value, dict):
        found = {name: filled(one, facts) for name, one in value.items()}
        return {name: one for name, one in found.items() if one is not None}
    if isinstance(value, list):
        return [filled(one, facts) for one in value]
    if isinstance(value, str) and value.startswith("{"):
        return facts.get(value.strip("{}"))
    return value


def was_let_in(answer: Reply) -> bool:
    """Whether who asked got what they asked for, or was told that it is not there."""
    if answer.status in {401, 403}:
        return False
    if answer.status == 400 and answer.error.code == "beyond_grantor":
        return False
    told = answer.status == 200 and answer.headers.get("content-type") == "application/json"
    said = answer.json() if told and answer.body else {}
    failed = [said.get(name) for name in ("failed_updates", "failed_additions")] if isinstance(said, dict) else []
    return not any(failed)


async def ask(desk: Desk, route: Route[Any, Any], actor: str, owner: str) -> Reply:
    user_id = ACTORS[actor][0] if actor in ACTORS else "nobody"
    facts = {**OBJECTS[owner]}
    if owner == "own":
        facts |= {"user": user_id, "key": own_key(actor)}
    row = ROWS[name_of(route)]
    in_path = {**facts, "team_id": facts["team"], "user_id": facts["member"], "organization_id": facts["organization"]}
    path = re.sub(r"\{(\w+)(?::path)?\}", lambda found: in_path[found[1]], route.paths[0])
    body = None if row.body is None else filled(row.body, facts)
    if body is None and route.takes_body:
        body = {}
    return await desk.ask(route.method, f"{path}?{urlencode(filled(row.query, facts))}", body, key=asking_key(actor))


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    names = {name_of(route) for route in ROUTES}
    rows = ROWS.keys() | SCOPES.keys()
    assert not ROWS.keys() & SCOPES.keys()
    assert names - rows == set(), "routes of which the table does not say who may use them"
    assert rows - names == set(), "rows of routes that are not there"


@pytest.mark.parametrize("name", sorted(SCOPES))
async def test_a_route_without_objects_lets_in_by_its_scope(name: str) -> None:
    route = route_of(*name.split(" ", 1))
    assert route.scope.value == SCOPES[name]
    desk = await House().built()
    for path in route.paths:
        target = re.sub(r"\{(\w+)(?::path)?\}", "llama3", path)
        for actor in ALL:
            answer = await desk.ask(route.method, target, b"{}" if route.takes_body else None, key=asking_key(actor))
            let_in = answer.status not in {401, 403} or b"for whoever is signed in, not for keys" in answer.body
            assert let_in == (actor in LET_IN[SCOPES[name]]), (actor, target, answer.body)


def expected(name: str, owner: str) -> str:
    """Who is let in. What lies beside is a stranger's to all but the organisation's admin, to whom it is as a mate's.

    Organisations themselves have nothing beside.
    """
    row = ROWS[name]
    if owner != "beside":
        return str(getattr(row, owner))
    if "organization" in f"{name} {row.query} {row.body}":
        return row.other
    return "".join(actor for actor in ALL if actor in (row.mate if actor == "O" else row.other))


@pytest.mark.parametrize("owner", OBJECTS)
@pytest.mark.parametrize("name", sorted(ROWS))
async def test_a_route_lets_in_whom_the_table_names(name: str, owner: str) -> None:
    route = route_of(*name.split(" ", 1))
    assert route.scope.value == "management"
    let_in, desk = "", await House().built()
    for actor in ALL:
        before = dict(desk.database.entry_changes), dict(desk.database.keys)
        answer = await ask(desk, route, actor, owner)
        assert answer.status < 500, answer.body
        if not was_let_in(answer):
            assert (dict(desk.database.entry_changes), dict(desk.database.keys)) == before, (actor, answer.body)
            continue
        let_in += actor
        if route.method != "GET":
            desk = await House().built()
    assert let_in == expected(name, owner)
