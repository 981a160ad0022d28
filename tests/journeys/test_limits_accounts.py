"""Rates of whoever a call is made for hold exactly, a refused call burns nothing, and headers tell what is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pointsman.stores.directory.kinds import CUSTOMERS, ORGANIZATIONS, TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import Customer, Limits, Organization, Team, TeamMember, User
from tests.support.configs import ONE_ATTEMPT, openai_entry
from tests.support.entries import put_entries
from tests.support.gateway import Gateway, Launch
from tests.support.rush import held_back, rush
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Reply, faults
from tests.upstreams.openai_shapes import chat_reply, usage

SCOPES = ("team", "user", "member", "organization")


def config(upstream: FakeOpenAI, **more: Any) -> dict[str, Any]:
    models = [openai_entry("fast", upstream), openai_entry("other", upstream)]
    return {**ONE_ATTEMPT, "model_list": models, **more}


def bind(gateway: Gateway, **limits: Limits) -> None:
    put_entries(
        gateway,
        (ORGANIZATIONS, Organization(organization_id="o", limits=limits.get("organization", Limits()))),
        (TEAMS, Team(team_id="t", alias="crew", organization_id="o", limits=limits.get("team", Limits()))),
        (USERS, User(user_id="u", limits=limits.get("user", Limits()))),
        (TEAM_MEMBERS, TeamMember(team_id="t", user_id="u", limits=limits.get("member", Limits()))),
    )


@pytest.mark.parametrize("scope", SCOPES)
def test_requests_of_several_keys_together_hold(scope: str, launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    bind(gateway, **{scope: Limits(rpm_limit=7)})
    keys = [gateway.new_key(user_id="u", team_id="t") for _ in range(3)]
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda number: gateway.chat("fast", key=keys[number % 3]), range(30)))
    assert sum(answer.status == 200 for answer in answers) == 7 == len(upstream.inference)
    refused = next(answer for answer in answers if answer.status != 200)
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.headers["rate_limit_type"] == "requests"
    assert refused.headers["reset_at"].endswith("UTC")
    assert refused.headers["x-ratelimit-limit-requests"] == "7"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["x-ratelimit-reset-requests"] == f"{refused.headers['retry-after']}s"
    alone = gateway.new_key()
    assert gateway.chat("fast", key=alone).status == 200


def test_parallel_calls_of_a_team_hold_and_every_ending_frees_the_place(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    bind(gateway, team=Limits(max_parallel_requests=3))
    keys = [gateway.new_key(team_id="t") for _ in range(2)]
    answers = rush(lambda: gateway.chat("fast", key=keys[0]), 20, 3, held_back(upstream))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 17
    bind(gateway, team=Limits(max_parallel_requests=1))
    key = gateway.new_key(team_id="t")
    for reply in (Reply.error(400), Reply.error(500), faults.garbage(), faults.reset_in_body({})):
        for stream in (False, True):
            upstream.always(reply)
            gateway.chat("fast", key=key, stream=stream)
            upstream.always(Reply.json(chat_reply("ok", usage(1, 1))))
            assert gateway.chat("fast", key=key).status == 200


def test_a_call_that_one_of_them_refuses_burns_nothing_of_the_others(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    bind(gateway, team=Limits(rpm_limit=3, tpm_limit=100_000), organization=Limits(rpm_limit=100))
    tight = gateway.new_key(team_id="t", rpm_limit=1)
    assert [gateway.chat("fast", key=tight).status for _ in range(6)] == [200, 429, 429, 429, 429, 429]
    roomy = gateway.new_key(team_id="t")
    assert [gateway.chat("fast", key=roomy).status for _ in range(3)] == [200, 200, 429]


def test_limits_of_a_day_hold_and_outlast_a_restart(launch: Launch, upstream: FakeOpenAI) -> None:
    strict = {"optional_pre_call_checks": ["enforce_model_rate_limits"], "num_retries": 0}
    models = [openai_entry("fast", upstream), openai_entry("daily", upstream, rpd=2)]
    gateway = launch({**config(upstream), "model_list": models, "router_settings": strict})
    upstream.always(Reply.json(chat_reply("ok", usage(40, 10))))
    key = gateway.new_key(tpd_limit=200)
    statuses = [gateway.chat("fast", key=key, max_tokens=10).status for _ in range(8)]
    good = statuses.count(200)
    assert good in {4, 5}
    assert statuses == [200] * good + [429] * (8 - good)
    assert [gateway.chat("daily").status for _ in range(3)] == [200, 200, 429]
    gateway.settled_ledger(good + 3)
    gateway.restart()
    assert gateway.chat("fast", key=key, max_tokens=10).status == 429
    # The ledger is read beside the first requests.
    eventually(lambda: gateway.chat("daily").status == 429, "the day goes on")


def test_only_the_tokens_that_the_operator_wants_count(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, general_settings={"token_rate_limit_type": "output"}))
    upstream.always(Reply.json(chat_reply("ok", usage(1000, 10))))
    key = gateway.new_key(tpm_limit=25)
    assert [gateway.chat("fast", key=key, max_tokens=10).status for _ in range(3)] == [200, 200, 429]


def test_a_model_of_a_key_has_its_own_rate(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    key = gateway.new_key(model_rpm_limit={"fast": 1}, tag_rpm_limit={"batch": 1})
    first = gateway.chat("fast", key=key)
    assert first.headers["x-litellm-key-remaining-requests-fast"] == "0"
    assert first.headers["x-ratelimit-model_per_key-remaining-requests"] == "0"
    refused = gateway.chat("fast", key=key)
    assert refused.status == 429
    assert "model_per_key" in refused.error["message"]
    assert gateway.chat("other", key=key).status == 200
    tagged = [gateway.chat("other", key=key, metadata={"tags": ["batch"]}).status for _ in range(2)]
    assert tagged == [200, 429]


def test_the_headers_tell_of_the_tightest_limit_and_of_each(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    bind(gateway, team=Limits(rpm_limit=3, max_parallel_requests=9), user=Limits(tpm_limit=50_000))
    key = gateway.new_key(team_id="t", user_id="u", rpm_limit=10, tpm_limit=90_000)
    for stream in (False, True):
        headers = gateway.chat("fast", key=key, max_tokens=5, stream=stream).headers
        assert headers["x-litellm-key-rpm-limit"] == "10"
        assert headers["x-ratelimit-limit-requests"] == "3"
        assert headers["x-ratelimit-remaining-requests"] == ("1" if stream else "2")
        assert headers["x-ratelimit-reset-requests"] == "60s"
        assert headers["x-ratelimit-limit-tokens"] == "50000"
        assert headers["x-ratelimit-team-limit-requests"] == "3"
        assert headers["x-ratelimit-api_key-remaining-requests"] == ("8" if stream else "9")
        assert headers["x-ratelimit-team-limit-max_parallel_requests"] == "9"


def test_limits_of_a_model_and_of_tags_can_be_set_in_the_configuration(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(
        config(
            upstream,
            pointsman={"model_limits": {"fast": {"rpm_limit": 2}}},
            litellm_settings={"tag_budget_config": {"x": {"rpm_limit": 1}}},
        )
    )
    keys = [gateway.new_key() for _ in range(3)]
    assert [gateway.chat("fast", key=key).status for key in keys] == [200, 200, 429]
    assert gateway.chat("fast").status == 429, "the master key is bound by them, too"
    tags = {"tags": ["x"]}
    assert [gateway.chat("other", key=keys[0], metadata=tags).status for _ in range(2)] == [200, 429]


def test_a_changed_configuration_is_in_force_and_what_is_counted_stays(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, pointsman={"model_limits": {"fast": {"rpm_limit": 2}}}))
    key = gateway.new_key()
    assert [gateway.chat("fast", key=key).status for _ in range(3)] == [200, 200, 429]
    gateway.write_config(config(upstream, pointsman={"model_limits": {"fast": {"rpm_limit": 3}}}))
    eventually(lambda: gateway.chat("fast", key=key).status == 200, "the limit is raised")
    assert gateway.chat("fast", key=key).status == 429


def test_important_keys_have_their_share_of_a_model(launch: Launch, upstream: FakeOpenAI) -> None:
    shares = {"priority_reservation": {"prod": 0.8, "dev": {"type": "rpm", "value": 2}}}
    model = openai_entry("fast", upstream, rpm=10)
    gateway = launch({**ONE_ATTEMPT, "model_list": [model], "litellm_settings": shares})
    prod = gateway.new_key(metadata={"priority": "prod"})
    dev = gateway.new_key(metadata={"priority": "dev"})
    assert [gateway.chat("fast", key=dev).status for _ in range(7)] == [200] * 5 + [429] * 2
    assert [gateway.chat("fast", key=prod).status for _ in range(6)] == [200] * 5 + [429]


def test_a_dynamic_limit_binds_only_while_the_model_fails(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    key = gateway.new_key(rpm_limit=1, rpm_limit_type="dynamic")
    assert [gateway.chat("fast", key=key).status for _ in range(3)] == [200] * 3
    upstream.script(Reply.error(500))
    assert gateway.chat("fast", key=key).status == 502
    refused = gateway.chat("fast", key=key)
    assert (refused.status, refused.headers["rate_limit_type"]) == (429, "requests")
    assert gateway.chat("other", key=key).status == 200


def test_customers_have_to_be_known_where_the_operator_wants_it(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, litellm_settings={"validate_end_user_id_in_db": True}))
    put_entries(gateway, (CUSTOMERS, Customer(customer_id="known", models=("fast",))))
    key = gateway.new_key()
    assert gateway.chat("fast", key=key).status == 200
    assert gateway.chat("fast", key=key, user="known").status == 200
    refused = gateway.chat("other", key=key, user="known")
    assert (refused.status, refused.error["type"]) == (403, "customer_model_access_denied")
    unknown = gateway.chat("fast", key=key, user="unknown")
    assert unknown.status == 403
    put_entries(gateway, (CUSTOMERS, Customer(customer_id="unknown")))
    eventually(lambda: gateway.chat("fast", key=key, user="unknown").status == 200, "the customer is known", 2.0)


def test_a_team_lets_its_keys_use_its_models_under_its_names(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream))
    put_entries(gateway, (TEAMS, Team(team_id="t", models=("other",), model_aliases={"quick": "other"})))
    key = gateway.new_key(team_id="t", models=["all-team-models"])
    refused = gateway.chat("fast", key=key)
    assert (refused.status, refused.error["type"]) == (403, "team_model_access_denied")
    assert gateway.chat("other", key=key).status == 200
    assert gateway.chat("quick", key=key).status == 200
    listed = {model["id"] for model in gateway.http("GET", "/v1/models", key=key).json()["data"]}
    assert listed == {"other", "quick"}


def test_a_project_has_limits_of_what_goes_in_and_of_what_comes_out(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, router_settings={"num_retries": 0}))
    upstream.always(Reply.json(chat_reply("ok", usage(40, 10))))
    gateway.http("POST", "/team/new", {"team_id": "t"})
    made = gateway.http("POST", "/project/new", {
        "project_id": "p", "team_id": "t", "model_itpm_limit": {"fast": 100}, "model_otpm_limit": {"other": 25},
    }).json()  # fmt: skip
    assert made["model_itpm_limit"] == made["metadata"]["model_itpm_limit"] == {"fast": 100}
    assert made["model_otpm_limit"] == {"other": 25}
    key = gateway.new_key(team_id="t", project_id="p")
    first = gateway.chat("fast", key=key, max_tokens=1000)
    assert first.status == 200 and first.headers["x-ratelimit-limit-input-tokens"] == "100"
    assert [gateway.chat("fast", key=key).status for _ in range(2)] == [200, 200], "40 of each, whatever comes out"
    refused = gateway.chat("fast", key=key)
    assert refused.status == 429
    assert "model_per_project_itpm: p:fast. Limit type: tokens. Current limit: 100" in refused.error["message"]
    assert refused.headers["rate_limit_type"] == "tokens" and 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.headers["x-ratelimit-limit-input-tokens"] == "100"
    answers = [gateway.chat("other", key=key, max_tokens=10) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429], "10 of each, whatever goes in"
    assert answers[1].headers["x-ratelimit-model_per_project_otpm-remaining-tokens"] == "5"
    assert "model_per_project_otpm" in answers[2].error["message"]
    labels = {"project_id": "p", "requested_model": "other", "rate_limit_type": "output_tokens"}
    assert gateway.metric("litellm_project_model_rate_limit_used_metric", **labels) == 20
    assert gateway.metric("litellm_project_model_rate_limit_allowed_metric", **labels) == 25
    changed = gateway.http("POST", "/project/update", {"project_id": "p", "model_itpm_limit": {}}).json()
    assert changed["model_itpm_limit"] == {} and changed["model_otpm_limit"] == {"other": 25}
    eventually(lambda: gateway.chat("fast", key=key).status == 200, "the limit is gone")
