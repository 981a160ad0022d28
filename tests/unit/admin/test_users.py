from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin.users.replies import (
    BulkUpdateUsersReply,
    NewUserReply,
    UpdatedUserReply,
    UserInfoReply,
    UserInfoV2Reply,
    UserListReply,
)
from pointsman.config.people_sections import TeamDefaults, UserDefaults
from pointsman.core.errors import Misconfigured
from pointsman.core.identity import token_of
from pointsman.core.price import picodollars
from pointsman.policies.durations import next_reset
from pointsman.stores.directory.ports import Meter
from tests.unit.admin.office_desk import NOW, Desk

EVERYTHING = {
    "user_id": "ann",
    "user_email": "ann@example.com",
    "user_alias": "Ann",
    "user_role": "internal_user",
    "models": ["llama3"],
    "max_budget": 12.25,
    "soft_budget": 10.0,
    "budget_duration": "1mo",
    "rpm_limit": 60,
    "tpm_limit": 1000,
    "tpd_limit": 5000,
    "max_parallel_requests": 3,
    "metadata": {"team": "core", "deep": {"a": [1, None]}},
    "sso_user_id": "oidc|ann",
}


async def made(desk: Desk, **fields: Any) -> dict[str, Any]:
    answer = await desk.ask("POST", "/user/new", fields)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def shown(desk: Desk, user_id: str) -> dict[str, Any]:
    answer = await desk.ask("GET", "/v2/user/info", user_id=user_id)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


# -- making -------------------------------------------------------------------------------------------


async def test_every_field_is_kept_and_shown(desk: Desk) -> None:
    answer = await desk.ask("POST", "/user/new", EVERYTHING)
    reply = answer.json()
    msgspec.json.decode(answer.body, type=NewUserReply)
    assert {name: reply[name] for name in EVERYTHING} == EVERYTHING
    info = (await desk.ask("GET", "/user/info?user_id=ann")).json()
    assert {name: info["user_info"][name] for name in EVERYTHING} == EVERYTHING
    assert info["user_info"]["spend"] == 0
    assert info["user_info"]["budget_reset_at"] is not None
    spent = await desk.spend.spent([Meter("user", "ann")])
    assert spent[Meter("user", "ann")].reset_at == next_reset("1mo", NOW)


async def test_a_user_gets_a_key_that_is_theirs(desk: Desk) -> None:
    reply = await made(
        desk, user_id="ann", models=["llama3"], max_budget=5, key_alias="first", duration="30d", rpm_limit=7
    )
    record = desk.record(reply["key"])
    assert (record.user_id, record.key_alias, record.models, record.rpm_limit) == ("ann", "first", ("llama3",), 7)
    # The budget is the user's, for all their keys together.
    assert record.max_budget is None
    assert record.expires == NOW + 30 * 86400


async def test_a_user_without_a_key(desk: Desk) -> None:
    reply = await made(desk, auto_create_key=False)
    assert reply["key"] == ""
    assert not desk.database.keys
    assert len(reply["user_id"]) == 36
    assert reply["user_role"] == "internal_user"


@pytest.mark.parametrize("fields", [{"user_id": "ann"}, {"user_email": "ANN@example.com "}])
async def test_ids_and_addresses_are_unique(desk: Desk, fields: dict[str, str]) -> None:
    await made(desk, user_id="ann", user_email="Ann@Example.com")
    answer = await desk.ask("POST", "/user/new", fields)
    assert answer.status == 409
    assert "already exists" in answer.error.message


@pytest.mark.parametrize(
    "fields",
    [
        {"user_role": "org_admin"}, {"user_role": "king"}, {"user_email": "no address"}, {"user_email": "a@b\nc"},
        {"max_budget": -1}, {"budget_duration": "soon"}, {"user_id": "a\x00"}, {"models": ["a\n"]}, {"rpm_limit": "x"},
        {"model_max_budget": {"llama3": {"budget_limit": 1, "max_budget": 2}}}, {"metadata": []}, {"max_budgt": 3},
        {"guardrails": ["pii"]}, {"object_permission": {"models": ["a"]}},
        {"budget_limits": [{"budget_duration": "1d", "max_budget": 1}, {"budget_duration": "1d", "max_budget": 2}]},
    ],
)  # fmt: skip
async def test_what_no_user_can_have_is_refused(desk: Desk, fields: dict[str, Any]) -> None:
    answer = await desk.ask("POST", "/user/new", fields)
    assert answer.status == 400, answer.body
    assert not desk.database.entries.get("user")
    assert not desk.database.keys


async def test_what_is_not_heeded_is_kept_and_named(desk: Desk) -> None:
    answer = await desk.ask("POST", "/user/new", {"user_id": "ann", "prompts": ["p"], "send_invite_email": False})
    assert answer.headers["x-pointsman-not-enforced"] == "prompts"
    assert (await desk.ask("GET", "/user/info?user_id=ann")).json()["user_info"]["prompts"] == ["p"]


async def test_a_user_joins_teams_and_organisations(desk: Desk) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    for team in ("red", "blue"):
        await desk.ask("POST", "/team/new", {"team_id": team})
    teams = [{"team_id": "red", "user_role": "admin", "max_budget_in_team": 2.5}, "blue"]
    reply = await made(desk, user_id="ann", teams=teams, organizations=["acme"])
    assert reply["teams"] == ["red", "blue"]
    info = (await desk.ask("GET", "/team/info?team_id=red")).json()
    assert info["team_info"]["members_with_roles"] == [{"user_id": "ann", "user_email": None, "role": "admin"}]
    assert info["team_memberships"][0]["litellm_budget_table"]["max_budget"] == 2.5
    row = (await desk.ask("GET", "/user/info?user_id=ann")).json()
    assert row["user_info"]["organization_memberships"][0]["organization_id"] == "acme"
    assert {team["team_id"] for team in row["teams"]} == {"red", "blue"}
    assert (await desk.ask("POST", "/user/new", {"user_id": "bob", "teams": ["nowhere"]})).status == 404
    assert (await desk.ask("POST", "/user/new", {"user_id": "bob", "organizations": ["nowhere"]})).status == 404
    assert (await desk.ask("GET", "/v2/user/info?user_id=bob")).status == 404


async def test_defaults_of_new_users() -> None:
    defaults = UserDefaults(
        max_budget=3.0, budget_duration="7d", models=("llama3",), rpm_limit=9, teams=(msgspec.Raw(b'"red"'),)
    )
    desk = Desk(user_defaults=defaults, user_budget=8.0)
    await desk.ask("POST", "/team/new", {"team_id": "red"})
    reply = await made(desk, user_id="ann")
    assert (reply["max_budget"], reply["budget_duration"], reply["models"]) == (3.0, "7d", ["llama3"])
    assert (reply["rpm_limit"], reply["teams"]) == (9, ["red"])
    assert (await made(desk, user_id="bob", max_budget=1.0, models=["vip"]))["max_budget"] == 1.0
    root = await made(desk, user_id="root", user_role="proxy_admin")
    assert (root["max_budget"], root["models"]) == (None, [])


async def test_internal_users_have_the_budget_of_internal_users() -> None:
    desk = Desk(user_budget=8.0, user_budget_duration="30d")
    reply = await made(desk, user_id="ann")
    assert (reply["max_budget"], reply["budget_duration"]) == (8.0, "30d")
    assert (await made(desk, user_role="internal_user_viewer"))["max_budget"] is None
    await made(desk, user_id="bob", user_role="internal_user_viewer")
    changed = await desk.ask("POST", "/user/update", {"user_id": "bob", "user_role": "internal_user"})
    assert changed.json()["data"]["max_budget"] == 8.0


@pytest.mark.parametrize(
    "parts",
    [
        {"user_defaults": UserDefaults(budget_duration="soon")},
        {"user_defaults": UserDefaults(teams=(msgspec.Raw(b"[1]"),))},
        {"user_budget_duration": "soon"},
        {"team_defaults": TeamDefaults(budget_duration="soon")},
        {"team_defaults": TeamDefaults(team_member_permissions=("/everything",))},
    ],
)
def test_defaults_that_nobody_can_have_stop_the_start(parts: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="litellm_settings"):
        Desk(**parts)


# -- changing -----------------------------------------------------------------------------------------


async def test_what_is_named_changes_and_the_rest_stays(desk: Desk) -> None:
    await desk.ask("POST", "/user/new", EVERYTHING)
    answer = await desk.ask("POST", "/user/update", {"user_id": "ann", "rpm_limit": 5, "max_budget": None})
    reply = msgspec.json.decode(answer.body, type=UpdatedUserReply)
    assert reply.user_id == "ann"
    assert (reply.data.rpm_limit, reply.data.max_budget, reply.data.tpm_limit) == (5, None, 1000)


async def test_nothing_said_of_models_or_metadata_changes_nothing(desk: Desk) -> None:
    await desk.ask("POST", "/user/new", EVERYTHING)
    body = {"user_id": "ann", "models": [], "metadata": {}, "user_alias": "Anna"}
    data = (await desk.ask("POST", "/user/update", body)).json()["data"]
    assert (data["models"], data["metadata"], data["user_alias"]) == (["llama3"], EVERYTHING["metadata"], "Anna")


async def test_a_user_is_found_by_address(desk: Desk) -> None:
    await made(desk, user_id="ann", user_email="ann@example.com")
    answer = await desk.ask("POST", "/user/update", {"user_email": "Ann@example.com", "max_budget": 4})
    assert answer.json()["data"]["max_budget"] == 4
    assert (await desk.ask("POST", "/user/update", {"user_email": "nobody@example.com"})).status == 404
    assert (await desk.ask("POST", "/user/update", {"user_id": "nobody"})).status == 404
    assert (await desk.ask("POST", "/user/update", {"max_budget": 1})).status == 400


async def test_what_was_spent_can_be_set(desk: Desk) -> None:
    await made(desk, user_id="ann", spend=2.5)
    assert (await shown(desk, "ann"))["spend"] == 2.5
    await desk.ask("POST", "/user/update", {"user_id": "ann", "spend": 0.5})
    assert (await shown(desk, "ann"))["spend"] == 0.5


async def test_several_users_change_each_for_itself(desk: Desk) -> None:
    await made(desk, user_id="ann")
    changes = [
        {"user_id": "ann", "max_budget": 1},
        {"user_id": "nobody", "max_budget": 1},
        {"user_id": "ann", "rpm_limit": "x"},
    ]
    answer = await desk.ask("POST", "/user/bulk_update", {"users": changes})
    reply = msgspec.json.decode(answer.body, type=BulkUpdateUsersReply)
    assert [result.success for result in reply.results] == [True, False, False]
    assert (reply.total_requested, reply.successful_updates, reply.failed_updates) == (3, 1, 2)
    everybody = {"all_users": True, "user_updates": {"max_budget": 7}}
    assert (await desk.ask("POST", "/user/bulk_update", everybody)).json()["successful_updates"] == 1
    assert (await shown(desk, "ann"))["max_budget"] == 7
    assert (await desk.ask("POST", "/user/bulk_update", {})).status == 400


# -- deleting -----------------------------------------------------------------------------------------


async def test_a_user_goes_with_keys_and_memberships(desk: Desk) -> None:
    await desk.ask("POST", "/team/new", {"team_id": "red"})
    key = (await made(desk, user_id="ann", teams=["red"]))["key"]
    in_team = await desk.new_key(user_id="ann", team_id="red")
    answer = await desk.ask("POST", "/user/delete", {"user_ids": ["ann"]})
    assert (answer.status, answer.json()) == (200, 1)
    assert not desk.database.keys
    assert {token for token, record in desk.changes if record is None} == {token_of(key), token_of(in_team)}
    assert (await desk.ask("GET", "/team/info?team_id=red")).json()["team_memberships"] == []
    assert (await desk.ask("GET", "/user/info?user_id=ann")).status == 404
    assert (await desk.ask("GET", "/v1/models", key=key)).status == 401
    assert (await desk.ask("POST", "/user/delete", {"user_ids": ["ann"]})).status == 404
    assert (await desk.ask("POST", "/user/delete", {"user_ids": []})).status == 400


# -- showing ------------------------------------------------------------------------------------------


async def test_the_caller_is_shown_where_nobody_is_named(desk: Desk) -> None:
    key = (await made(desk, user_id="ann"))["key"]
    answer = await desk.ask("GET", "/user/info", key=key)
    reply = msgspec.json.decode(answer.body, type=UserInfoReply)
    assert reply.user_id == "ann"
    keys = answer.json()["keys"]
    assert [row["token"] for row in keys] == [token_of(key)]
    assert keys[0]["team_alias"] == "None"
    msgspec.json.decode((await desk.ask("GET", "/v2/user/info", key=key)).body, type=UserInfoV2Reply)


async def test_the_master_key_is_shown_everything(desk: Desk) -> None:
    await made(desk, user_id="ann")
    await desk.ask("POST", "/team/new", {"team_id": "red", "team_alias": "Red"})
    key = await desk.new_key(team_id="red")
    reply = (await desk.ask("GET", "/user/info")).json()
    assert reply["user_id"] is None
    assert {row["team_id"] for row in reply["teams"]} == {"red"}
    aliases = {row["token"]: row["team_alias"] for row in reply["keys"]}
    assert aliases[token_of(key)] == "Red"
    assert (await desk.ask("GET", "/v2/user/info")).status == 400


async def test_no_password_is_ever_shown(desk: Desk) -> None:
    await made(desk, user_id="ann")
    record = desk.database.entries["user"]["ann"]
    desk.database.entries["user"]["ann"] = msgspec.structs.replace(record, password="$argon2id$canary")
    for target in (
        "/user/info?user_id=ann",
        "/v2/user/info?user_id=ann",
        "/user/list",
        "/user/filter/ui",
        "/user/info",
    ):
        assert b"canary" not in (await desk.ask("GET", target)).body
    update = await desk.ask("POST", "/user/update", {"user_id": "ann", "user_alias": "A"})
    assert b"canary" not in update.body


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["u2", "u1", "u0"]), ("sort_by=user_id", ["u0", "u1", "u2"]), ("user_ids=u0,u2", ["u2", "u0"]),
        ("user_email=TWO", ["u2"]), ("search=u1", ["u1"]), ("role=proxy_admin", ["u1"]), ("team=red", ["u0"]),
        ("organization_ids=acme,other", ["u2"]), ("sso_user_ids=s1", ["u1"]), ("page_size=2&page=2", ["u0"]),
        ("sort_by=spend&sort_order=desc", ["u1", "u0", "u2"]), ("sort_by=user_role&role=internal_user", ["u0", "u2"]),
        ("user_ids=nobody", []), ("sort_by=sso_user_id&sort_order=desc", ["u1", "u0", "u2"]),
        ("sort_by=max_budget&sort_order=desc&page_size=1", ["u0"]),
    ],
)  # fmt: skip
async def test_users_are_listed_and_filtered(desk: Desk, query: str, found: list[str]) -> None:
    await desk.ask("POST", "/team/new", {"team_id": "red"})
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    extras: list[dict[str, Any]] = [
        {"teams": ["red"], "user_email": "one@example.com"},
        {"user_role": "proxy_admin", "sso_user_id": "s1", "spend": 2},
        {"organizations": ["acme"], "user_email": "two@example.com"},
    ]
    for number, extra in enumerate(extras):
        desk.clock.now = NOW + number
        await made(desk, user_id=f"u{number}", **extra)
    answer = await desk.ask("GET", f"/user/list?{query}")
    reply = msgspec.json.decode(answer.body, type=UserListReply)
    assert [user.user_id for user in reply.users] == found
    assert all(user.key_count == 1 for user in reply.users)


async def test_pages_are_counted(desk: Desk) -> None:
    for number in range(5):
        await made(desk, user_id=f"u{number}", auto_create_key=False)
    reply = (await desk.ask("GET", "/user/list?page_size=2&page=3")).json()
    assert (reply["total"], reply["total_pages"], reply["page"], reply["page_size"]) == (5, 3, 3, 2)
    assert len(reply["users"]) == 1
    assert (await desk.ask("GET", "/user/list?page_size=101")).status == 400


async def test_users_of_what_one_administers_are_to_be_seen(desk: Desk) -> None:
    members = [{"user_id": "tom", "role": "admin"}, {"user_id": "mia", "role": "user"}]
    await desk.ask("POST", "/team/new", {"team_id": "red", "members_with_roles": members})
    await made(desk, user_id="stranger", user_email="s@example.com")
    key = await desk.new_key(user_id="tom")
    listed = (await desk.ask("GET", "/user/list", key=key)).json()
    assert {user["user_id"] for user in listed["users"]} == {"tom", "mia"}
    chosen = (await desk.ask("GET", "/user/filter/ui?search=stranger", key=key)).json()
    assert chosen == []
    assert (await desk.ask("GET", "/user/list?user_ids=stranger", key=key)).status == 403
    assert (await desk.ask("GET", "/user/info?user_id=mia", key=key)).status == 200


async def test_spending_of_calls_is_shown(desk: Desk) -> None:
    await made(desk, user_id="ann")
    await desk.spend.set_amount(Meter("user", "ann"), picodollars("0.75"))
    assert (await shown(desk, "ann"))["spend"] == 0.75


async def test_the_roles_that_can_be_given(desk: Desk) -> None:
    reply = (await desk.ask("GET", "/user/available_roles")).json()
    assert list(reply) == ["internal_user", "internal_user_viewer", "proxy_admin", "proxy_admin_viewer"]
    assert all(set(fact) == {"description", "ui_label"} for fact in reply.values())
