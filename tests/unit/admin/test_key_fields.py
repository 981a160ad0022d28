"""Fields of LiteLLM's keys and teams that are heeded or shown beyond the plain ones."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.identity import token_of
from pointsman.core.price import picodollars
from pointsman.policies.key_terms import terms_of
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import Limits, MemberRole, Team, TeamMember, User
from tests.unit.admin.office_desk import MASTER, NOW, Desk, call_record

DAY = 86_400.0


async def team_of(desk: Desk, team_id: str, role: MemberRole = "user", **more: Any) -> str:
    """A team with one member, and the key of that member."""
    await desk.directory.insert(TEAMS, Team(team_id=team_id, **more))
    await desk.directory.insert(USERS, User(user_id="ann"))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id=team_id, user_id="ann", role=role))
    return await desk.new_key(user_id="ann", key_alias="anns")


# -- what rows tell -----------------------------------------------------------------------------------


async def test_what_was_ever_spent_is_told_beside_what_the_period_spent(desk: Desk) -> None:
    key = await desk.new_key(budget_duration="1d", max_budget=9)
    await desk.ledger.append([call_record("1", key_token=token_of(key), cost=picodollars(2))])
    await desk.ask("POST", f"/key/{key}/reset_spend", {"reset_to": 0.5})
    shown = (await desk.ask("GET", f"/key/info?key={key}")).json()["info"]
    assert (shown["spend"], shown["total_spend"]) == (0.5, 2.0)
    listed = (await desk.ask("GET", "/key/list?return_full_object=true")).json()["keys"][0]
    assert listed["total_spend"] == 2.0


async def test_a_row_tells_who_changed_the_key_last_and_when(desk: Desk) -> None:
    made = (await desk.ask("POST", "/key/generate", {})).json()
    assert (made["created_by"], made["updated_by"], made["settings_updated_at"]) == ("master", "master", None)
    desk.clock.now = NOW + 60
    changed = await desk.ask(
        "POST", "/key/update", {"key": made["key"], "rpm_limit": 5}, headers={"litellm-changed-by": "eve"}
    )
    row = changed.json()
    assert (row["created_by"], row["updated_by"]) == ("master", "eve")
    assert row["settings_updated_at"] == row["updated_at"]
    row = (await desk.ask("POST", "/key/block", {"key": made["key"]})).json()
    assert row["updated_by"] == "master"
    assert row["rpm_limit"] == 5


async def test_the_budget_that_a_key_names_is_told_with_it(desk: Desk) -> None:
    await desk.ask("POST", "/budget/new", {"budget_id": "small", "max_budget": 3})
    key = await desk.new_key(budget_id="small")
    table = (await desk.ask("GET", f"/key/info?key={key}")).json()["info"]["litellm_budget_table"]
    assert (table["budget_id"], table["max_budget"]) == ("small", 3)


async def test_what_is_asked_for_a_new_key_is_repeated_even_where_it_is_nothing(desk: Desk) -> None:
    made = (await desk.ask("POST", "/key/generate", {"model_rpm_limit": {"a": 1}})).json()
    assert made["model_rpm_limit"] == {"a": 1}
    assert made["model_tpm_limit"] is made["guardrails"] is made["enforced_params"] is None


async def test_teams_of_a_user_have_the_users_keys_and_membership(desk: Desk) -> None:
    await team_of(desk, "red")
    key = await desk.new_key(user_id="ann", team_id="red")
    (team,) = (await desk.ask("GET", "/user/info?user_id=ann")).json()["teams"]
    assert [one["token"] for one in team["keys"]] == [token_of(key)]
    assert [one["user_id"] for one in team["team_memberships"]] == ["ann"]


# -- lists --------------------------------------------------------------------------------------------


async def listed(desk: Desk, key: str = MASTER, **query: Any) -> set[str | None]:
    answer = await desk.ask("GET", "/key/list", key=key, return_full_object="true", **query)
    assert answer.status == 200, answer.body
    return {one["key_alias"] for one in answer.json()["keys"]}


async def test_lists_are_narrowed_by_what_litellm_narrows_them_by(desk: Desk) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    await desk.ask("POST", "/team/new", {"team_id": "red", "organization_id": "acme"})
    await desk.ask("POST", "/project/new", {"project_id": "p", "team_id": "red"})
    await desk.new_key(key_alias="of-project", team_id="red", project_id="p")
    await desk.new_key(key_alias="of-acme", organization_id="acme", duration="1h")
    await desk.new_key(key_alias="of-agent", agent_id="a", access_group_ids=["g"], blocked=True)
    assert await listed(desk, project_id="p") == {"of-project"}
    assert await listed(desk, organization_id="acme") == {"of-project", "of-acme"}
    assert await listed(desk, agent_id="a") == await listed(desk, access_group_id="g") == {"of-agent"}
    assert await listed(desk, search="OF-A") == {"of-acme", "of-agent"}
    assert await listed(desk, status="revoked") == {"of-agent"}
    desk.clock.now = NOW + 7200
    assert await listed(desk, expires="expired") == await listed(desk, status="expired") == {"of-acme"}
    assert await listed(desk, status="active") == {"of-project"}
    assert await listed(desk, status="active", expires="expired") == set()
    assert await listed(desk, status="live") == {"of-project", "of-acme", "of-agent"}
    assert (await desk.ask("GET", "/key/list?expires=soon")).error.param == "expires"


async def test_a_list_tells_of_users_and_of_teams_that_the_caller_oversees(desk: Desk) -> None:
    mine = await team_of(desk, "red", role="admin")
    await desk.new_key(key_alias="joes", team_id="red", user_id="joe")
    await desk.new_key(key_alias="others", team_id="blue", user_id="joe")
    assert await listed(desk, key=mine) == {"anns"}
    assert await listed(desk, key=mine, include_team_keys="true") == {"anns", "joes"}
    rows = (await desk.ask("GET", "/key/list?expand=user&sort_by=key_alias&sort_order=asc")).json()["keys"]
    assert [(one["key_alias"], (one["user"] or {}).get("user_id")) for one in rows] == [
        ("anns", "ann"), ("joes", None), ("others", None),
    ]  # fmt: skip


# -- who is told what ---------------------------------------------------------------------------------


async def test_an_alias_of_somebody_elses_key_is_refused_like_one_that_nobody_has(desk: Desk) -> None:
    mine = await team_of(desk, "red")
    await desk.new_key(key_alias="theirs")
    taken = await desk.ask("POST", "/key/update", {"key_alias": "theirs", "rpm_limit": 1}, key=mine)
    free = await desk.ask("POST", "/key/update", {"key_alias": "nobodys", "rpm_limit": 1}, key=mine)
    assert taken.status == free.status == 403
    assert taken.error.message == free.error.message
    assert (await desk.ask("POST", "/key/update", {"key_alias": "nobodys", "rpm_limit": 1})).status == 404


# -- limits -------------------------------------------------------------------------------------------


async def test_a_key_in_the_place_of_another_is_guaranteed_no_more_than_is_left(desk: Desk) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="red", limits=Limits(rpm_limit=10)))
    guaranteed = {"team_id": "red", "rpm_limit_type": "guaranteed_throughput"}
    key = await desk.new_key(**guaranteed, rpm_limit=6)
    await desk.new_key(**guaranteed, rpm_limit=4)
    more = await desk.ask("POST", f"/key/{key}/regenerate", {"rpm_limit": 7})
    assert (more.status, more.error.param) == (400, "rpm_limit")
    assert (await desk.ask("POST", f"/key/{key}/regenerate", {"rpm_limit": 5})).status == 200


async def test_a_budget_for_customers_must_exist(desk: Desk) -> None:
    missing = await desk.ask("POST", "/key/generate", {"end_user_budget_id": "small"})
    assert (missing.status, missing.error.param) == (400, "end_user_budget_id")
    await desk.ask("POST", "/budget/new", {"budget_id": "small", "max_budget": 3})
    made = await desk.ask("POST", "/key/generate", {"end_user_budget_id": "small"})
    assert made.json()["end_user_budget_id"] == "small"
    assert "x-pointsman-not-enforced" not in made.headers
    key = made.json()["key"]
    wrong = await desk.ask("POST", "/key/update", {"key": key, "end_user_budget_id": "none"})
    assert wrong.status == 400
    await desk.ask("POST", "/key/update", {"key": key, "end_user_budget_id": None})
    assert "end_user_budget_id" not in (await desk.ask("GET", f"/key/info?key={key}")).json()["info"]


# -- how long keys of members live ---------------------------------------------------------------------


async def test_keys_of_members_live_as_long_as_the_team_says(desk: Desk) -> None:
    mine = await team_of(desk, "red", member_permissions=("/key/generate", "/key/update"), member_key_duration="7d")
    made = await desk.ask("POST", "/key/generate", {"team_id": "red"}, key=mine)
    record = desk.record(made.json()["key"])
    assert record.expires == NOW + 7 * DAY
    for longer in ("30d", "1mo"):
        refused = await desk.ask("POST", "/key/generate", {"team_id": "red", "duration": longer}, key=mine)
        assert (refused.status, refused.error.param) == (400, "duration")
    shorter = await desk.ask("POST", "/key/generate", {"team_id": "red", "duration": "1d"}, key=mine)
    assert desk.record(shorter.json()["key"]).expires == NOW + DAY
    endless = {"key": made.json()["key"], "duration": "-1"}
    assert (await desk.ask("POST", "/key/update", endless, key=mine)).status == 200
    assert desk.record(made.json()["key"]).expires == NOW + 7 * DAY


async def test_who_administers_the_team_says_otherwise(desk: Desk) -> None:
    await team_of(desk, "red", member_key_duration="7d")
    assert desk.record(await desk.new_key(team_id="red", user_id="ann")).expires == NOW + 7 * DAY
    assert desk.record(await desk.new_key(team_id="red", user_id="ann", duration="30d")).expires == NOW + 30 * DAY
    assert desk.record(await desk.new_key(team_id="red")).expires is None


async def test_a_team_says_how_long_and_how_often_by_tag(desk: Desk) -> None:
    fields = {"team_id": "red", "team_member_key_duration": "7d", "tag_rpm_limit": {"batch": 3}}
    made = await desk.ask("POST", "/team/new", fields)
    assert {name: made.json()[name] for name in fields} == fields
    assert "x-pointsman-not-enforced" not in made.headers
    assert (await desk.ask("PATCH", "/team/red", {"team_id": "blue"})).status == 400
    assert (await desk.ask("PATCH", "/team/red", {"team_id": "red", "team_member_key_duration": "x"})).status == 400


# -- permissions --------------------------------------------------------------------------------------

HARMLESS: list[tuple[str, Any]] = [
    ("permissions", {"get_spend_routes": True, "allow_pii_controls": True, "pii": False}),
    ("object_permission", {"mcp_servers": ["a"], "agents": ["b"], "models": []}),
]
NARROWING: list[tuple[str, Any]] = [
    ("permissions", {"pii": True}),
    ("object_permission", {"models": ["a"]}),
    ("object_permission", {"blocked_tools": ["a"]}),
    ("object_permission", {"vector_stores": ["a"]}),
    ("policies", ["a"]),
]


@pytest.mark.parametrize("path", ["/key/generate", "/user/new"])
@pytest.mark.parametrize(("name", "value"), HARMLESS)
async def test_what_would_only_grant_is_kept_and_said_to_have_no_effect(
    desk: Desk, path: str, name: str, value: Any
) -> None:
    answer = await desk.ask("POST", path, {name: value})
    assert answer.status == 200, answer.body
    assert answer.headers["x-pointsman-not-enforced"] == name
    assert answer.json()[name] == value


@pytest.mark.parametrize("path", ["/key/generate", "/user/new"])
@pytest.mark.parametrize(("name", "value"), NARROWING)
async def test_what_would_narrow_is_refused(desk: Desk, path: str, name: str, value: Any) -> None:
    answer = await desk.ask("POST", path, {name: value})
    assert (answer.status, answer.error.param) == (400, name)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/team/new", {}), ("/organization/new", {"organization_alias": "Acme"}), ("/customer/new", {"user_id": "zoe"}),
        ("/project/new", {"team_id": "red"}),
    ],
)  # fmt: skip
async def test_permissions_for_what_is_not_here_are_kept_everywhere(
    desk: Desk, path: str, fields: dict[str, Any]
) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="red"))
    granted = {"mcp_servers": ["a"]}
    answer = await desk.ask("POST", path, {**fields, "object_permission": granted})
    assert answer.status == 200, answer.body
    assert answer.headers["x-pointsman-not-enforced"] == "object_permission"
    assert answer.json()["object_permission"] == granted


# -- what metadata says ---------------------------------------------------------------------------------


async def test_what_metadata_says_of_limits_is_heeded(desk: Desk) -> None:
    said = {"model_rpm_limit": {"a": 5}, "tag_rpm_limit": {"x": 1}, "note": "mine"}
    made = (await desk.ask("POST", "/key/generate", {"metadata": said, "tag_rpm_limit": {"x": 9}})).json()
    assert made["metadata"] == said
    assert terms_of(desk.record(made["key"])).limits == Limits(model_rpm_limit={"a": 5}, tag_rpm_limit={"x": 9})
    update = {"key": made["key"], "metadata": {"model_rpm_limit": {"a": 2}}}
    assert (await desk.ask("POST", "/key/update", update)).status == 200
    assert terms_of(desk.record(made["key"])).limits.model_rpm_limit == {"a": 2}
    team = (await desk.ask("POST", "/team/new", {"team_id": "red", "metadata": said})).json()
    assert (team["model_rpm_limit"], team["tag_rpm_limit"], team["metadata"]) == ({"a": 5}, {"x": 1}, said)
    user = (await desk.ask("POST", "/user/new", {"user_id": "ann", "metadata": said})).json()
    assert (user["model_rpm_limit"], user["metadata"]) == ({"a": 5}, said)


@pytest.mark.parametrize("path", ["/key/generate", "/team/new", "/user/new"])
async def test_what_metadata_says_and_nobody_would_enforce_is_refused(desk: Desk, path: str) -> None:
    for said, param in (({"guardrails": ["pii"]}, "guardrails"), ({"model_tpm_limit": 5}, "model_tpm_limit")):
        answer = await desk.ask("POST", path, {"metadata": said})
        assert (answer.status, answer.error.param) == (400, param)
    free = await desk.ask("POST", path, {"metadata": {"guardrails": [], "model_rpm_limit": None}})
    assert free.status == 200, free.body


async def test_an_owner_repeats_what_metadata_says_and_does_not_change_it(desk: Desk) -> None:
    await team_of(desk, "red")
    said = {"model_rpm_limit": {"a": 5}}
    key = await desk.new_key(user_id="ann", metadata=said)
    again = {"key": key, "metadata": {**said, "note": "mine"}}
    assert (await desk.ask("POST", "/key/update", again, key=key)).status == 200
    more = {"key": key, "metadata": {"model_rpm_limit": {"a": 500}}}
    assert (await desk.ask("POST", "/key/update", more, key=key)).status == 403
    assert (await desk.ask("POST", "/key/update", {"key": key, "metadata": {}}, key=key)).status == 200
    assert terms_of(desk.record(key)).limits.model_rpm_limit == {"a": 5}


# -- smaller ones -------------------------------------------------------------------------------------


async def test_the_key_to_be_replaced_may_stand_in_the_query(desk: Desk) -> None:
    key = await desk.new_key()
    answer = await desk.ask("POST", f"/key/regenerate?key={key}", {})
    assert answer.status == 200, answer.body
    assert answer.json()["token"] != token_of(key)


async def test_a_membership_in_an_organisation_tells_the_address(desk: Desk) -> None:
    await desk.ask("POST", "/organization/new", {"organization_id": "acme", "organization_alias": "Acme"})
    await desk.directory.insert(USERS, User(user_id="ann", email="ann@example.com"))
    member = {"role": "internal_user", "user_id": "ann"}
    await desk.ask("POST", "/organization/member_add", {"organization_id": "acme", "member": member})
    changed = {"organization_id": "acme", "user_id": "ann", "role": "org_admin"}
    answer = await desk.ask("PATCH", "/organization/member_update", changed)
    assert (answer.json()["user_email"], answer.json()["user_role"]) == ("ann@example.com", "org_admin")
