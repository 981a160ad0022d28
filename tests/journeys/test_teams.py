"""Teams with LiteLLM's paths and fields, against a running gateway."""

from __future__ import annotations

import time
from typing import Any

from tests.support.gateway import Gateway
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

Shared = tuple[Gateway, FakeOpenAI]


def unique(word: str) -> str:
    return f"{word}-{time.monotonic_ns()}"


def new_team(gateway: Gateway, **fields: Any) -> str:
    answer = gateway.http("POST", "/team/new", {"team_id": unique("team"), **fields})
    assert answer.status == 200, answer.body
    return str(answer.json()["team_id"])


def test_a_team_has_keys_and_what_they_spend(shared: Shared) -> None:
    gateway, _ = shared
    team = new_team(gateway, team_alias="Research", max_budget=100, budget_duration="30d")
    key = gateway.new_key(team_id=team)
    gateway.chat("priced", key=key)

    def row() -> dict[str, Any]:
        found: dict[str, Any] = gateway.http("GET", f"/team/info?team_id={team}").json()
        return found

    eventually(lambda: row()["team_info"]["spend"] > 0, "the call is counted")
    assert [one["team_id"] for one in row()["keys"]] == [team]
    assert row()["team_info"]["budget_reset_at"] is not None
    assert gateway.http("GET", "/team/info", key=key).json()["team_id"] == team


def test_a_team_admin_runs_the_team_and_no_other(shared: Shared) -> None:
    gateway, _ = shared
    tom, mia = unique("tom"), unique("mia")
    team = new_team(gateway, models=["fast"], members_with_roles=[{"role": "admin", "user_id": tom}])
    other = new_team(gateway)
    key = gateway.new_key(user_id=tom)
    member = {"team_id": team, "member": {"role": "user", "user_id": mia}, "max_budget_in_team": 2}
    assert gateway.http("POST", "/team/member_add", member, key=key).status == 200
    made = gateway.http("POST", "/key/generate", {"team_id": team, "user_id": mia, "models": ["fast"]}, key=key).json()
    assert gateway.chat("fast", key=made["key"]).status == 200
    assert gateway.http("POST", "/key/generate", {"team_id": team, "models": ["priced"]}, key=key).status == 400
    assert gateway.http("POST", "/team/update", {"team_id": team, "models": []}, key=key).status == 400
    assert gateway.http("POST", "/team/update", {"team_id": other, "team_alias": "mine"}, key=key).status == 403
    assert gateway.http("GET", f"/team/info?team_id={other}", key=key).status == 403
    assert [row["team_id"] for row in gateway.http("GET", "/team/list", key=key).json()] == [team]
    assert gateway.http("GET", f"/team/{team}/members/me", key=made["key"]).json()["role"] == "user"


def test_members_do_what_the_team_permits(shared: Shared) -> None:
    gateway, _ = shared
    mia = unique("mia")
    team = new_team(gateway, members_with_roles=[{"role": "user", "user_id": mia}])
    key = gateway.new_key(user_id=mia)
    assert gateway.http("POST", "/key/generate", {"team_id": team}, key=key).status == 403
    permissions = {"team_id": team, "team_member_permissions": ["/key/generate", "/key/info"]}
    assert gateway.http("POST", "/team/permissions_update", permissions).status == 200
    made = gateway.http("POST", "/key/generate", {"team_id": team}, key=key)
    assert made.status == 200
    assert gateway.chat("fast", key=made.json()["key"]).status == 200


def test_a_deleted_team_is_gone_with_its_keys(shared: Shared) -> None:
    gateway, _ = shared
    team = new_team(gateway)
    key = gateway.new_key(team_id=team)
    assert gateway.chat("fast", key=key).status == 200
    assert gateway.http("POST", "/team/delete", {"team_ids": [team]}).json() == {"deleted_teams": [team]}
    assert gateway.chat("fast", key=key).status == 401
    assert gateway.http("GET", f"/team/info?team_id={team}").status == 404
