"""People with LiteLLM's paths and fields, against a running gateway: what they get, and what they may."""

from __future__ import annotations

import time
from typing import Any

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

Shared = tuple[Gateway, FakeOpenAI]


def unique(word: str) -> str:
    return f"{word}-{time.monotonic_ns()}"


def new_user(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    answer = gateway.http("POST", "/user/new", {"user_id": unique("user"), **fields})
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def test_a_new_user_calls_models_with_their_key(shared: Shared) -> None:
    gateway, _ = shared
    user = new_user(gateway, models=["fast"], max_budget=10)
    assert gateway.chat("fast", key=user["key"]).status == 200
    assert gateway.chat("priced", key=user["key"]).status == 403
    mine = gateway.http("GET", "/user/info", key=user["key"]).json()
    assert mine["user_info"]["user_id"] == user["user_id"]
    assert [row["user_id"] for row in mine["keys"]] == [user["user_id"]]


def test_what_a_user_spends_is_shown(shared: Shared) -> None:
    gateway, _ = shared
    user = new_user(gateway)
    gateway.chat("priced", key=user["key"])

    def spent() -> float:
        shown = gateway.http("GET", f"/v2/user/info?user_id={user['user_id']}").json()["spend"]
        return float(shown)

    eventually(lambda: spent() > 0, "the call is counted")
    assert gateway.http("POST", "/user/update", {"user_id": user["user_id"], "spend": 0}).status == 200
    assert spent() == 0


def test_users_keep_house_themselves(shared: Shared) -> None:
    gateway, _ = shared
    user = new_user(gateway, models=["fast"])
    key = user["key"]
    made = gateway.http("POST", "/key/generate", {"key_alias": unique("mine"), "models": ["fast"]}, key=key).json()
    assert made["user_id"] == user["user_id"]
    assert gateway.chat("fast", key=made["key"]).status == 200
    listed = gateway.http("GET", "/key/list", key=key).json()
    assert listed["total_count"] == 2
    assert gateway.http("POST", "/key/generate", {"models": ["priced"]}, key=key).status == 400
    assert gateway.http("POST", "/key/block", {"key": made["key"]}, key=key).status == 200
    assert gateway.chat("fast", key=made["key"]).status == 403
    assert gateway.http("POST", "/key/delete", {"keys": [made["key"]]}, key=key).status == 200
    assert gateway.chat("fast", key=made["key"]).status == 401


def test_nobody_makes_an_admin_of_themselves(shared: Shared) -> None:
    gateway, _ = shared
    user = new_user(gateway)
    change = {"user_id": user["user_id"], "user_role": "proxy_admin"}
    assert gateway.http("POST", "/user/update", change, key=user["key"]).status == 403
    assert gateway.http("GET", "/routes", key=user["key"]).status == 403
    assert gateway.http("POST", "/user/update", change).status == 200
    assert gateway.http("GET", "/routes", key=user["key"]).status == 200
    viewer = new_user(gateway, user_role="proxy_admin_viewer")
    assert gateway.http("GET", "/user/list", key=viewer["key"]).status == 200
    assert gateway.http("POST", "/user/new", {}, key=viewer["key"]).status == 403


def test_a_deleted_user_is_gone_with_their_keys(shared: Shared) -> None:
    gateway, _ = shared
    user = new_user(gateway)
    assert gateway.chat("fast", key=user["key"]).status == 200
    assert gateway.http("POST", "/user/delete", {"user_ids": [user["user_id"]]}).json() == 1
    assert gateway.chat("fast", key=user["key"]).status == 401
    assert gateway.http("GET", f"/user/info?user_id={user['user_id']}").status == 404


def test_users_outlive_the_process(launch: Launch, upstream: FakeOpenAI) -> None:
    settings = {"default_internal_user_params": {"max_budget": 3, "models": ["fast"]}}
    config = {"model_list": [openai_entry("fast", upstream)], "litellm_settings": settings}
    gateway = launch(config)
    user = new_user(gateway)
    assert (user["max_budget"], user["models"]) == (3, ["fast"])
    gateway.restart()
    shown = gateway.http("GET", "/user/info", key=user["key"]).json()["user_info"]
    assert (shown["user_id"], shown["max_budget"], shown["models"]) == (user["user_id"], 3, ["fast"])
