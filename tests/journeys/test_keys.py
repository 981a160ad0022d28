"""Virtual keys with LiteLLM's paths and fields."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Any

import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.upstreams import FakeOpenAI

Shared = tuple[Gateway, FakeOpenAI]


def info(gateway: Gateway, key: str) -> dict[str, Any]:
    answer = gateway.http("GET", f"/key/info?key={key}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()["info"]
    return found


def test_a_generated_key_has_litellms_shape_and_works(shared: Shared) -> None:
    gateway, _ = shared
    body = {
        "models": ["fast"],
        "key_alias": f"alias-{time.monotonic_ns()}",
        "metadata": {"team": "research", "deep": {"a": [1]}},
        "max_budget": 1.5,
        "budget_duration": "30d",
        "rpm_limit": 100,
        "tpm_limit": 10_000,
        "max_parallel_requests": 5,
        "user_id": "someone",
    }
    made = gateway.http("POST", "/key/generate", body).json()
    assert made["key"].startswith("sk-")
    assert len(made["key"]) >= 20
    assert {name: made[name] for name in body} == body
    found = info(gateway, made["key"])
    assert {name: found[name] for name in body} == body
    assert found["spend"] == 0
    assert found["key_name"].endswith(made["key"][-4:])
    assert "token" not in found or found["token"] != made["key"]
    assert gateway.chat("fast", key=made["key"]).status == 200


@pytest.mark.parametrize("body", [None, {}])
def test_a_key_needs_no_fields(shared: Shared, body: object) -> None:
    gateway, _ = shared
    answer = gateway.http("POST", "/key/generate", body)
    assert answer.status == 200
    assert gateway.chat("fast", key=answer.json()["key"]).status == 200


def test_the_models_of_a_key_are_all_it_may_use_and_see(shared: Shared) -> None:
    gateway, upstream = shared
    key = gateway.new_key(models=["fast"])
    assert gateway.chat("fast", key=key).status == 200
    upstream.forget()
    answer = gateway.chat("priced", key=key)
    assert answer.status == 403
    assert "priced" in answer.error["message"]
    assert upstream.inference == []
    listed = [row["id"] for row in gateway.http("GET", "/v1/models", key=key).json()["data"]]
    assert listed == ["fast"]


def test_aliases_of_a_key_are_followed_and_do_not_widen_access(shared: Shared) -> None:
    gateway, _ = shared
    key = gateway.new_key(aliases={"mine": "fast"})
    assert gateway.chat("mine", key=key).headers["x-litellm-model-group"] == "fast"
    narrow = gateway.new_key(models=["fast"], aliases={"fast": "priced"})
    answer = gateway.chat("fast", key=narrow)
    assert answer.status in {200, 403}
    if answer.status == 200:
        # LiteLLM checks access by the name that was asked for: the operator who wrote the alias meant it.
        assert answer.headers["x-litellm-model-group"] == "priced"
    assert gateway.chat("mine", key=gateway.new_key()).status == 400


def test_updating_takes_effect_at_once_and_leaves_the_rest(shared: Shared) -> None:
    gateway, _ = shared
    key = gateway.new_key(models=["fast"], metadata={"kept": True}, rpm_limit=50)
    assert gateway.chat("fast", key=key).status == 200
    answer = gateway.http("POST", "/key/update", {"key": key, "models": ["priced"]})
    assert answer.status == 200
    assert gateway.chat("fast", key=key).status == 403
    assert gateway.chat("priced", key=key).status == 200
    found = info(gateway, key)
    assert (found["models"], found["metadata"], found["rpm_limit"]) == (["priced"], {"kept": True}, 50)
    assert gateway.http("POST", "/key/update", {"key": key, "rpm_limit": None}).status == 200
    assert info(gateway, key)["rpm_limit"] is None


def test_blocking_and_unblocking(shared: Shared) -> None:
    gateway, _ = shared
    key = gateway.new_key()
    assert gateway.chat("fast", key=key).status == 200
    assert gateway.http("POST", "/key/block", {"key": key}).status == 200
    assert gateway.chat("fast", key=key).status in {401, 403}
    assert info(gateway, key)["blocked"] is True
    assert gateway.http("POST", "/key/unblock", {"key": key}).status == 200
    assert gateway.chat("fast", key=key).status == 200


def test_deleting_by_key_by_digest_and_by_alias(shared: Shared) -> None:
    gateway, _ = shared
    alias = f"doomed-{time.monotonic_ns()}"
    by_key, by_digest, by_alias = gateway.new_key(), gateway.new_key(), gateway.new_key(key_alias=alias)
    for key in (by_key, by_digest, by_alias):
        assert gateway.chat("fast", key=key).status == 200
    digest = sha256(by_digest.encode()).hexdigest()
    answer = gateway.http("POST", "/key/delete", {"keys": [by_key, digest]})
    assert answer.status == 200
    assert len(answer.json()["deleted_keys"]) == 2
    assert gateway.http("POST", "/key/delete", {"key_aliases": [alias]}).status == 200
    for key in (by_key, by_digest, by_alias):
        assert gateway.chat("fast", key=key).status == 401
    assert gateway.http("GET", f"/key/info?key={by_key}").json()["info"]["status"] == "deleted"
    assert gateway.http("GET", "/key/info?key=sk-nobody-has-this-one").status == 404
    assert gateway.http("POST", "/key/delete", {"keys": ["sk-nobody-has-this-one"]}).status == 404


def test_a_regenerated_key_replaces_the_old_one(shared: Shared) -> None:
    gateway, _ = shared
    old = gateway.new_key(models=["fast"], metadata={"kept": 1})
    assert gateway.chat("fast", key=old).status == 200
    answer = gateway.http("POST", f"/key/{sha256(old.encode()).hexdigest()}/regenerate", {})
    assert answer.status == 200
    new = answer.json()["key"]
    assert new != old
    assert gateway.chat("fast", key=new).status == 200
    assert gateway.chat("fast", key=old).status == 401
    assert info(gateway, new)["metadata"] == {"kept": 1}
    again = gateway.http("POST", "/key/regenerate", {"key": new})
    assert again.status == 200
    assert gateway.chat("fast", key=new).status == 401


def test_listing_with_pages_and_filters(shared: Shared) -> None:
    gateway, _ = shared
    mark = f"listed-{time.monotonic_ns()}"
    keys = [gateway.new_key(key_alias=f"{mark}-{number}", user_id=mark) for number in range(5)]
    first = gateway.http("GET", f"/key/list?user_id={mark}&size=2&page=1").json()
    assert (first["total_count"], first["total_pages"], first["current_page"]) == (5, 3, 1)
    assert len(first["keys"]) == 2
    full = gateway.http("GET", f"/key/list?user_id={mark}&size=10&return_full_object=true").json()
    assert {row["key_alias"] for row in full["keys"]} == {f"{mark}-{number}" for number in range(5)}
    assert not any(key in repr(full) for key in keys)
    one = gateway.http("GET", f"/key/list?key_alias={mark}-3&return_full_object=true").json()
    assert [row["key_alias"] for row in one["keys"]] == [f"{mark}-3"]


def test_an_alias_is_unique(shared: Shared) -> None:
    gateway, _ = shared
    alias = f"unique-{time.monotonic_ns()}"
    gateway.new_key(key_alias=alias)
    answer = gateway.http("POST", "/key/generate", {"key_alias": alias})
    assert answer.status == 400
    assert alias in answer.error["message"]


def test_an_own_key_may_be_chosen_if_it_is_strong_enough(shared: Shared) -> None:
    gateway, _ = shared
    own = f"sk-own-{time.monotonic_ns()}-abcdef"
    assert gateway.new_key(key=own) == own
    assert gateway.chat("fast", key=own).status == 200
    for weak in ("sk-1", "not-a-key-at-all-000000", own):
        assert 400 <= gateway.http("POST", "/key/generate", {"key": weak}).status < 500


def test_a_key_may_see_itself_and_manages_nobody(shared: Shared) -> None:
    gateway, _ = shared
    key, other = gateway.new_key(), gateway.new_key()
    assert gateway.http("GET", "/key/info", key=key).status == 200
    assert gateway.http("GET", f"/key/info?key={other}", key=key).status in {401, 403, 404}
    for path, body in (
        ("/key/generate", {"max_budget": 1000}),
        ("/key/update", {"key": key, "max_budget": 1000}),
        ("/key/delete", {"keys": [other]}),
        ("/key/block", {"key": other}),
        ("/key/unblock", {"key": key}),
        ("/key/regenerate", {"key": other}),
    ):
        assert gateway.http("POST", path, body, key=key).status in {401, 403}, path
        assert gateway.http("POST", path, body, key="").status == 401, path
    assert gateway.http("GET", "/key/list", key=key).status in {200, 401, 403}
    if (listed := gateway.http("GET", "/key/list?return_full_object=true", key=key)).status == 200:
        assert sha256(other.encode()).hexdigest() not in listed.body.decode()
    assert gateway.chat("fast", key=other).status == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_budget", "lots"),
        ("max_budget", -1),
        ("rpm_limit", "x"),
        ("models", "fast"),
        ("duration", "soon"),
        ("budget_duration", "1 fortnight"),
        ("metadata", 7),
        ("aliases", ["a"]),
    ],
)
def test_a_wrong_value_is_named(shared: Shared, field: str, value: object) -> None:
    gateway, _ = shared
    answer = gateway.http("POST", "/key/generate", {field: value})
    assert answer.status in {400, 422}
    assert field in answer.body.decode()


@pytest.mark.parametrize(
    "header",
    ["Authorization", "x-api-key", "api-key", "x-goog-api-key", "Ocp-Apim-Subscription-Key", "x-litellm-api-key"],
)
def test_a_key_is_taken_from_every_header_that_litellm_takes_it_from(shared: Shared, header: str) -> None:
    gateway, _ = shared
    key = gateway.new_key(models=["fast"])
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
    for value in (key, f"Bearer {key}"):
        answer = gateway.http("POST", "/v1/chat/completions", body, key="", headers={header: value})
        assert answer.status == 200, (header, value[:6])
    wrong = gateway.http("POST", "/v1/chat/completions", body, key="", headers={header: key + "x"})
    assert wrong.status == 401


def test_keys_survive_a_restart_and_are_stored_as_digests(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]})
    key = gateway.new_key(models=["fast"], rpm_limit=7)
    assert gateway.chat("fast", key=key).status == 200
    gateway.restart()
    assert gateway.chat("fast", key=key).status == 200
    assert info(gateway, key)["rpm_limit"] == 7
    gateway.stop()
    for path in gateway.data_dir.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), path
            assert MASTER_KEY.encode() not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"
