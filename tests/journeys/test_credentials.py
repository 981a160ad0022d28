"""Credentials that are stored under names: used by models of the file and stored ones, and never shown again."""

from __future__ import annotations

import pytest

from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI

CANARY = "sk-canary-of-a-credential-0123456789"
SECOND = "sk-another-canary-of-a-credential-01"


@pytest.fixture
def gateway(launch: Launch, upstream: FakeOpenAI) -> Gateway:
    return launch(
        {
            "credential_list": [
                {"credential_name": "filed", "credential_values": {"api_key": "os.environ/FILED_KEY"}},
            ],
            "model_list": [
                {
                    "model_name": "by-file",
                    "litellm_params": {
                        "model": "openai/m", "api_base": upstream.base_url, "litellm_credential_name": "filed",
                    },
                },
                {
                    "model_name": "by-store",
                    "litellm_params": {
                        "model": "openai/m", "api_base": upstream.base_url, "litellm_credential_name": "team/openai",
                    },
                },
            ],
        },
        env={"FILED_KEY": "sk-filed-canary-0123456789"},
    )  # fmt: skip


def create(gateway: Gateway, name: str = "team/openai", key: str = CANARY) -> None:
    body = {"credential_name": name, "credential_values": {"api_key": key}, "credential_info": {"for": "all"}}
    answer = gateway.http("POST", "/credentials", body)
    assert answer.status == 200, answer.body
    assert answer.json() == {"success": True, "message": "Credential created successfully"}


def presented(upstream: FakeOpenAI) -> str:
    return (upstream.inference[-1].header("authorization") or "").removeprefix("Bearer ")


def test_a_model_of_the_file_takes_its_key_from_a_stored_credential(gateway: Gateway, upstream: FakeOpenAI) -> None:
    assert gateway.chat("by-file").status == 200
    assert gateway.chat("by-store").status == 400
    assert any("by-store" in one for one in gateway.http("GET", "/config/diff").json()["skipped"])
    create(gateway)
    assert gateway.chat("by-store").status == 200
    assert presented(upstream) == CANARY
    changed = gateway.http("PATCH", "/credentials/team/openai", {"credential_values": {"api_key": SECOND}})
    assert changed.status == 200, changed.body
    assert gateway.chat("by-store").status == 200
    assert presented(upstream) == SECOND
    gateway.restart()
    assert gateway.chat("by-store").status == 200
    assert presented(upstream) == SECOND


def test_a_stored_model_uses_a_credential_too(gateway: Gateway, upstream: FakeOpenAI) -> None:
    create(gateway)
    params = {"model": "openai/m", "api_base": upstream.base_url, "litellm_credential_name": "team/openai"}
    answer = gateway.http("POST", "/model/new", {"model_name": "stored", "litellm_params": params})
    # It says no address, so it is for the provider's own, and not for whatever a model says.
    assert (answer.status, answer.error["code"]) == (400, "secret_bound_to_address"), answer.body
    both = {"api_key": CANARY, "api_base": upstream.base_url}
    assert gateway.http("PATCH", "/credentials/team%2Fopenai", {"credential_values": both}).status == 200
    answer = gateway.http("POST", "/model/new", {"model_name": "stored", "litellm_params": params})
    assert answer.status == 200, answer.body
    gateway.chat("stored")
    assert presented(upstream) == CANARY
    create(gateway, "bare")
    change = {"litellm_params": {"litellm_credential_name": "bare"}}
    answer = gateway.http("PATCH", f"/model/{answer.json()['model_id']}/update", change)
    assert (answer.status, answer.error["param"]) == (400, "litellm_params.api_base")


def test_credentials_are_listed_and_shown_masked(gateway: Gateway) -> None:
    create(gateway)
    listed = gateway.http("GET", "/credentials").json()
    assert listed["success"] is True
    assert [(row["credential_name"], row["source"]) for row in listed["credentials"]] == [
        ("filed", "config"), ("team/openai", "db"),
    ]  # fmt: skip
    one = gateway.http("GET", "/credentials/by_name/team/openai").json()
    assert one["credential_values"] == {"api_key": "sk****89"}
    assert one["credential_info"] == {"for": "all"}
    assert gateway.http("GET", "/credentials/by_name/nobody").status == 404


def test_a_credential_is_named_changed_and_deleted_by_litellms_rules(gateway: Gateway) -> None:
    create(gateway, "spare")
    again = gateway.http("POST", "/credentials", {"credential_name": "spare", "credential_values": {"api_key": "x"}})
    assert again.status == 409
    renamed = gateway.http("PATCH", "/credentials/spare", {"credential_name": "other"})
    assert (renamed.status, renamed.error["param"]) == (400, "credential_name")
    body = {"credential_values": {"api_base": "http://127.0.0.1:9/v1"}, "credential_values_to_delete": ["api_key"]}
    assert gateway.http("PATCH", "/credentials/spare", body).status == 200
    values = gateway.http("GET", "/credentials/by_name/spare").json()["credential_values"]
    assert set(values) == {"api_base"}
    for method in ("PATCH", "DELETE"):
        answer = gateway.http(method, "/credentials/filed", {} if method == "PATCH" else None)
        assert (answer.status, answer.error["code"]) == (405, "credential_in_config")
    assert gateway.http("DELETE", "/credentials/spare").json()["success"] is True
    assert gateway.http("DELETE", "/credentials/spare").status == 404


def test_one_in_use_is_not_deleted(gateway: Gateway) -> None:
    create(gateway)
    answer = gateway.http("DELETE", "/credentials/team/openai")
    assert (answer.status, answer.error["code"]) == (400, "credential_in_use")
    assert "by-store" in answer.error["message"]


def test_the_values_of_a_deployment_can_be_taken_over(gateway: Gateway, upstream: FakeOpenAI) -> None:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": CANARY}
    identity = gateway.http("POST", "/model/new", {"model_name": "a", "litellm_params": params}).json()["model_id"]
    shown = gateway.http("GET", f"/credentials/by_model/{identity}").json()
    assert shown["credential_name"] == f"a-credential-{identity}"
    assert CANARY not in str(shown)
    assert gateway.http("POST", "/credentials", {"credential_name": "c", "model_id": identity}).status == 200
    params = {"model": "openai/m", "litellm_credential_name": "c"}
    assert gateway.http("POST", "/model/new", {"model_name": "b", "litellm_params": params}).status == 200
    assert gateway.chat("b").status == 200
    assert presented(upstream) == CANARY


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"credential_name": "x"}, "credential_values"),
        ({"credential_name": "x", "credential_values": {"api_key": "os.environ/PATH"}}, "credential_values.api_key"),
        ({"credential_name": "x", "credential_values": {"api_base": "nowhere"}}, "credential_values.api_base"),
        ({"credential_name": "filed", "credential_values": {"api_key": "k"}}, "credential_name"),
    ],
)
def test_what_is_not_sound_is_refused_with_its_field(gateway: Gateway, body: dict[str, object], param: str) -> None:
    answer = gateway.http("POST", "/credentials", body)
    assert (answer.status, answer.error["param"]) == (400, param), answer.body


def test_all_workers_use_the_changed_value_within_two_seconds(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": []}, args=["--workers", "2"])
    values = {"api_key": CANARY, "api_base": upstream.base_url}
    made = gateway.http("POST", "/credentials", {"credential_name": "shared", "credential_values": values})
    assert made.status == 200, made.body
    params = {"model": "openai/m", "litellm_credential_name": "shared"}
    assert gateway.http("POST", "/model/new", {"model_name": "a", "litellm_params": params}).status == 200
    eventually(lambda: all(gateway.chat("a").status == 200 for _ in range(16)), "both serve it", 3.0)
    gateway.http("PATCH", "/credentials/shared", {"credential_values": {"api_key": SECOND}})

    def all_second() -> bool:
        upstream.forget()
        assert all(gateway.chat("a").status == 200 for _ in range(16))
        return {one.header("authorization") for one in upstream.inference} == {f"Bearer {SECOND}"}

    eventually(all_second, "both use the new key", 3.0)


def test_no_value_is_in_any_answer_or_file(gateway: Gateway, upstream: FakeOpenAI) -> None:
    create(gateway)
    gateway.http("PATCH", "/credentials/team/openai", {"credential_values": {"api_key": SECOND}})
    told = [
        gateway.http("GET", path).body
        for path in ("/credentials", "/credentials/by_name/team/openai", "/audit", "/audit/export", "/config/diff",
                     "/model/info")
    ]  # fmt: skip
    told += [path.read_bytes() for path in gateway.data_dir.rglob("*") if path.is_file()]
    told.append(gateway.output().encode())
    for canary in (CANARY, SECOND, "sk-filed-canary-0123456789"):
        assert not [text[:200] for text in told if canary.encode() in text]


def test_a_stored_secret_is_sent_to_no_other_address(gateway: Gateway, upstream: FakeOpenAI) -> None:
    here, elsewhere = {"api_base": upstream.base_url}, {"api_base": "http://127.0.0.1:9/v1"}
    both = {"credential_name": "bound", "credential_values": {"api_key": CANARY, **here}}
    assert gateway.http("POST", "/credentials", both).status == 200
    lent = {"model": "openai/m", "litellm_credential_name": "bound"}
    own = {"model_name": "own", "litellm_params": {"model": "openai/m", "api_key": CANARY, **here}}
    identity = gateway.http("POST", "/model/new", own).json()["model_id"]

    def refused(method: str, path: str, body: object) -> str:
        answer = gateway.http(method, path, body)
        assert answer.status == 400, answer.body
        return str(answer.error["param"])

    moved = {"model_name": "lent", "litellm_params": {**lent, **elsewhere}}
    assert refused("POST", "/model/new", moved) == "litellm_params.api_base"
    assert gateway.http("POST", "/model/new", {**moved, "litellm_params": lent}).status == 200
    for body in ({"credential_values": elsewhere}, {"credential_values_to_delete": ["api_base"]}):
        assert refused("PATCH", "/credentials/bound", body) == "credential_values.api_key"
    for params in (elsewhere, {**elsewhere, "api_key": "sk****89"}):
        found = refused("PATCH", f"/model/{identity}/update", {"litellm_params": params})
        assert found == "litellm_params.api_key"
    again = {**elsewhere, "api_key": SECOND}
    assert gateway.http("PATCH", f"/model/{identity}/update", {"litellm_params": again}).status == 200
    assert gateway.http("PATCH", "/credentials/bound", {"credential_values": again}).status == 200
