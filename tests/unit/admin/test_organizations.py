from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.admin.organizations.replies import (
    OrganizationMembersReply,
    OrganizationRow,
    OrganizationWithMembers,
)
from pointsman.admin.users.replies import OrganizationMembership
from pointsman.core.price import picodollars
from pointsman.policies.durations import next_reset
from pointsman.stores.directory.kinds import ORGANIZATIONS, USERS
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import Organization, User
from tests.unit.admin.office_desk import NOW, Desk, call_record

ACME = {
    "organization_id": "acme",
    "organization_alias": "Acme",
    "models": ["llama3"],
    "metadata": {"a": 1},
    "max_budget": 50.0,
    "budget_duration": "30d",
    "rpm_limit": 100,
    "tpd_limit": 7_000,
    "model_rpm_limit": {"llama3": 5},
}


async def made(desk: Desk, **changes: Any) -> dict[str, Any]:
    answer = await desk.ask("POST", "/organization/new", {**ACME, **changes})
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def info(desk: Desk) -> dict[str, Any]:
    answer = await desk.ask("GET", "/organization/info?organization_id=acme")
    msgspec.json.decode(answer.body, type=OrganizationWithMembers)
    found: dict[str, Any] = answer.json()
    return found


async def test_an_organisation_has_a_budget_of_its_own(desk: Desk) -> None:
    answer = await desk.ask("POST", "/organization/new", ACME)
    msgspec.json.decode(answer.body, type=OrganizationRow)
    reply = answer.json()
    for name in ("organization_id", "organization_alias", "models", "metadata", "model_rpm_limit"):
        assert reply[name] == ACME[name]
    table = reply["litellm_budget_table"]
    for name in ("max_budget", "budget_duration", "rpm_limit", "tpd_limit"):
        assert table[name] == ACME[name]
    assert table["budget_id"] == reply["budget_id"]
    budget = (await desk.ask("POST", "/budget/info", {"budgets": [reply["budget_id"]]})).json()
    assert budget[0]["max_budget"] == 50
    meter = Meter("organization", "acme")
    assert (await desk.spend.spent([meter]))[meter].reset_at == next_reset("30d", NOW)


async def test_a_budget_can_be_shared(desk: Desk) -> None:
    await desk.ask("POST", "/budget/new", {"budget_id": "big", "max_budget": 9})
    reply = (await desk.ask("POST", "/organization/new", {"organization_alias": "B", "budget_id": "big"})).json()
    assert (reply["budget_id"], reply["litellm_budget_table"]["max_budget"]) == ("big", 9)
    assert len(reply["organization_id"]) == 36
    missing = await desk.ask("POST", "/organization/new", {"organization_alias": "B", "budget_id": "none"})
    assert missing.status == 404


@pytest.mark.parametrize(
    "fields",
    [{"organization_alias": None}, {"organization_alias": "a\n"}, {"object_permission": {"a": ["b"]}}, {"modelz": []}],
)
async def test_what_no_organisation_can_have_is_refused(desk: Desk, fields: dict[str, Any]) -> None:
    assert (await desk.ask("POST", "/organization/new", {**ACME, **fields})).status == 400
    assert not desk.database.entries.get("organization")


async def test_an_id_is_taken_once(desk: Desk) -> None:
    await made(desk)
    assert (await desk.ask("POST", "/organization/new", ACME)).status == 400


@pytest.mark.parametrize("path", ["/organization/update", "/v2/organization/acme"])
async def test_what_is_named_changes_and_the_rest_stays(desk: Desk, path: str) -> None:
    before = await made(desk)
    body: dict[str, Any] = {"max_budget": 60, "models": ["llama3", "vip"], "spend": 1.5}
    body |= {"organization_id": "acme"} if path.endswith("update") else {}
    answer = await desk.ask("PATCH", path, body)
    reply = answer.json()
    msgspec.json.decode(answer.body, type=OrganizationWithMembers)
    assert (reply["models"], reply["spend"], reply["budget_id"]) == (["llama3", "vip"], 1.5, before["budget_id"])
    assert (reply["litellm_budget_table"]["max_budget"], reply["litellm_budget_table"]["rpm_limit"]) == (60, 100)
    assert reply["metadata"] == {"a": 1}
    assert (await desk.ask("PATCH", "/v2/organization/nowhere", {})).status == 404


async def test_organisations_are_shown_with_members_and_teams(desk: Desk) -> None:
    await made(desk)
    await desk.ask("POST", "/team/new", {"team_id": "red", "organization_id": "acme", "models": ["llama3"]})
    await desk.spend.set_amount(Meter("organization", "acme"), picodollars("0.5"))
    row = await info(desk)
    assert ([team["team_id"] for team in row["teams"]], row["spend"]) == (["red"], 0.5)
    for query, count in (("", 1), ("org_id=acme", 1), ("org_alias=ACM", 1), ("org_id=other", 0), ("org_alias=x", 0)):
        assert len((await desk.ask("GET", f"/organization/list?{query}")).json()) == count
    several = await desk.ask("POST", "/organization/info", {"organizations": ["acme", "nowhere"]})
    assert [row["organization_id"] for row in several.json()] == ["acme"]
    assert (await desk.ask("POST", "/organization/info", {"organizations": []})).status == 400
    assert (await desk.ask("GET", "/organization/info?organization_id=nowhere")).status == 404
    assert (await desk.ask("GET", "/organization/info")).status == 400


async def test_members(desk: Desk) -> None:
    await made(desk)
    members = [{"role": "org_admin", "user_id": "olga"}, {"role": "internal_user", "user_email": "mia@example.com"}]
    answer = await desk.ask("POST", "/organization/member_add", {"organization_id": "acme", "member": members})
    reply = msgspec.json.decode(answer.body, type=OrganizationMembersReply)
    assert [user.user_email for user in reply.updated_users] == [None, "mia@example.com"]
    assert [one.user_role for one in reply.updated_organization_memberships] == ["org_admin", "internal_user"]
    change = {"organization_id": "acme", "user_email": "mia@example.com", "role": "internal_user_viewer"}
    answer = await desk.ask("PATCH", "/organization/member_update", change)
    assert msgspec.json.decode(answer.body, type=OrganizationMembership).user_role == "internal_user_viewer"
    assert {one["user_role"] for one in (await info(desk))["members"]} == {"org_admin", "internal_user_viewer"}
    again = {"organization_id": "acme", "member": {"role": "internal_user", "user_id": "olga"}}
    assert (await desk.ask("POST", "/organization/member_add", again)).status == 400
    gone = {"organization_id": "acme", "user_id": "olga"}
    assert (await desk.ask("DELETE", "/organization/member_delete", gone)).json()["user_id"] == "olga"
    assert (await desk.ask("DELETE", "/organization/member_delete", gone)).status == 404
    assert (await desk.ask("POST", "/organization/member_add", {**again, "organization_id": "no"})).status == 404


async def test_an_organisation_goes_with_its_teams_and_their_keys(desk: Desk) -> None:
    await made(desk)
    await desk.ask("POST", "/team/new", {"team_id": "red", "organization_id": "acme", "models": ["llama3"]})
    await desk.new_key(team_id="red")
    rows = (await desk.ask("DELETE", "/organization/delete", {"organization_ids": ["acme"]})).json()
    assert [(row["organization_id"], len(row["teams"])) for row in rows] == [("acme", 1)]
    assert (await desk.ask("GET", "/team/info?team_id=red")).status == 404
    assert not desk.database.keys
    assert (await desk.ask("DELETE", "/organization/delete", {"organization_ids": ["acme"]})).status == 404


async def test_what_a_member_spent_in_the_organisation_is_told(desk: Desk) -> None:
    await desk.directory.insert(ORGANIZATIONS, Organization(organization_id="o"))
    await desk.directory.insert(USERS, User(user_id="u"))
    body = {"organization_id": "o", "member": {"role": "internal_user", "user_id": "u"}}
    assert (await desk.ask("POST", "/organization/member_add", {**body, "max_budget_in_organization": 1})).status == 200
    desk.spooled.append(call_record("1", user_id="u", organization_id="o", cost=picodollars(0.5)))
    await desk.flush()
    (member,) = (await desk.ask("GET", "/organization/info", organization_id="o")).json()["members"]
    assert member["spend"] == 0.5
    gone = await desk.ask("DELETE", "/organization/member_delete", {"organization_id": "o", "user_id": "u"})
    assert gone.json()["spend"] == 0.5
