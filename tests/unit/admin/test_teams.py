from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin.teams.replies import (
    BulkMemberAddReply,
    ListedTeam,
    MemberAddReply,
    MemberInfoReply,
    MemberUpdateReply,
    PermissionsReply,
    ResetMemberBudgetReply,
    ResetMemberSpendReply,
    TeamInfoReply,
    TeamListReply,
    TeamRow,
    UpdatedTeamReply,
)
from pointsman.config.people_sections import TeamDefaults
from pointsman.core.identity import token_of
from pointsman.core.price import picodollars
from pointsman.policies.durations import next_reset
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS
from pointsman.stores.directory.ports import Meter, Write
from pointsman.stores.directory.records import Limits, member_id
from tests.unit.admin.office_desk import NOW, Desk

EVERYTHING = {
    "team_id": "red",
    "team_alias": "Red",
    "models": ["llama3", "openai/*"],
    "max_budget": 100.0,
    "soft_budget": 80.0,
    "budget_duration": "30d",
    "rpm_limit": 600,
    "tpm_limit": 10_000,
    "tpd_limit": 50_000,
    "max_parallel_requests": 30,
    "model_rpm_limit": {"llama3": 5},
    "model_tpm_limit": {"llama3": 500},
    "metadata": {"cost_centre": "42"},
    "tags": ["a"],
    "blocked": False,
    "default_team_member_models": ["llama3"],
    "team_member_permissions": ["/key/info", "/key/generate"],
}


async def made(desk: Desk, **fields: Any) -> dict[str, Any]:
    answer = await desk.ask("POST", "/team/new", fields)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def info(desk: Desk, team_id: str = "red") -> dict[str, Any]:
    answer = await desk.ask("GET", "/team/info", team_id=team_id)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def members(row: dict[str, Any]) -> dict[str, str]:
    return {one["user_id"]: one["role"] for one in row["members_with_roles"]}


# -- making and changing ------------------------------------------------------------------------------


async def test_every_field_is_kept_and_shown(desk: Desk) -> None:
    answer = await desk.ask("POST", "/team/new", {**EVERYTHING, "model_aliases": {"gpt-4": "llama3"}})
    msgspec.json.decode(answer.body, type=TeamRow)
    reply = answer.json()
    assert {name: reply[name] for name in EVERYTHING} == EVERYTHING
    assert reply["litellm_model_table"] == {"model_aliases": {"gpt-4": "llama3"}}
    row = (await info(desk))["team_info"]
    assert {name: row[name] for name in EVERYTHING} == EVERYTHING
    spent = await desk.spend.spent([Meter("team", "red")])
    assert spent[Meter("team", "red")].reset_at == next_reset("30d", NOW)


async def test_budgets_of_models_and_beside_the_main_one(desk: Desk) -> None:
    budgets = {"llama3": {"budget_limit": 2, "time_period": "1d", "rpm_limit": 3}}
    windows = [{"budget_duration": "1d", "max_budget": 1.0}]
    reply = await made(desk, team_id="red", model_max_budget=budgets, budget_limits=windows)
    assert reply["model_max_budget"] == {"llama3": {"max_budget": 2, "budget_duration": "1d", "rpm_limit": 3}}
    assert [{**one, "reset_at": None} for one in windows] == reply["budget_limits"]
    meters = [Meter("team", "red", "llama3"), Meter("team", "red", window="1d")]
    spent = await desk.spend.spent(meters)
    assert all(spent[meter].reset_at == next_reset("1d", NOW) for meter in meters)


async def test_an_id_is_taken_once(desk: Desk) -> None:
    await made(desk, team_id="red")
    answer = await desk.ask("POST", "/team/new", {"team_id": "red"})
    assert answer.status == 400
    assert answer.error.message == "Team id = red already exists. Please use a different team id."
    assert len((await made(desk))["team_id"]) == 36


async def test_members_are_made_with_the_team(desk: Desk) -> None:
    roles = [{"role": "admin", "user_id": "tom"}, {"role": "user", "user_email": "Mia@Example.com"}]
    reply = await made(desk, team_id="red", members_with_roles=roles, admins=["tom"], members=["joe"])
    emails = {one["user_email"]: one["user_id"] for one in reply["members_with_roles"]}
    assert members(reply) == {"tom": "admin", emails["mia@example.com"]: "user", "joe": "user"}
    user = (await desk.ask("GET", f"/v2/user/info?user_id={emails['mia@example.com']}")).json()
    assert (user["user_role"], user["teams"]) == ("internal_user", ["red"])


@pytest.mark.parametrize(
    "fields",
    [
        {"team_id": "a\n"}, {"team_alias": "a\x00"}, {"team_member_permissions": ["/everything"]},
        {"organization_id": "nowhere"}, {"max_budget": "much"}, {"guardrails": ["pii"]}, {"team_aliass": "x"},
        {"team_member_key_duration": "soon"}, {"members_with_roles": [{"user_id": "a", "role": "owner"}]},
        {"model_aliases": {"a": 1}}, {"team_member_budget_duration": "soon"}, {"blocked": "perhaps"},
    ],
)  # fmt: skip
async def test_what_no_team_can_have_is_refused(desk: Desk, fields: dict[str, Any]) -> None:
    answer = await desk.ask("POST", "/team/new", fields)
    assert answer.status in {400, 404}, answer.body
    assert not desk.database.entries.get("team")


async def test_defaults_of_new_teams() -> None:
    defaults = TeamDefaults(max_budget=5.0, budget_duration="7d", models=("llama3",), rpm_limit=9)
    desk = Desk(team_defaults=defaults)
    reply = await made(desk, team_id="red")
    assert (reply["max_budget"], reply["budget_duration"], reply["models"], reply["rpm_limit"]) == (
        5.0,
        "7d",
        ["llama3"],
        9,
    )
    assert (await made(desk, max_budget=1.0, models=[]))["models"] == []


@pytest.mark.parametrize("way", ["POST /team/update", "PATCH /team/red"])
async def test_what_is_named_changes_and_the_rest_stays(desk: Desk, way: str) -> None:
    await desk.ask("POST", "/team/new", EVERYTHING)
    method, path = way.split()
    body: dict[str, Any] = {"rpm_limit": 5, "max_budget": None, "models": []} | (
        {"team_id": "red"} if method == "POST" else {}
    )
    answer = await desk.ask(method, path, body)
    if method == "POST":
        assert msgspec.json.decode(answer.body, type=UpdatedTeamReply).team_id == "red"
    row = answer.json()["data"] if method == "POST" else answer.json()
    changed: dict[str, Any] = {"rpm_limit": 5, "max_budget": None, "models": []}
    assert {name: row[name] for name in EVERYTHING} == {**EVERYTHING, **changed}
    assert (await desk.ask("POST", "/team/update", {"team_id": "nowhere"})).status == 404
    assert (await desk.ask("PATCH", "/team/nowhere", {})).status == 404


async def test_blocking_and_models(desk: Desk) -> None:
    await made(desk, team_id="red", models=["llama3"])
    assert (await desk.ask("POST", "/team/block", {"team_id": "red"})).json()["blocked"] is True
    assert (await desk.ask("POST", "/team/unblock", {"team_id": "red"})).json()["blocked"] is False
    more = {"team_id": "red", "models": ["embedder", "llama3"]}
    assert (await desk.ask("POST", "/team/model/add", more)).json()["models"] == ["llama3", "embedder"]
    less = {"team_id": "red", "models": ["llama3"]}
    assert (await desk.ask("POST", "/team/model/delete", less)).json()["models"] == ["embedder"]
    # Without any it might use all of them.
    assert (await desk.ask("POST", "/team/model/delete", {"team_id": "red", "models": ["embedder"]})).status == 400
    assert (await desk.ask("POST", "/team/block", {"team_id": "nowhere"})).status == 404


async def test_a_team_goes_with_its_keys(desk: Desk) -> None:
    await made(desk, team_id="red", members=["mia"])
    key, other = await desk.new_key(team_id="red"), await desk.new_key()
    answer = await desk.ask("POST", "/team/delete", {"team_ids": ["red"]})
    assert answer.json() == {"deleted_teams": ["red"]}
    assert set(desk.database.keys) == {token_of(other)}
    assert (token_of(key), None) in desk.changes
    assert (await desk.ask("GET", "/team/info?team_id=red")).status == 404
    assert (await desk.ask("GET", "/v2/user/info?user_id=mia")).json()["teams"] == []
    assert (await desk.ask("POST", "/team/delete", {"team_ids": ["red"]})).status == 404
    assert (await desk.ask("POST", "/team/delete", {"team_ids": []})).status == 400


# -- members ------------------------------------------------------------------------------------------


async def test_members_join_by_id_or_address(desk: Desk) -> None:
    await made(desk, team_id="red", models=["llama3"], max_budget=10)
    body = {"team_id": "red", "member": {"role": "admin", "user_id": "tom"}, "max_budget_in_team": 2.5}
    answer = await desk.ask("POST", "/team/member_add", body)
    msgspec.json.decode(answer.body, type=MemberAddReply)
    reply = answer.json()
    assert reply["updated_users"][0]["user_id"] == "tom"
    assert reply["updated_team_memberships"][0]["litellm_budget_table"]["max_budget"] == 2.5
    several = [{"role": "user", "user_email": "mia@example.com"}, {"role": "user", "user_id": "tom"}]
    answer = await desk.ask("POST", "/team/member_add", {"team_id": "red", "member": several})
    assert len(answer.json()["updated_users"]) == 1
    again = await desk.ask("POST", "/team/member_add", {"team_id": "red", "member": {"user_id": "tom"}})
    assert again.status == 400 and again.error.code == "team_member_already_in_team"
    beyond = {"team_id": "red", "member": {"user_id": "joe"}, "allowed_models": ["vip"]}
    assert (await desk.ask("POST", "/team/member_add", beyond)).status == 400
    assert (await desk.ask("POST", "/team/member_add", {"team_id": "no", "member": {"user_id": "joe"}})).status == 404
    assert (await desk.ask("POST", "/team/member_add", {"team_id": "red", "member": {}})).status == 400


async def test_an_address_that_several_have_names_nobody(desk: Desk) -> None:
    await made(desk, team_id="red")
    for user_id in ("a", "b"):
        await desk.ask("POST", "/user/new", {"user_id": user_id, "auto_create_key": False})
        record = desk.database.entries["user"][user_id]
        desk.database.entries["user"][user_id] = msgspec.structs.replace(record, email="both@example.com")
    body = {"team_id": "red", "member": {"user_email": "both@example.com"}}
    answer = await desk.ask("POST", "/team/member_add", body)
    assert answer.status == 400 and "Multiple users" in answer.error.message


async def test_several_join_each_for_itself(desk: Desk) -> None:
    await made(desk, team_id="red", members=["tom"])
    body = {"team_id": "red", "members": [{"user_id": "mia"}, {"user_id": "tom"}, {"user_email": "nonsense"}]}
    answer = await desk.ask("POST", "/team/bulk_member_add", body)
    reply = msgspec.json.decode(answer.body, type=BulkMemberAddReply)
    assert [one.success for one in reply.results] == [True, False, False]
    assert (reply.successful_additions, reply.failed_additions) == (1, 2)
    await desk.ask("POST", "/user/new", {"user_id": "new"})
    everybody = (await desk.ask("POST", "/team/bulk_member_add", {"team_id": "red", "all_users": True})).json()
    assert [one["user_id"] for one in everybody["results"]] == ["new"]
    assert (await desk.ask("POST", "/team/bulk_member_add", {"team_id": "red"})).status == 400


async def test_who_leaves_leaves_the_keys(desk: Desk) -> None:
    await made(desk, team_id="red", members=["mia"])
    key, own = await desk.new_key(user_id="mia", team_id="red"), await desk.new_key(user_id="mia")
    answer = await desk.ask("POST", "/team/member_delete", {"team_id": "red", "user_id": "mia"})
    assert members(answer.json()) == {}
    assert set(desk.database.keys) == {token_of(own)}
    assert (token_of(key), None) in desk.changes
    assert (await desk.ask("POST", "/team/member_delete", {"team_id": "red", "user_id": "mia"})).status == 400


async def test_members_are_changed(desk: Desk) -> None:
    await made(desk, team_id="red", members=["mia"], max_budget=10)
    body = {
        "team_id": "red", "user_id": "mia", "role": "admin", "max_budget_in_team": 3, "budget_duration": "1d",
        "rpm_limit": 4, "tpm_limit": 400, "allowed_models": ["llama3"], "temp_budget_increase": 1,
        "temp_budget_expiry": "2026-12-31", "model_max_budget": {"llama3": {"max_budget": 1}},
    }  # fmt: skip
    answer = await desk.ask("POST", "/team/member_update", body)
    reply = msgspec.json.decode(answer.body, type=MemberUpdateReply)
    assert (reply.max_budget_in_team, reply.budget_duration, reply.rpm_limit) == (3, "1d", 4)
    assert (reply.temp_budget_increase, reply.temp_budget_expiry) == (1, "2026-12-31T00:00:00.000Z")
    assert members((await info(desk))["team_info"]) == {"mia": "admin"}
    meter = Meter("member", member_id("red", "mia"))
    assert (await desk.spend.spent([meter]))[meter].reset_at == next_reset("1d", NOW)
    for wrong, status in (
        ({"max_budget_in_team": 11}, 400),
        ({"temp_budget_increase": 1, "temp_budget_expiry": None}, 400),
    ):
        assert (
            await desk.ask("POST", "/team/member_update", {"team_id": "red", "user_id": "mia", **wrong})
        ).status == status
    assert (await desk.ask("POST", "/team/member_update", {"team_id": "red", "user_id": "nobody"})).status == 404


async def test_what_a_member_spent_and_may_spend(desk: Desk) -> None:
    await made(desk, team_id="red", team_member_budget=5, team_member_budget_duration="7d")
    await desk.ask(
        "POST", "/team/member_add", {"team_id": "red", "member": {"user_id": "mia"}, "max_budget_in_team": 2}
    )
    meter = Meter("member", member_id("red", "mia"))
    await desk.spend.set_amount(meter, picodollars("1.5"))
    key = await desk.new_key(user_id="mia")
    answer = await desk.ask("GET", "/team/red/members/me", key=key)
    mine = msgspec.json.decode(answer.body, type=MemberInfoReply)
    assert (mine.spend, mine.role, mine.team_id) == (1.5, "user", "red")
    assert mine.litellm_budget_table is not None and mine.litellm_budget_table.max_budget == 2
    answer = await desk.ask("POST", "/team/red/member/mia/reset_spend", {"reset_to": 0.5})
    reset = msgspec.json.decode(answer.body, type=ResetMemberSpendReply)
    assert (reset.spend, reset.previous_spend, reset.max_budget) == (0.5, 1.5, 2)
    assert (await desk.ask("POST", "/team/red/member/mia/reset_spend", {"reset_to": 9})).status == 400
    answer = await desk.ask("POST", "/team/red/member/mia/reset_budget")
    assert msgspec.json.decode(answer.body, type=ResetMemberBudgetReply).budget_source == "team_default"
    table = (await info(desk))["team_memberships"][0]["litellm_budget_table"]
    assert (table["max_budget"], table["budget_duration"]) == (5, "7d")
    assert (await desk.ask("POST", "/team/red/member/nobody/reset_budget")).status == 404


async def test_a_budget_that_a_member_shares_with_others_is_shown(desk: Desk) -> None:
    for name, most in (("shared", 7), ("usual", 3)):
        await desk.ask("POST", "/budget/new", {"budget_id": name, "max_budget": most, "budget_duration": "7d"})
    await made(desk, team_id="red", members=["mia", "joe", "eve"])
    team = await desk.directory.get(TEAMS, "red")
    assert team is not None
    await desk.directory.write([Write(TEAMS, "red", msgspec.structs.replace(team, member_budget_id="usual"))])
    for user, fields in (
        ("mia", {"budget_id": "shared"}), ("eve", {"budget_id": "gone", "limits": Limits(rpm_limit=5)})
    ):  # fmt: skip
        member = await desk.directory.get(TEAM_MEMBERS, member_id("red", user))
        assert member is not None
        changed = msgspec.structs.replace(member, **fields)
        await desk.directory.write([Write(TEAM_MEMBERS, member_id("red", user), changed)])
    shown = {row["user_id"]: row["litellm_budget_table"] for row in (await info(desk))["team_memberships"]}
    assert {user: (table["max_budget"], table["rpm_limit"]) for user, table in shown.items()} == {
        "mia": (7, None), "joe": (3, None), "eve": (3, 5),
    }  # fmt: skip
    assert (shown["mia"]["budget_id"], shown["mia"]["budget_duration"]) == ("shared", "7d")
    (listed,) = (await desk.ask("GET", "/team/list")).json()
    assert {row["user_id"]: row["litellm_budget_table"] for row in listed["team_memberships"]} == shown


# -- showing ------------------------------------------------------------------------------------------


async def test_a_team_is_shown_with_its_keys(desk: Desk) -> None:
    await made(desk, team_id="red", members=["mia"])
    keys = [await desk.new_key(team_id="red") for _ in range(3)]
    answer = await desk.ask("GET", "/team/info?team_id=red")
    reply = msgspec.json.decode(answer.body, type=TeamInfoReply)
    assert {row["token"] for row in answer.json()["keys"]} == set(map(token_of, keys))
    assert reply.team_memberships[0].user_id == "mia"
    assert len((await desk.ask("GET", "/team/info?team_id=red&key_limit=1")).json()["keys"]) == 1
    assert (await desk.ask("GET", "/team/info?team_id=red", key=keys[0])).json()["keys"] == []
    assert (await desk.ask("GET", "/team/info", key=keys[0])).json()["team_id"] == "red"


async def test_teams_are_listed(desk: Desk) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    await made(desk, team_id="red", members=["mia"])
    await made(desk, team_id="blue", organization_id="acme")
    await desk.new_key(team_id="red")
    answer = await desk.ask("GET", "/team/list")
    reply = {team.team_id: team for team in msgspec.json.decode(answer.body, type=list[ListedTeam])}
    assert set(reply) == {"red", "blue"}
    assert len(reply["red"].keys) == 1 and reply["red"].team_memberships[0].user_id == "mia"
    for query, found in (("user_id=mia", ["red"]), ("organization_id=acme", ["blue"]), ("user_id=joe", [])):
        assert [row["team_id"] for row in (await desk.ask("GET", f"/team/list?{query}")).json()] == found
    key = await desk.new_key(user_id="mia")
    assert [row["team_id"] for row in (await desk.ask("GET", "/team/list", key=key)).json()] == ["red"]
    assert (await desk.ask("GET", "/team/filter/ui?team_alias=nothing")).json() == []
    assert (await desk.ask("GET", "/team/filter/ui?team_id=re")).json() == [{"team_id": "red", "team_alias": None}]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["t2", "t1", "t0"]), ("sort_by=team_alias", ["t0", "t1", "t2"]), ("page_size=2&page=2", ["t0"]),
        ("team_id=t1", ["t1"]), ("team_id=t&search_team_id_match=prefix", ["t2", "t1", "t0"]),
        ("search=ALIAS2", ["t2"]),
        ("team_alias=alias1", ["t1"]), ("user_id=mia", ["t1"]), ("organization_id=acme", ["t2"]), ("team_id=no", []),
        ("sort_by=max_budget&sort_order=desc", ["t1", "t0", "t2"]), ("sort_by=max_budget&page_size=2", ["t0", "t2"]),
        ("sort_by=spend&page_size=2&page=2", ["t2"]),
    ],
)  # fmt: skip
async def test_teams_are_listed_by_pages(desk: Desk, query: str, found: list[str]) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    extras: list[dict[str, Any]] = [{}, {"members": ["mia"], "max_budget": 5}, {"organization_id": "acme"}]
    for number, extra in enumerate(extras):
        desk.clock.now = NOW + number
        await made(desk, team_id=f"t{number}", team_alias=f"alias{number}", **extra)
    answer = await desk.ask("GET", f"/v2/team/list?{query}")
    reply = msgspec.json.decode(answer.body, type=TeamListReply)
    assert [team.team_id for team in reply.teams] == found
    assert all(team.members_count == len(team.members_with_roles) for team in reply.teams)
    assert (await desk.ask("GET", "/v2/team/list?status=deleted")).status == 400


# -- permissions and keys -----------------------------------------------------------------------------


async def test_permissions(desk: Desk) -> None:
    for team in ("red", "blue"):
        await made(desk, team_id=team)
    answer = await desk.ask("GET", "/team/permissions_list?team_id=red")
    reply = msgspec.json.decode(answer.body, type=PermissionsReply)
    assert reply.team_member_permissions == ("/key/info", "/key/health")
    assert "/key/generate" in reply.all_available_permissions
    update = {"team_id": "red", "team_member_permissions": ["/key/list"]}
    assert (await desk.ask("POST", "/team/permissions_update", update)).json()["team_member_permissions"] == [
        "/key/list"
    ]
    for wanted, count in (({"team_ids": ["red"]}, 1), ({"apply_to_all_teams": True}, 1), ({"team_ids": ["red"]}, 0)):
        body = {"permissions": ["/key/update"], **wanted}
        assert (await desk.ask("POST", "/team/permissions_bulk_update", body)).json()["teams_updated"] == count
    shown = (await info(desk))["team_info"]["team_member_permissions"]
    assert shown == ["/key/list", "/key/update"]
    assert (await info(desk, "blue"))["team_info"]["team_member_permissions"] == [
        "/key/info",
        "/key/health",
        "/key/update",
    ]
    for wrong in ({}, {"team_ids": ["red"], "apply_to_all_teams": True}, {"team_ids": ["nowhere"]}):
        body = {"permissions": ["/key/update"], **wrong}
        assert (await desk.ask("POST", "/team/permissions_bulk_update", body)).status in {400, 404}
    assert (
        await desk.ask("POST", "/team/permissions_update", {**update, "team_member_permissions": ["x"]})
    ).status == 400


async def test_keys_of_a_team_change_together(desk: Desk) -> None:
    await made(desk, team_id="red")
    keys = [await desk.new_key(team_id="red") for _ in range(2)]
    other = await desk.new_key()
    body = {"team_id": "red", "all_keys_in_team": True, "update_fields": {"max_budget": 3}}
    reply = (await desk.ask("POST", "/team/key/bulk_update", body)).json()
    assert (reply["total_requested"], len(reply["successful_updates"]), reply["failed_updates"]) == (2, 2, [])
    assert {desk.record(key).max_budget for key in keys} == {picodollars(3)}
    body = {"team_id": "red", "key_ids": [keys[0], other], "update_fields": {"rpm_limit": 3}}
    reply = (await desk.ask("POST", "/team/key/bulk_update", body)).json()
    assert [one["key"] for one in reply["failed_updates"]] == [other]
    assert desk.record(other).rpm_limit is None
    for fields in ({}, {"team_id": "blue"}, {"key_alias": "x"}, {"user_id": "x"}):
        assert (await desk.ask("POST", "/team/key/bulk_update", {**body, "update_fields": fields})).status == 400
    assert (
        await desk.ask("POST", "/team/key/bulk_update", {"team_id": "red", "update_fields": {"rpm_limit": 1}})
    ).status == 400
