"""Why requests go where they go, and rules about that: in headers and the ledger, dry over HTTP and in the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_reply, usage

PRICED = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}


def priced(name: str, upstream: FakeOpenAI, identity: str, factor: float = 1.0, **params: Any) -> dict[str, Any]:
    prices = {key: value * factor for key, value in PRICED.items()}
    return openai_entry(name, upstream, {"id": identity, **prices}, **params)


@pytest.fixture
def cloud() -> Iterator[FakeOpenAI]:
    """A second upstream."""
    with FakeOpenAI() as server:
        yield server


def pointsman(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pointsman", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def explain(gateway: Gateway, bearer: str | None = None, **body: Any) -> dict[str, Any]:
    answer = gateway.http("POST", "/routing/explain", body, key=bearer)
    assert answer.status == 200, answer.body
    told: dict[str, Any] = answer.json()
    return told


def test_the_way_is_told_in_the_answer_and_kept_in_the_ledger(
    launch: Launch, upstream: FakeOpenAI, cloud: FakeOpenAI
) -> None:
    upstream.always(Reply.error(500))
    entries = [
        openai_entry("pair", upstream, {"id": "bad"}),
        openai_entry("pair", cloud, {"id": "good"}),
        openai_entry("lone", cloud, {"id": "only"}),
    ]
    gateway = launch({"model_list": entries})
    assert gateway.chat("lone").headers["x-pointsman-route"] == "only;reason=only;attempts=1"
    routes = [gateway.chat("pair").headers["x-pointsman-route"] for _ in range(16)]
    assert any(route.startswith("good;reason=") and route.endswith(";attempts=2") for route in routes)
    rows = gateway.settled_ledger(17)
    (lone,) = [row for row in rows if row["model_group"] == "lone"]
    assert lone["metadata"]["routing"] is None
    retried = next(row for row in rows if row["metadata"]["attempts"] == 2)
    trace = retried["metadata"]["routing"]
    ((failed,),) = [trace["failed"]]
    assert (failed["deployment"], failed["milliseconds"] > 0) == ("bad", True) and failed["error"]
    assert upstream.base_url not in json.dumps(trace)


def test_a_request_is_explained_before_it_is_sent(launch: Launch, upstream: FakeOpenAI, cloud: FakeOpenAI) -> None:
    rule = {"name": "eu", "when": {"key": ["berlin"]}, "then": {"only": {"tags": ["eu"]}}}
    gateway = launch({
        "model_list": [priced("pair", upstream, "dear", 10), priced("pair", cloud, "cheap", tags=["eu"])],
        "router_settings": {"model_group_alias": {"short": "pair"}},
        "pointsman": {"routing_rules": [rule]},
    })  # fmt: skip
    key = gateway.new_key(key_alias="berlin", rpm_limit=3, max_budget=1.0)
    told = explain(gateway, model="short", key="berlin")
    assert (told["deployment"], told["group"], told["admitted"]) == ("cheap", "pair", True)
    assert [one["by"] for one in told["resolved"]] == ["alias", "exact"]
    assert {one["deployment"]: one["reason"] for one in told["candidates"]} == {"dear": "rule eu", "cheap": "only"}
    assert {one["name"]: one["left"] for one in told["limits"]} == {"budget_usd": 1.0, "requests_per_minute": 3}
    own = explain(gateway, key, model="short")
    assert own["deployment"] == "cheap" and own["candidates"][0]["api_base"] is None
    assert upstream.base_url not in json.dumps(own) and cloud.base_url not in json.dumps(own)
    assert gateway.http("POST", "/routing/explain", {"model": "short", "key": MASTER_KEY}, key=key).status == 403
    assert not upstream.inference and not cloud.inference, "nobody was asked"
    assert gateway.ledger() == []
    answer = gateway.chat("short", key=key)
    assert answer.headers["x-pointsman-route"] == "cheap;reason=only;attempts=1;rules=eu"
    assert explain(gateway, model="pair", key="berlin")["limits"][1]["left"] == 2, "only the real request was counted"
    gateway.http("POST", "/key/block", {"key": key})
    blocked = explain(gateway, model="pair", key="berlin")
    assert (blocked["admitted"], blocked["refusal"]["code"]) == (False, "key_blocked")


def test_the_command_line_asks_a_gateway_or_a_file(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream, {"id": "the-one"})]})
    asked = pointsman("explain", "--url", gateway.url, "--key", MASTER_KEY, "fast")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "the-one" in asked.stdout and "it would be sent" in asked.stdout
    request = gateway.directory / "request.json"
    request.write_text(json.dumps({"model": "nosuch", "messages": [{"role": "user", "content": "x"}]}))
    refused = pointsman("explain", "--config", str(gateway.config_file), "--json", str(request))
    assert refused.returncode == 1 and json.loads(refused.stdout)["refusal"]["code"] == "model_not_found"
    wrong = pointsman("explain", "--url", gateway.url, "--key", "sk-wrong-0123456789", "fast")
    assert wrong.returncode == 2 and "401" in wrong.stderr and "Traceback" not in wrong.stderr
    assert not upstream.inference


def test_a_key_near_the_end_of_its_budget_gets_the_cheaper_model(
    launch: Launch, upstream: FakeOpenAI, cloud: FakeOpenAI
) -> None:
    upstream.always(Reply.json(chat_reply("ok", usage(100_000, 0))))
    rule = {"name": "thrift", "when": {"model": ["large"], "budget_used_min": 0.9}, "then": {"model": "small"}}
    gateway = launch({
        "model_list": [priced("large", upstream, "large"), priced("small", cloud, "small", 0.01)],
        "pointsman": {"routing_rules": [rule]},
    })  # fmt: skip
    key = gateway.new_key(max_budget=0.105, models=["large"])
    first = gateway.chat("large", key=key, max_tokens=5)
    assert first.headers["x-pointsman-route"] == "large;reason=only;attempts=1"
    second = gateway.chat("large", key=key, max_tokens=5)
    assert second.headers["x-pointsman-route"] == "small;reason=only;attempts=1;rules=thrift"
    assert second.headers["x-litellm-model-group"] == "small"
    assert (len(upstream.inference), len(cloud.inference)) == (1, 1)


def test_easy_requests_go_to_the_small_model(launch: Launch, upstream: FakeOpenAI, cloud: FakeOpenAI) -> None:
    tiers = [{"upto_tokens": 100, "needs": [], "model": "small"}, {"model": "large"}]
    gateway = launch({
        "model_list": [openai_entry("large", upstream, {"id": "large"}), openai_entry("small", cloud, {"id": "small"})],
        "pointsman": {"routing_rules": [{"name": "auto", "when": {"model": ["auto"]}, "then": {"tiers": tiers}}]},
    })  # fmt: skip
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert gateway.chat("auto").headers["x-litellm-model-id"] == "small"
    assert gateway.chat("auto", "long " * 100).headers["x-litellm-model-id"] == "large"
    assert gateway.chat("auto", tools=tools).headers["x-litellm-model-id"] == "large"
    assert gateway.chat("large").headers["x-litellm-model-id"] == "large"
    assert (
        gateway.http(
            "POST", "/v1/messages", {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        ).headers["x-litellm-model-id"]
        == "small"
    )


def test_a_request_may_say_what_it_prefers_and_what_it_may_cost(
    launch: Launch, upstream: FakeOpenAI, cloud: FakeOpenAI
) -> None:
    gateway = launch({"model_list": [priced("pair", upstream, "dear", 10), priced("pair", cloud, "cheap")]})
    body = {"model": "pair", "messages": [{"role": "user", "content": "x"}], "max_tokens": 100}

    def sent(**headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return gateway.http("POST", "/v1/chat/completions", body, headers=named)

    for _ in range(6):
        assert sent(x_pointsman_prefer="cheap").headers["x-litellm-model-id"] == "cheap"
        assert sent(x_pointsman_max_cost="0.001").headers["x-litellm-model-id"] == "cheap"
    refused = sent(x_pointsman_max_cost="0.00001")
    assert (refused.status, refused.error["code"]) == (400, "max_cost_exceeded")
    assert "0.0002" in refused.error["message"], "what it would cost is told"
    assert sent(x_pointsman_prefer="tasty").status == 400
    assert sent(x_pointsman_max_cost="lots").error["param"] == "x-pointsman-max-cost"


def test_local_comes_first_and_the_cloud_when_it_would_have_to_be_waited_for(
    launch: Launch, ollama_upstream: FakeOllama, cloud: FakeOpenAI
) -> None:
    gate = Gate()
    rule = {"name": "near", "when": {"model": ["chat"]}, "then": {"overflow": {"to": "cloud", "wait_seconds": 0}}}
    gateway = launch({
        "model_list": [
            ollama_entry("chat", ollama_upstream, "llama3.1:8b", {"id": "home"}),
            ollama_entry("direct", ollama_upstream, "llama3.1:8b"),
            openai_entry("cloud", cloud, {"id": "cloud"}),
        ],
        "pointsman": {
            "routing_rules": [rule],
            "local_hosts": [{"api_base": ollama_upstream.url, "slots": 1}],
        },
    })  # fmt: skip
    # Nothing is loaded yet, and loading takes longer than the rule lets wait.
    eventually(lambda: explain(gateway, model="chat")["deployment"] == "cloud", "the host was looked at", timeout=10.0)
    assert gateway.chat("chat").headers["x-pointsman-route"] == "cloud;reason=only;attempts=1;rules=near,near:overflow"
    # And so it is loaded meanwhile, or nobody would ever be served there.
    eventually(lambda: explain(gateway, model="chat")["deployment"] == "home", "it is loaded", timeout=10.0)
    assert not ollama_upstream.matching("/api/chat") and ollama_upstream.matching("/api/generate")
    assert gateway.chat("chat").headers["x-pointsman-route"] == "home;reason=only;attempts=1;rules=near"
    said = {"model": "llama3.1:8b", "message": {"role": "assistant", "content": "Hi."}, "done": True}
    ollama_upstream.always(Reply.json(said).behind(gate))
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(gateway.chat, "chat")
        try:
            eventually(lambda: explain(gateway, model="chat")["deployment"] == "cloud", "its slot is taken")
            assert gateway.chat("chat").headers["x-litellm-model-id"] == "cloud"
        finally:
            gate.open()
        assert busy.result().headers["x-litellm-model-id"] == "home"


def test_what_a_rule_refuses_is_refused_in_the_operators_words(launch: Launch, upstream: FakeOpenAI) -> None:
    rule = {
        "name": "closed",
        "when": {"headers": {"x-app": ["crawler*"]}},
        "then": {"refuse": "Crawlers are not served."},
    }
    gateway = launch({"model_list": [openai_entry("fast", upstream)], "pointsman": {"routing_rules": [rule]}})
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
    answer = gateway.http("POST", "/v1/chat/completions", body, headers={"x-app": "crawler-7"})
    assert (answer.status, answer.error["code"]) == (403, "refused_by_rule")
    assert answer.error["message"].startswith("Crawlers are not served.")
    assert gateway.chat("fast").status == 200 and len(upstream.inference) == 1


def test_rules_are_reloaded_and_broken_ones_refused(launch: Launch, upstream: FakeOpenAI) -> None:
    config: dict[str, Any] = {"model_list": [openai_entry("fast", upstream)]}
    gateway = launch(config)
    rules = [{"name": "shut", "then": {"refuse": "Closed for today."}}]
    gateway.write_config({**config, "pointsman": {"routing_rules": rules}})
    eventually(lambda: gateway.chat("fast").status == 403, "the rule is in force", timeout=10.0)
    gateway.write_config(
        {
            **config,
            "pointsman": {"routing_rules": [{"name": "x", "when": {"modell": ["a"]}, "then": {"model": "nosuch"}}]},
        }
    )
    eventually(lambda: "modell" in gateway.output(), "the broken rules are told", timeout=10.0)
    assert "no such model is served" in gateway.output()
    assert gateway.chat("fast").status == 403, "the former ones stay"
