"""Organisations with LiteLLM's paths and fields, against a running gateway."""

from __future__ import annotations

import time
from typing import Any

from tests.support.gateway import Gateway
from tests.upstreams import FakeOpenAI

Shared = tuple[Gateway, FakeOpenAI]


def unique(word: str) -> str:
    return f"{word}-{time.monotonic_ns()}"


def new_organization(gateway: Gateway, **fields: Any) -> str:
    body = {"organization_id": unique("org"), "organization_alias": "Acme", **fields}
    answer = gateway.http("POST", "/organization/new", body)
    assert answer.status == 200, answer.body
    return str(answer.json()["organization_id"])


def test_an_organisation_admin_makes_teams_and_users_within_it(shared: Shared) -> None:
    gateway, _ = shared
    acme, other = new_organization(gateway, models=["fast"], max_budget=50), new_organization(gateway)
    olga = unique("olga")
    member = {"role": "org_admin", "user_id": olga}
    assert gateway.http("POST", "/organization/member_add", {"organization_id": acme, "member": member}).status == 200
    key = gateway.new_key(user_id=olga)
    team = {"organization_id": acme, "models": ["fast"], "max_budget": 50}
    made = gateway.http("POST", "/team/new", team, key=key)
    assert made.status == 200
    assert [one["role"] for one in made.json()["members_with_roles"]] == ["admin"]
    for beyond in ({"max_budget": 51}, {"models": ["priced"]}, {"organization_id": other}, {"organization_id": None}):
        assert gateway.http("POST", "/team/new", {**team, **beyond}, key=key).status in {400, 403}
    user = {"organizations": [acme], "models": ["fast"], "max_budget": 1}
    assert gateway.http("POST", "/user/new", user, key=key).status == 200
    assert gateway.http("POST", "/user/new", {**user, "organizations": [other]}, key=key).status == 403
    assert gateway.http("POST", "/user/new", {**user, "user_role": "proxy_admin"}, key=key).status == 403
    row = gateway.http("GET", f"/organization/info?organization_id={acme}", key=key).json()
    assert (len(row["members"]), len(row["teams"])) == (2, 1)
    assert gateway.http("GET", f"/organization/info?organization_id={other}", key=key).status == 403


def test_an_organisation_is_changed_and_deleted(shared: Shared) -> None:
    gateway, _ = shared
    acme = new_organization(gateway, max_budget=5)
    team = gateway.http("POST", "/team/new", {"organization_id": acme}).json()["team_id"]
    key = gateway.new_key(team_id=team)
    changed = gateway.http("PATCH", f"/v2/organization/{acme}", {"max_budget": 7}).json()
    assert changed["litellm_budget_table"]["max_budget"] == 7
    assert gateway.http("DELETE", "/organization/delete", {"organization_ids": [acme]}).status == 200
    assert gateway.chat("fast", key=key).status == 401
    assert acme not in {row["organization_id"] for row in gateway.http("GET", "/organization/list").json()}
