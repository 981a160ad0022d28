"""Ways in which users of other gateways became more than they were, replayed: nobody gives what they do not have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.config.people_sections import UserDefaults
from pointsman.core.identity import token_of
from pointsman.routing.table import RoutingTable
from tests.unit.admin.office_desk import Desk, deployment


async def user(desk: Desk, user_id: str, role: str = "internal_user", **fields: Any) -> str:
    """A user, and a key of theirs."""
    answer = await desk.ask("POST", "/user/new", {"user_id": user_id, "user_role": role, **fields})
    assert answer.status == 200, answer.body
    return str(answer.json()["key"])


async def team(desk: Desk, team_id: str, *members: str, admins: tuple[str, ...] = (), **fields: Any) -> None:
    with_roles = [{"role": "user", "user_id": one} for one in members]
    with_roles += [{"role": "admin", "user_id": one} for one in admins]
    answer = await desk.ask("POST", "/team/new", {"team_id": team_id, "members_with_roles": with_roles, **fields})
    assert answer.status == 200, answer.body


async def refused(desk: Desk, path: str, body: dict[str, Any], key: str, status: int = 403) -> None:
    answer = await desk.ask("POST", path, body, key=key)
    assert answer.status == status, (path, body, answer.body)


def nowhere(value: Any, key: str) -> Any:
    """The value, speaking of a key that does not exist in place of ``key``."""
    return ["sk-is-nowhere-at-all"] if value == [key] else "sk-is-nowhere-at-all" if value == key else value


# -- CVE-2026-47101, 47102, 40217: a user promoted themselves -----------------------------------------


@pytest.mark.parametrize("role", ["proxy_admin", "proxy_admin_viewer", "internal_user"])
async def test_nobody_changes_their_own_role(desk: Desk, role: str) -> None:
    key = await user(desk, "eve", "internal_user")
    await refused(desk, "/user/update", {"user_id": "eve", "user_role": role}, key)
    answer = await desk.ask("POST", "/user/bulk_update", {"users": [{"user_id": "eve", "user_role": role}]}, key=key)
    assert answer.json()["failed_updates"] == 1
    info = await desk.ask("GET", "/v2/user/info", key=key)
    assert info.json()["user_role"] == "internal_user"
    assert (await desk.ask("GET", "/routes", key=key)).status == 403


@pytest.mark.parametrize("field", ["max_budget", "rpm_limit", "models", "metadata", "spend", "blocked", "user_email"])
async def test_users_do_not_set_what_they_may(desk: Desk, field: str) -> None:
    key = await user(desk, "eve", max_budget=1.0)
    value = {"models": ["vip"], "metadata": {"a": 1}, "blocked": False, "user_email": "boss@example.com"}.get(field, 5)
    await refused(desk, "/user/update", {"user_id": "eve", field: value}, key)
    await refused(desk, "/user/bulk_update", {"all_users": True, "user_updates": {field: value}}, key)


async def test_nobody_makes_an_admin_but_an_admin(desk: Desk) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    key = await user(desk, "olga", organizations=["acme"])
    update = {"organization_id": "acme", "user_id": "olga", "role": "org_admin"}
    assert (await desk.ask("PATCH", "/organization/member_update", update)).status == 200
    for role in ("proxy_admin", "proxy_admin_viewer"):
        await refused(desk, "/user/new", {"user_role": role, "organizations": ["acme"]}, key)
        member = {"user_id": "eve", "role": role}
        answer = await desk.ask(
            "POST", "/organization/member_add", {"organization_id": "acme", "member": member}, key=key
        )
        assert answer.status == 400
    assert (await desk.ask("POST", "/user/new", {"organizations": ["acme"]}, key=key)).status == 200
    await refused(desk, "/user/new", {}, key)
    await refused(desk, "/user/new", {"organizations": ["acme"], "teams": ["red"]}, key, 404)


# -- keys: who owns them, and how much they may -------------------------------------------------------


async def test_a_user_does_not_touch_the_keys_of_another(desk: Desk) -> None:
    mine, theirs = await user(desk, "eve"), await user(desk, "ann")
    for path, body in (
        ("/key/update", {"key": theirs, "max_budget": 9}),
        ("/key/delete", {"keys": [theirs]}),
        ("/key/block", {"key": theirs}),
        ("/key/regenerate", {"key": theirs}),
        (f"/key/{theirs}/regenerate", {}),
        (f"/key/{theirs}/reset_spend", {"reset_to": 0}),
        ("/v2/key/info", {"keys": [theirs]}),
    ):
        await refused(desk, path, body, mine)
        unknown = {name: nowhere(value, theirs) for name, value in body.items()}
        await refused(desk, path.replace(theirs, "sk-is-nowhere-at-all"), unknown, mine)
    assert (await desk.ask("GET", "/key/list?user_id=ann", key=mine)).status == 403
    assert token_of(theirs) in desk.database.keys


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_budget", 11.0), ("max_budget", None), ("rpm_limit", 61), ("tpm_limit", 1001), ("max_parallel_requests", 9)],
)
async def test_an_owner_does_not_raise_the_limits_of_a_key(desk: Desk, field: str, value: float | None) -> None:
    await user(desk, "eve")
    limits = {"max_budget": 10, "rpm_limit": 60, "tpm_limit": 1000, "max_parallel_requests": 3}
    key = await desk.new_key(user_id="eve", **limits)
    await refused(desk, "/key/update", {"key": key, field: value}, key, 400)
    await refused(desk, "/key/regenerate", {"key": key, field: value}, key, 400)
    assert (await desk.ask("POST", "/key/update", {"key": key, field: 1}, key=key)).status == 200


@pytest.mark.parametrize(
    "field", ["spend", "temp_budget_increase", "budget_duration", "blocked", "allowed_passthrough_routes", "tags"]
)
async def test_an_owner_does_not_say_what_is_for_others_to_say(desk: Desk, field: str) -> None:
    await user(desk, "eve")
    key = await desk.new_key(user_id="eve", max_budget=10, budget_duration="30d")
    value = {"spend": 0, "blocked": False, "allowed_passthrough_routes": ["/x"], "tags": ["a"]}.get(field, "1d")
    await refused(desk, "/key/update", {"key": key, field: value if field != "temp_budget_increase" else 5}, key)


async def test_a_key_that_expires_neither_lives_on_nor_is_outlived(desk: Desk) -> None:
    await user(desk, "eve")
    key = await desk.new_key(user_id="eve", duration="1h")
    for fields in ({"duration": "2h"}, {}, {"duration": None}):
        await refused(desk, "/key/generate", fields, key, 400)
    for path in ("/key/update", "/key/regenerate"):
        await refused(desk, path, {"key": key, "duration": "2h"}, key, 400)
    child = await desk.ask("POST", "/key/generate", {"duration": "30m"}, key=key)
    assert child.status == 200
    assert (await desk.ask("POST", "/key/update", {"key": key, "key_alias": "short"}, key=key)).status == 200
    # Who administers its team may let it live longer.
    await team(desk, "red", "eve", admins=("tom",))
    of_team = await desk.new_key(user_id="eve", team_id="red", duration="1h")
    toms = await desk.new_key(user_id="tom")
    assert (await desk.ask("POST", "/key/update", {"key": of_team, "duration": "2h"}, key=toms)).status == 200
    forever = await desk.new_key(user_id="eve")
    assert (await desk.ask("POST", "/key/generate", {}, key=forever)).status == 200


async def test_a_small_key_makes_no_larger_one(desk: Desk) -> None:
    await user(desk, "eve", max_budget=5)
    small = await desk.new_key(user_id="eve", models=["llama3"], max_budget=1, rpm_limit=10)
    enough = {"models": ["llama3"], "max_budget": 1, "rpm_limit": 10}
    for name, more in (
        ("models", []), ("models", ["vip"]), ("models", ["*"]), ("models", ["all-proxy-models"]), ("max_budget", 2),
        ("max_budget", None), ("rpm_limit", 11), ("rpm_limit", None),
    ):  # fmt: skip
        await refused(desk, "/key/generate", {**enough, name: more}, small, 400)
    await refused(desk, "/key/generate", {}, small, 400)
    await refused(desk, "/key/generate", {**enough, "aliases": {"llama3": "vip"}}, small, 400)
    assert (await desk.ask("POST", "/key/generate", enough, key=small)).status == 200


async def test_nobody_puts_their_own_keys_before_those_of_others(desk: Desk) -> None:
    first, last = {"metadata": {"priority": "prod"}}, {"metadata": {"note": "x"}}
    key = await user(desk, "eve")
    await refused(desk, "/key/generate", first, key)
    await refused(desk, "/key/update", {"key": key, **first}, key)
    slow = (await desk.ask("POST", "/key/generate", {"user_id": "eve", "metadata": {"priority": "dev"}})).json()["key"]
    await refused(desk, "/key/update", {"key": slow, **last}, key)
    kept = {"key": slow, "metadata": {"priority": "dev", "note": "x"}}
    assert (await desk.ask("POST", "/key/update", kept, key=key)).status == 200
    await team(desk, "t", admins=("eve",))
    await refused(desk, "/team/update", {"team_id": "t", **first}, key)
    await refused(desk, "/key/generate", {"team_id": "t", **first}, key)
    assert (await desk.ask("POST", "/team/update", {"team_id": "t", **last}, key=key)).status == 200


async def test_an_alias_does_not_lead_out_of_what_a_key_may_use(desk: Desk) -> None:
    await user(desk, "eve", models=["llama3"])
    key = (await desk.ask("POST", "/key/generate", {"user_id": "eve", "models": ["llama3"]})).json()["key"]
    await refused(desk, "/key/update", {"key": key, "aliases": {"llama3": "vip"}}, key, 400)


async def test_keys_are_for_oneself(desk: Desk) -> None:
    key = await user(desk, "eve")
    await user(desk, "ann")
    await refused(desk, "/key/generate", {"user_id": "ann"}, key)
    await refused(desk, "/key/generate", {"user_id": "nobody"}, key)
    await refused(desk, "/key/generate", {"user_id": None}, key)
    mine = (await desk.ask("POST", "/key/generate", {}, key=key)).json()
    assert mine["user_id"] == "eve"
    await refused(desk, "/key/update", {"key": mine["key"], "user_id": "ann"}, key)
    await refused(desk, "/key/update", {"key": mine["key"], "user_id": None}, key)


async def test_a_name_of_a_user_that_is_not_there_gives_no_rights(desk: Desk) -> None:
    ghost = await desk.new_key(user_id="ghost")
    other = await desk.new_key(user_id="ghost")
    await refused(desk, "/key/generate", {}, ghost)
    await refused(desk, "/key/update", {"key": ghost, "max_budget": None}, ghost)
    assert (await desk.ask("GET", f"/key/info?key={other}", key=ghost)).status == 403
    assert (await desk.ask("GET", "/key/info", key=ghost)).status == 200


async def test_viewers_change_nothing_even_where_they_are_admins_of_a_team(desk: Desk) -> None:
    key = await user(desk, "wim", "internal_user_viewer")
    await team(desk, "red", admins=("wim",))
    await refused(desk, "/team/update", {"team_id": "red", "max_budget": 9}, key)
    await refused(desk, "/key/generate", {}, key)
    await refused(desk, "/key/update", {"key": key, "max_budget": None}, key)
    await refused(desk, "/key/delete", {"keys": [key]}, key)
    assert (await desk.ask("GET", "/team/info?team_id=red", key=key)).status == 200


# -- teams ---------------------------------------------------------------------------------------------


async def test_a_team_admin_gives_no_more_than_the_team_has(desk: Desk) -> None:
    key = await user(desk, "tom")
    await team(desk, "red", admins=("tom",), models=["llama3"], max_budget=10, rpm_limit=100)
    within = {"team_id": "red", "models": ["llama3"], "max_budget": 10, "rpm_limit": 100}
    assert (await desk.ask("POST", "/key/generate", within, key=key)).status == 200
    assert (await desk.ask("POST", "/key/generate", {"team_id": "red"}, key=key)).status == 200
    for name, more in (("models", ["vip"]), ("models", ["*"]), ("max_budget", 11), ("rpm_limit", 101)):
        await refused(desk, "/key/generate", {**within, name: more}, key, 400)
    await refused(desk, "/key/generate", {**within, "aliases": {"llama3": "vip"}}, key, 400)


async def test_a_team_admin_does_not_widen_the_team(desk: Desk) -> None:
    key = await user(desk, "tom")
    await team(desk, "red", admins=("tom",), models=["llama3"], max_budget=10, rpm_limit=100, budget_duration="30d")
    for body, status in (
        ({"max_budget": 11}, 403), ({"max_budget": None}, 403), ({"rpm_limit": None}, 403), ({"models": []}, 400),
        ({"models": ["vip"]}, 400), ({"model_aliases": {"llama3": "vip"}}, 400), ({"organization_id": "acme"}, 403),
        ({"budget_duration": "1d"}, 403), ({"access_group_ids": ["beta"]}, 403),
    ):  # fmt: skip
        await refused(desk, "/team/update", {"team_id": "red", **body}, key, status)
    assert (await desk.ask("POST", "/team/update", {"team_id": "red", "max_budget": 5}, key=key)).status == 200
    await refused(desk, "/team/model/add", {"team_id": "red", "models": ["vip"]}, key, 400)
    await desk.ask("POST", "/team/block", {"team_id": "red"})
    await refused(desk, "/team/update", {"team_id": "red", "blocked": False}, key)
    await refused(desk, "/team/unblock", {"team_id": "red"}, key)


async def test_a_key_of_a_team_makes_keys_of_that_team_only(desk: Desk) -> None:
    await user(desk, "tom")
    await team(desk, "red", admins=("tom",))
    await team(desk, "blue", admins=("tom",))
    key = await desk.new_key(user_id="tom", team_id="red")
    await refused(desk, "/key/generate", {}, key)
    await refused(desk, "/key/generate", {"team_id": "blue"}, key)
    assert (await desk.ask("POST", "/key/generate", {"team_id": "red"}, key=key)).status == 200


async def test_a_key_does_not_leave_its_team(desk: Desk) -> None:
    asking = await user(desk, "mia")
    await team(desk, "red", "mia", max_budget=1, team_member_permissions=["/key/generate", "/key/update"])
    await team(desk, "blue", "ann")
    key = (await desk.ask("POST", "/key/generate", {"team_id": "red"}, key=asking)).json()["key"]
    for elsewhere in (None, "blue", "nowhere"):
        await refused(desk, "/key/update", {"key": key, "team_id": elsewhere}, asking)
    assert desk.record(key).team_id == "red"


async def test_a_key_that_a_team_admin_makes_for_somebody_is_not_that_somebody(desk: Desk) -> None:
    tom = await user(desk, "tom")
    roots = await user(desk, "root", "proxy_admin")
    await team(desk, "red", admins=("tom",))
    assert (
        await desk.ask("POST", "/team/member_add", {"team_id": "red", "member": {"user_id": "root"}}, key=tom)
    ).status == 200
    made = (await desk.ask("POST", "/key/generate", {"team_id": "red", "user_id": "root"}, key=tom)).json()["key"]
    assert (await desk.ask("GET", "/routes", key=roots)).status == 200
    assert (await desk.ask("GET", "/routes", key=made)).status == 403
    assert (await desk.ask("GET", "/user/list", key=made)).status == 403
    await refused(desk, "/user/update", {"user_id": "tom", "user_role": "proxy_admin"}, made)
    await refused(desk, "/key/regenerate", {"key": roots}, made)
    await refused(desk, "/key/delete", {"keys": [roots]}, made)
    await refused(desk, "/team/update", {"team_id": "red", "max_budget": 5}, made)
    # Nor does it become that out of the team.
    await refused(desk, "/key/update", {"key": made, "team_id": None}, tom)
    await refused(desk, "/key/regenerate", {"key": made, "team_id": None}, tom)
    assert desk.record(made).team_id == "red"


async def test_an_organisation_admin_does_not_take_over_the_key_of_an_administrator(desk: Desk) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    await user(desk, "root", "proxy_admin")
    olga = await user(desk, "olga", organizations=["acme"])
    change = {"organization_id": "acme", "user_id": "olga", "role": "org_admin"}
    assert (await desk.ask("PATCH", "/organization/member_update", change)).status == 200
    theirs = await desk.new_key(user_id="root", organization_id="acme")
    nobodys = await desk.new_key(organization_id="acme")
    await refused(desk, "/key/regenerate", {"key": theirs}, olga)
    assert (await desk.ask("POST", "/key/block", {"key": nobodys}, key=olga)).status == 200


async def test_members_do_what_their_team_permits(desk: Desk) -> None:
    key = await user(desk, "mia")
    await team(desk, "red", "mia", "ann")
    theirs = await desk.new_key(user_id="ann", team_id="red")
    nobodys = await desk.new_key(team_id="red")
    await refused(desk, "/key/generate", {"team_id": "red"}, key)
    await refused(desk, "/key/delete", {"keys": [nobodys]}, key)
    permissions = {"team_id": "red", "team_member_permissions": ["/key/generate", "/key/delete", "/key/list"]}
    assert (await desk.ask("POST", "/team/permissions_update", permissions)).status == 200
    mine = (await desk.ask("POST", "/key/generate", {"team_id": "red"}, key=key)).json()
    assert mine["user_id"] == "mia" and mine["team_id"] == "red"
    await refused(desk, "/key/generate", {"team_id": "red", "user_id": "ann"}, key)
    await refused(desk, "/key/delete", {"keys": [theirs]}, key)
    await refused(desk, "/key/update", {"key": mine["key"], "max_budget": 1}, key)
    listed = await desk.ask("GET", "/key/list?team_id=red", key=key)
    assert set(listed.json()["keys"]) == {token_of(theirs), token_of(nobodys), mine["token"]}
    # What the team no longer permits /key/info for is not to be seen.
    assert (await desk.ask("GET", f"/key/info?key={theirs}", key=key)).status == 403
    assert (await desk.ask("POST", "/key/delete", {"keys": [nobodys]}, key=key)).status == 200


async def test_only_open_teams_are_joined_by_whoever_wants_to() -> None:
    desk = Desk(user_defaults=UserDefaults(available_teams=("open",)))
    key = await user(desk, "eve")
    await team(desk, "open")
    await team(desk, "closed")
    me = {"user_id": "eve", "role": "user"}
    await refused(desk, "/team/member_add", {"team_id": "closed", "member": me}, key)
    await refused(desk, "/team/member_add", {"team_id": "open", "member": {**me, "role": "admin"}}, key)
    await refused(desk, "/team/member_add", {"team_id": "open", "member": {**me, "user_id": "ann"}}, key)
    await refused(desk, "/team/member_add", {"team_id": "open", "member": me, "max_budget_in_team": 1e6}, key)
    assert [row["team_id"] for row in (await desk.ask("GET", "/team/available", key=key)).json()] == ["open"]
    assert (await desk.ask("POST", "/team/member_add", {"team_id": "open", "member": me}, key=key)).status == 200
    assert (await desk.ask("GET", "/team/available", key=key)).json() == []


# -- organisations -------------------------------------------------------------------------------------


async def test_a_team_has_no_more_than_its_organisation(desk: Desk) -> None:
    organization = {"organization_id": "acme", "organization_alias": "Acme", "models": ["llama3"]}
    await desk.ask("POST", "/organization/new", organization)
    await desk.ask("PATCH", "/organization/update", {"organization_id": "acme", "max_budget": 100})
    for body in ({"models": ["vip"]}, {"max_budget": 101}):
        answer = await desk.ask("POST", "/team/new", {"organization_id": "acme", **body})
        assert answer.status == 400 and answer.error.code == "beyond_grantor", answer.body
    assert (await desk.ask("POST", "/team/new", {"organization_id": "acme", "max_budget": 100})).status == 200


async def test_an_access_group_covers_only_models_all_of_whose_deployments_are_in_it() -> None:
    beta = {"access_groups": frozenset({"beta"})}
    served = [deployment("vip", **beta), deployment("mixed", **beta), deployment("mixed", id="id-mixed-b")]
    desk = Desk(table=lambda: RoutingTable(served))
    organization = {"organization_id": "acme", "organization_alias": "Acme", "models": ["beta"]}
    await desk.ask("POST", "/organization/new", organization)
    for model, status in (("vip", 200), ("beta", 200), ("mixed", 400), ("unheard-of", 400)):
        answer = await desk.ask("POST", "/team/new", {"organization_id": "acme", "models": [model]})
        assert answer.status == status, answer.body
        assert status == 200 or answer.error.code == "beyond_grantor"


async def test_an_organisation_admin_does_not_raise_what_the_organisation_may(desk: Desk) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    key = await user(desk, "olga", organizations=["acme"])
    change = {"organization_id": "acme", "user_id": "olga", "role": "org_admin"}
    assert (await desk.ask("PATCH", "/organization/member_update", change)).status == 200
    for name, value in (("max_budget", 1), ("models", []), ("spend", 0), ("budget_id", "big"), ("blocked", False)):
        answer = await desk.ask("PATCH", "/organization/update", {"organization_id": "acme", name: value}, key=key)
        assert answer.status == 403, (name, answer.body)


async def test_a_blocked_user_may_nothing(desk: Desk) -> None:
    key = await user(desk, "root", "proxy_admin")
    assert (await desk.ask("GET", "/routes", key=key)).status == 200
    assert (await desk.ask("POST", "/user/update", {"user_id": "root", "blocked": True})).status == 200
    assert (await desk.ask("GET", "/routes", key=key)).status == 403
    assert (await desk.ask("POST", "/user/update", {"user_id": "root", "blocked": False}, key=key)).status == 403


async def test_lists_show_nobody_to_those_who_administer_nothing(desk: Desk) -> None:
    key = await user(desk, "eve", user_email="eve@example.com")
    for path in ("/user/list", "/user/filter/ui", "/user/list?user_email=ann", "/user/filter/ui?team_id=red"):
        assert (await desk.ask("GET", path, key=key)).status == 403


async def test_every_change_of_people_is_in_the_audit_log(desk: Desk) -> None:
    await user(desk, "ann", max_budget=1.5)
    record = desk.database.entries["user"]["ann"]
    desk.database.entries["user"]["ann"] = msgspec.structs.replace(record, password="$argon2id$canary")
    await team(desk, "red", "ann")
    for path, body in (
        ("/user/update", {"user_id": "ann", "max_budget": 2}),
        ("/team/update", {"team_id": "red", "max_budget": 3}),
        ("/team/block", {"team_id": "red"}),
        ("/team/member_delete", {"team_id": "red", "user_id": "ann"}),
        ("/team/delete", {"team_ids": ["red"]}),
        ("/user/delete", {"user_ids": ["ann"]}),
    ):
        assert (await desk.ask("POST", path, body)).status == 200
    answer = await desk.ask("GET", "/audit", page_size=100, sort_order="asc")
    assert b"canary" not in answer.body
    logged = answer.json()["audit_logs"]
    rows = [row for row in logged if row["table_name"] in {"LiteLLM_UserTable", "LiteLLM_TeamTable"}]
    assert [(row["action"], row["object_id"]) for row in rows] == [
        ("created", "ann"), ("created", "red"), ("updated", "ann"), ("updated", "red"), ("blocked", "red"),
        ("deleted", "red"), ("deleted", "red"), ("deleted", "ann"),
    ]  # fmt: skip
    changed = rows[2]
    assert (changed["before_value"]["limits"]["max_budget"], changed["updated_values"]["limits"]["max_budget"]) == (
        1.5,
        2,
    )


# -- found by walking: what is kept in metadata, and who was here before somebody came ------------------


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"allowed_ips": ["10.0.0.1"]}, {}),
        ({"allowed_ips": ["10.0.0.1"]}, {"allowed_ips": ["0.0.0.0/0"]}),
        ({"enforced_params": ["user"]}, {"note": "x"}),
        ({"tags": ["dear"]}, {"tags": ["cheap"]}),
        ({"batch": True}, {}),
        ({"default_priority": 200}, {}),
        ({}, {"default_priority": 0}),
        ({}, {"queue_weight": 100}),
        ({}, {"service_account_id": "s"}),
    ],
)
async def test_an_owner_is_not_rid_of_a_limit_by_the_metadata(
    desk: Desk, kept: dict[str, Any], said: dict[str, Any]
) -> None:
    await user(desk, "eve")
    asking, key = await desk.new_key(user_id="eve"), await desk.new_key(user_id="eve", metadata=kept)
    await refused(desk, "/key/update", {"key": key, "metadata": said}, asking)
    await refused(desk, "/key/regenerate", {"key": key, "metadata": said}, asking)
    note = {**kept, "note": "mine"}
    assert (await desk.ask("POST", "/key/update", {"key": key, "metadata": note}, key=asking)).status == 200


@pytest.mark.parametrize("kept", [{"allowed_ips": ["10.0.0.0/8"]}, {"enforced_params": ["user"]}])
async def test_a_key_that_its_metadata_restricts_makes_no_other(desk: Desk, kept: dict[str, Any]) -> None:
    await user(desk, "eve")
    restricted = await desk.new_key(user_id="eve", metadata=kept)
    answer = await desk.ask("POST", "/key/generate", {}, key=restricted)
    assert answer.status == 403


@pytest.mark.parametrize("said", [{"queue_weight": 9}, {"default_priority": 0}, {"service_account_id": "s"}])
async def test_a_new_key_of_a_user_comes_before_nobody(desk: Desk, said: dict[str, Any]) -> None:
    await refused(desk, "/key/generate", {"metadata": said}, await user(desk, "eve"))


async def org_admin(desk: Desk) -> str:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    key = await user(desk, "olga", organizations=["acme"])
    update = {"organization_id": "acme", "user_id": "olga", "role": "org_admin"}
    assert (await desk.ask("PATCH", "/organization/member_update", update)).status == 200
    return key


async def test_nobody_but_an_admin_says_whose_account_of_a_provider_signs_in_as_whom(desk: Desk) -> None:
    key = await org_admin(desk)
    await refused(desk, "/user/new", {"organizations": ["acme"], "sso_user_id": "company:1"}, key)


async def test_whoever_made_a_user_has_no_key_with_the_rights_that_the_user_gets_later(desk: Desk) -> None:
    key = await org_admin(desk)
    made = await desk.ask(
        "POST", "/user/new", {"user_id": "b", "user_email": "boss@example.com", "organizations": ["acme"],
        "metadata": {"queue_weight": 100}}, key=key,
    )  # fmt: skip
    theirs = made.json()["key"]
    assert b"queue_weight" not in bytes(desk.record(theirs).metadata)
    # The boss comes in by a provider, which calls them an administrator.
    assert (await desk.ask("POST", "/user/update", {"user_id": "b", "user_role": "proxy_admin"})).status == 200
    for method, path, body in (
        ("GET", "/user/list", None), ("POST", "/key/generate", {}), ("GET", "/key/list", None), ("GET", "/audit", None),
    ):  # fmt: skip
        assert (await desk.ask(method, path, body, key=theirs)).status == 403, path
    assert (await desk.ask("GET", "/v1/models", key=theirs)).status == 200


async def test_a_budget_is_not_multiplied_by_making_keys(desk: Desk) -> None:
    await user(desk, "eve")
    key = await desk.new_key(user_id="eve", max_budget=10)
    await refused(desk, "/key/generate", {"max_budget": 1}, key, 400)
    assert (await desk.ask("POST", "/key/generate", {"max_budget": 0}, key=key)).status == 200
    await team(desk, "open", admins=("eve",))
    theirs = await desk.new_key(team_id="open", max_budget=1)
    await refused(desk, "/key/update", {"key": theirs, "max_budget": 2}, key, 400)
    assert (await desk.ask("POST", "/key/update", {"key": theirs, "max_budget": 0.5}, key=key)).status == 200
    # Where something bounds all of them together, each may have as much as that.
    await team(desk, "bounded", admins=("eve",), max_budget=100)
    for _ in range(2):
        made = await desk.ask("POST", "/key/generate", {"team_id": "bounded", "max_budget": 10}, key=key)
        assert made.status == 200, made.body
    await desk.ask("POST", "/user/update", {"user_id": "eve", "max_budget": 20})
    assert (await desk.ask("POST", "/key/generate", {"max_budget": 10}, key=key)).status == 200
