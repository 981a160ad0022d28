"""Several deployments behind one name: order, tags, teams, limits and strategies decide who answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_reply, usage

Fleet = dict[str, FakeOpenAI]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Three upstreams, each answering with its own name."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(FakeOpenAI()) for name in "abc"}
        for name, server in servers.items():
            server.pieces = (name,)
        yield servers


def entry(model: str, server: FakeOpenAI, info: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    return openai_entry(model, server, info, **params)


def who(gateway: Gateway, model: str, **more: Any) -> str:
    """Which upstream answered, or the status of an error."""
    headers, key = more.pop("headers", None), more.pop("key", None)
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    answer = gateway.http("POST", "/v1/chat/completions", body, key=key, headers=headers)
    if answer.status != 200:
        return str(answer.status)
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def test_order_and_a_strategy_for_each_group(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    gateway = launch({
        "model_list": [
            entry("tiers", b, order=2), entry("tiers", a, order=1), entry("tiers", c),
            entry("turns", a), entry("turns", b), entry("turns", c, weight=1),
            entry("cheap", a, input_cost_per_token=0.01, output_cost_per_token=0.01),
            entry("cheap", b, input_cost_per_token=0.001, output_cost_per_token=0.001),
        ],
        "router_settings": {
            "routing_strategy": "least-busy",
            "routing_groups": [
                {"group_name": "one", "models": ["turns"], "routing_strategy": "round-robin"},
                {"group_name": "two", "models": ["cheap"], "routing_strategy": "cost-based-routing"},
            ],
        },
    })  # fmt: skip
    assert {who(gateway, "tiers") for _ in range(6)} == {"a"}
    assert {who(gateway, "cheap") for _ in range(6)} == {"b"}
    assert Counter(who(gateway, "turns") for _ in range(6)) == {"c": 6}, "a weight for one is none for the others"
    a.always(Reply.error(500, "broken"))
    assert {who(gateway, "tiers") for _ in range(6)} == {"b"}


def test_each_in_its_turn(launch: Launch, fleet: Fleet) -> None:
    gateway = launch(
        {
            "model_list": [entry("m", server) for server in fleet.values()],
            "router_settings": {"routing_strategy": "round-robin"},
        }
    )
    assert [who(gateway, "m") for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_the_least_busy_takes_the_next_one(launch: Launch, fleet: Fleet) -> None:
    a, b, _ = fleet.values()
    gateway = launch(
        {
            "model_list": [entry("m", a), entry("m", b)],
            "router_settings": {"routing_strategy": "least-busy"},
        }
    )
    gate = Gate()
    a.always(Reply.json(chat_reply("a", usage(1, 1))).behind(gate))
    b.always(Reply.json(chat_reply("b", usage(1, 1))).behind(gate))
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

    def under_way(count: int) -> bool:
        return len(a.inference) + len(b.inference) == count

    with ExitStack() as stack:
        for count in range(1, 5):
            stack.enter_context(gateway.stream("/v1/chat/completions", body))
            eventually(partial(under_way, count), f"{count} are under way")
        assert (len(a.inference), len(b.inference)) == (2, 2)
        gate.open()


def test_what_a_client_calls_itself_counts_as_a_tag(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    code = {"user-agent": "claude-code/2.1.7 (external, cli)"}
    gateway = launch({
        "model_list": [
            entry("m", a, tag_regex=["^User-Agent: claude-code/"]), entry("m", b, tags=["paid"]),
            entry("m", c, tags=["default"]),
            entry("lone", a, tag_regex=["^User-Agent: claude-code/"], tags=["eu"]),
            entry("lone", b, tags=["us", "big"]),
        ],
        "router_settings": {"enable_tag_filtering": True},
    })  # fmt: skip
    assert who(gateway, "m", headers=code) == "a"
    assert who(gateway, "m", headers={"user-agent": "curl/8 claude-code/"}) == "c"
    assert who(gateway, "m", tags=["paid"]) == "b"
    assert who(gateway, "lone", tags=["&us", "&big"], headers=code) == "b"
    assert who(gateway, "lone", tags=["&us", "&eu"]) == "401"
    told = gateway.http("POST", "/routing/explain", {"model": "m", "headers": code}).json()
    assert [one["kept"] for one in told["candidates"]] == [True, False, False]


def test_only_tags_with_the_prefix_route(launch: Launch, fleet: Fleet) -> None:
    a, b, _ = fleet.values()
    gateway = launch({
        "model_list": [entry("m", a, tags=["free"]), entry("m", b, tags=["default", "paid"])],
        "router_settings": {"enable_tag_filtering": True, "tag_routing_prefix": "route:"},
    })  # fmt: skip
    assert who(gateway, "m", tags=["free"]) == "b", "a label for reports is none for routing"
    assert who(gateway, "m", tags=["route:free", "team-7"]) == "a"
    assert who(gateway, "m", key=gateway.new_key(metadata={"tags": ["free"]})) == "a"


def test_a_request_stays_in_its_region(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    gateway = launch({
        "model_list": [
            entry("m", a, region_name="eu"), entry("m", b, region_name="us"), entry("m", c),
            entry("lone", b, region_name="us"), entry("broken", a, region_name="eu"),
        ],
        "router_settings": {"enable_pre_call_checks": True, "fallbacks": [{"broken": ["lone", "m"]}], "num_retries": 0},
    })  # fmt: skip
    assert {who(gateway, "m", allowed_model_region="eu") for _ in range(6)} == {"a"}
    assert "allowed_model_region" not in a.inference[-1].json()
    assert who(gateway, "lone", allowed_model_region="us") == "b"
    refused = gateway.chat("lone", allowed_model_region="eu")
    assert (refused.status, refused.json()["error"]["code"]) == (400, "no_deployment_in_region")
    a.script(Reply.error(500, "broken"))
    assert who(gateway, "broken", allowed_model_region="eu") == "a", "what stands in is there, too"


def test_a_customer_is_served_in_its_region(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    mirrored = {"model": "m", "mirror": {"model": "copy", "percent": 100}}
    gateway = launch({
        "model_list": [
            entry("m", a, region_name="eu"), entry("m", b, region_name="us"), entry("m", c),
            entry("lone", b, region_name="us"), entry("safe", a, region_name="eu"), entry("copy", c),
        ],
        "router_settings": {"fallbacks": [{"safe": ["lone"]}], "num_retries": 0},
        "pointsman": {"traffic": [mirrored]},
    })  # fmt: skip
    for made in ({"user_id": "strict", "allowed_model_region": "eu"},
                 {"user_id": "kind", "allowed_model_region": "eu", "default_model": "safe"}):  # fmt: skip
        assert gateway.http("POST", "/customer/new", made).status == 200
    assert {who(gateway, "m", user="strict") for _ in range(8)} == {"a"}
    assert who(gateway, "lone") == "b"
    assert who(gateway, "m", user="strict", allowed_model_region="us") == "403", "it cannot be talked out of it"
    refused = gateway.chat("lone", user="strict")
    assert (refused.status, refused.json()["error"]["code"]) == (400, "no_deployment_in_region")
    assert who(gateway, "lone", user="kind") == "a", "the default model stands in"
    assert who(gateway, "lone", user="kind", key=gateway.new_key(models=["lone"])) == "403", "if the key may use it"
    a.script(Reply.error(500, "broken"))
    assert who(gateway, "safe", user="strict") == "502", "what stands in is of the region, too"
    assert not c.inference, "nor is a copy sent elsewhere"


def test_tags_of_the_body_of_headers_and_of_keys(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    gateway = launch({
        "model_list": [
            entry("m", a, tags=["free"]), entry("m", b, tags=["paid"]), entry("m", c, tags=["default"]),
            entry("strict", a, tags=["free"]),
        ],
        "router_settings": {"enable_tag_filtering": True},
    })  # fmt: skip
    assert who(gateway, "m", tags=["free"]) == "a"
    assert who(gateway, "m", metadata={"tags": ["paid"], "of": "mine"}) == "b"
    assert b.inference[-1].json()["metadata"] == {"of": "mine"}, "the tags are ours, the rest is the upstream's"
    assert who(gateway, "m", litellm_metadata={"tags": ["paid"]}) == "b"
    assert who(gateway, "m", headers={"x-litellm-tags": "paid, other"}) == "b"
    assert who(gateway, "m") == who(gateway, "m", tags=["none has it"]) == "c"
    assert who(gateway, "m", tags=["!default", "!free"]) == "b"
    assert who(gateway, "m", key=gateway.new_key(tags=["free"])) == "a"
    refused = gateway.chat("strict", tags=["paid"])
    assert refused.status == 401
    assert refused.error["message"].startswith("Not allowed to access model due to tags configuration")


def test_teams_and_access_groups_have_their_own(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    gateway = launch({
        "model_list": [
            entry("m", a, {"team_id": "red"}), entry("m", b),
            entry("reds", a, {"team_id": "red"}),
            entry("mixed", a, {"access_groups": ["x"]}), entry("mixed", c, {"access_groups": ["y"]}),
        ],
        "router_settings": {"routing_strategy": "round-robin"},
    })  # fmt: skip
    red, blue = gateway.new_key(team_id="red"), gateway.new_key(team_id="blue")
    assert {who(gateway, "m", key=red) for _ in range(4)} == {"a", "b"}
    assert {who(gateway, "m", key=blue) for _ in range(4)} == {"b"}
    assert (who(gateway, "reds", key=red), who(gateway, "reds", key=blue)) == ("a", "403")
    listed = gateway.http("GET", "/v1/models", key=blue).json()["data"]
    assert {row["id"] for row in listed} == {"m", "mixed"}
    assert {who(gateway, "mixed", key=gateway.new_key(models=["x"])) for _ in range(4)} == {"a"}
    assert {who(gateway, "mixed", key=gateway.new_key(models=["y"])) for _ in range(4)} == {"c"}
    assert {who(gateway, "mixed", key=gateway.new_key(models=["mixed"])) for _ in range(4)} == {"a", "c"}


def test_limits_of_deployments(launch: Launch, fleet: Fleet) -> None:
    a, b, _ = fleet.values()
    gateway = launch({
        "model_list": [
            entry("m", a, rpm=2), entry("m", b, rpm=3),
            entry("small", a, {"max_input_tokens": 20}), entry("small", b, {"max_input_tokens": 30}),
        ],
        "router_settings": {
            "routing_strategy": "usage-based-routing-v2", "enable_pre_call_checks": True, "num_retries": 0,
        },
    })  # fmt: skip
    assert Counter(who(gateway, "m") for _ in range(5)) == {"a": 2, "b": 3}
    refused = gateway.chat("m")
    assert (refused.status, refused.error["code"]) == (429, "no_deployments_available")
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    long = gateway.chat("small", "word " * 400)
    assert (long.status, long.error["code"]) == (400, "context_length_exceeded")
    assert "30 tokens" in long.error["message"]


def test_a_session_stays_at_its_deployment(launch: Launch, fleet: Fleet) -> None:
    gateway = launch(
        {
            "model_list": [entry("m", server) for server in fleet.values()],
            "router_settings": {"routing_strategy": "round-robin", "optional_pre_call_checks": ["session_affinity"]},
        }
    )
    here = who(gateway, "m", litellm_session_id="s1")
    for _ in range(3):
        who(gateway, "m")
        assert who(gateway, "m", litellm_session_id="s1") == here
        assert who(gateway, "m", headers={"x-litellm-session-id": "s1"}) == here
        assert who(gateway, "m", metadata={"session_id": "s1"}) == here
    assert {who(gateway, "m", litellm_session_id=str(number)) for number in range(6)} == {"a", "b", "c"}


def test_entries_of_one_wildcard_take_turns(launch: Launch, fleet: Fleet) -> None:
    gateway = launch(
        {
            "model_list": [
                {
                    "model_name": "wild/*",
                    "litellm_params": {"model": "openai/*", "api_base": one.base_url, "api_key": "k"},
                }
                for one in fleet.values()
            ],
            "router_settings": {"routing_strategy": "round-robin"},
        }
    )
    assert [who(gateway, "wild/x") for _ in range(3)] == ["a", "b", "c"]
    assert [who(gateway, "wild/y") for _ in range(3)] == ["a", "b", "c"]
    a, _, _ = fleet.values()
    assert {request.json()["model"] for request in a.inference} == {"x", "y"}


def test_where_nobody_of_a_group_will_do_another_model_stands_in(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    gateway = launch({
        "model_list": [
            entry("short", a, {"max_input_tokens": 20}), entry("long", b),
            entry("tagged", a, tags=["slow"]), entry("other", c, tags=["fast"]),
        ],
        "router_settings": {
            "enable_pre_call_checks": True, "enable_tag_filtering": True,
            "context_window_fallbacks": [{"short": ["long"]}], "fallbacks": [{"tagged": ["other"]}],
        },
    })  # fmt: skip
    assert who(gateway, "short", messages=[{"role": "user", "content": "word " * 400}]) == "b"
    assert who(gateway, "tagged", tags=["!slow"]) == "c"


def test_a_client_cannot_reach_what_is_not_for_its_key_by_naming_a_fallback(launch: Launch, fleet: Fleet) -> None:
    a, b, c = fleet.values()
    gateway = launch({
        "model_list": [
            entry("m", a), entry("mixed", b, {"access_groups": ["x"]}), entry("mixed", c, {"access_groups": ["y"]}),
        ],
        "router_settings": {"routing_strategy": "round-robin", "num_retries": 0},
    })  # fmt: skip
    a.always(Reply.error(500, "broken"))
    key = gateway.new_key(models=["m", "x"])
    assert {who(gateway, "m", fallbacks=["mixed"], key=key) for _ in range(4)} == {"b"}


def test_what_is_said_of_few_deployments(launch: Launch, fleet: Fleet) -> None:
    a, b, _ = fleet.values()
    gateway = launch({
        "model_list": [
            entry(
                "m", a,
                silent_model="shadow", provider_affinity_header="x-session", timeout_by_service_tier={"flex": 0.2},
            ),
            entry("shadow", b, {"discoverable": False}),
            entry("elsewhere", b, {"supported_environments": ["production"]}),
        ],
        "router_settings": {"num_retries": 0},
    })  # fmt: skip
    assert who(gateway, "m", metadata={"session_id": "s-1"}) == "a"
    assert a.inference[-1].header("x-session") == "s-1"
    eventually(lambda: len(b.inference) == 1, "the silent model has a copy")
    key = gateway.new_key()
    listed = [one["id"] for one in gateway.http("GET", "/v1/models", key=key).json()["data"]]
    assert listed == ["m"] and who(gateway, "shadow", key=key) == "b"
    answer = gateway.chat("elsewhere", key=key)
    assert answer.status == 400 and "LITELLM_ENVIRONMENT" in str(answer.json())
    a.always(Reply.json(chat_reply("a", usage(1, 1))).behind(Gate()))
    assert who(gateway, "m", service_tier="flex") in {"408", "504"}


def test_what_each_key_may_do_and_what_a_team_calls_its_model(launch: Launch, fleet: Fleet) -> None:
    a, b, _ = fleet.values()
    named = {"team_id": "t1", "team_public_model_name": "ours"}
    gateway = launch({
        "model_list": [
            entry("m", a, default_api_key_rpm_limit=2), entry("m", a, default_api_key_rpm_limit=5),
            entry("model_name_t1_x", b, named),
        ],
    })  # fmt: skip
    for key in (gateway.new_key(), gateway.new_key()):
        assert [who(gateway, "m", key=key) for _ in range(3)] == ["a", "a", "429"]
    own = gateway.new_key(model_rpm_limit={"m": 1})
    assert [who(gateway, "m", key=own) for _ in range(2)] == ["a", "429"]
    assert [who(gateway, "m") for _ in range(4)] == ["a"] * 4, "the operator is no key"
    gateway.http("POST", "/team/new", {"team_id": "t1"})
    key = gateway.new_key(team_id="t1")
    assert who(gateway, "ours", key=key) == "b" and who(gateway, "ours", key=own) == "403"
