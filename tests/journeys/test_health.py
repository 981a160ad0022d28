"""Health is cheap and true: nothing is loaded or made to work for it, and a dead host keeps nobody waiting."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pointsman.core.nursery import Nursery
from pointsman.core.price import FREE
from pointsman.core.upstream import Deployment
from pointsman.providers.bedrock import AwsKeyring
from pointsman.providers.discovery import Discovery, Place
from pointsman.providers.health import Admittance, HealthSettings, HealthWatch
from pointsman.providers.tokens import TokenBook
from pointsman.providers.transport import Transport
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import Blackhole, FakeOllama, FakeOpenAI, OllamaModel
from tests.upstreams.reply import Reply

CHEAP = {"/api/version", "/api/tags", "/api/show", "/api/ps"}
QUICK_SECONDS = 0.2
"""The aim is 50 ms on a quiet machine."""


def entry(name: str, model: str, api_base: str, **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": model, "api_base": api_base, **params}}


def well_and_ill(gateway: Gateway, query: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of the deployments that are well, and of the others, by name."""
    reply = gateway.http("GET", f"/health{query}").json()
    return (
        {row["model_name"]: row for row in reply["healthy_endpoints"]},
        {row["model_name"]: row for row in reply["unhealthy_endpoints"]},
    )


class _Clock:
    """An hour passes in no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall(self) -> float:
        return 1_790_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now


async def test_an_hour_of_checks_makes_no_model_work() -> None:
    models = [OllamaModel("llama3.1:8b"), OllamaModel("nomic-embed-text", capabilities=("embedding",), family="bert")]
    nursery, clock = Nursery(lambda _name, _error: None), _Clock()
    with FakeOllama(models) as watched, FakeOllama(models) as configured:
        transport = Transport(nursery)
        book, keys = TokenBook(transport, nursery), AwsKeyring(_nobody, nursery)
        discovery = Discovery(transport, [Place(watched.url, "ollama", given=True)])
        health = HealthWatch(
            transport,
            Admittance(book, keys),
            hosts=discovery.found,
            settings=HealthSettings(background=True),
            clock=clock,
        )
        deployments = [_deployment(model.name, host.url) for model in models for host in (watched, configured)]
        for second in range(0, 3600, 60):
            clock.now = float(second)
            await discovery.scan()
            if second % 300 == 0:
                await health.round(deployments)
        verdicts = await health.verdicts(deployments, "me")
        assert [verdict.healthy for verdict in verdicts.values()] == [True] * 4
        assert watched.inference == [] and {request.path for request in watched.matching()} <= CHEAP
        assert {request.path for request in configured.matching()} == {"/api/tags"}
        assert len(configured.matching()) == 12, "once in five minutes, for both models"
        assert [model.loads for model in watched.models.values()] == [0, 0]
        transport.close()
    await nursery.close()


def test_checks_in_the_background_ask_for_lists_only(launch: Launch, ollama_upstream: FakeOllama) -> None:
    ollama_upstream.pull(OllamaModel("nomic-embed-text", capabilities=("embedding",), family="nomic-bert"))
    gateway = launch(
        {
            "model_list": [
                entry("chat", "ollama_chat/llama3.1:8b", ollama_upstream.url),
                entry("embed", "ollama/nomic-embed-text", ollama_upstream.url),
                entry("gone", "ollama_chat/never-pulled", ollama_upstream.url),
            ],
            "general_settings": {"background_health_checks": True, "health_check_interval": 0.02},
        }
    )
    ollama_upstream.wait_for(30, "/api/tags", timeout=60.0)
    assert {request.path for request in ollama_upstream.matching()} <= CHEAP
    well, ill = well_and_ill(gateway)
    assert well.keys() == {"chat", "embed"} and well["embed"]["mode"] == "embedding"
    assert ill["gone"]["hint"] == "Run: ollama pull never-pulled"
    offline = {row["id"]: row.get("status") for row in gateway.http("GET", "/v1/models").json()["data"]}
    assert offline == {"chat": None, "embed": None, "gone": "offline"}
    ollama_upstream.pull(OllamaModel("never-pulled:latest"))
    eventually(lambda: not well_and_ill(gateway)[1], "the pulled model is well", timeout=20.0)
    rows = gateway.http("GET", "/health/history?model=gone").json()["health_checks"]
    assert [(row["status"], row["checked_by"]) for row in rows] == [
        ("healthy", "background"), ("unhealthy", "background"),
    ]  # fmt: skip
    gateway.restart()
    again = gateway.http("GET", "/health/history?model=gone").json()["health_checks"]
    assert [row["health_check_id"] for row in again[-2:]] == [row["health_check_id"] for row in rows], "it is kept"


def test_a_black_hole_delays_neither_health_nor_the_list(launch: Launch, upstream: FakeOpenAI) -> None:
    with Blackhole() as hole:
        lost = [entry(f"lost-{number}", f"ollama_chat/m{number}", hole.url) for number in range(20)]
        gateway = launch({"model_list": [entry("m", "openai/fake-model", upstream.base_url, api_key="x"), *lost]})
        started = time.monotonic()
        well, ill = well_and_ill(gateway)
        assert time.monotonic() - started < 5.0
        assert well.keys() == {"m"} and len(ill) == 20
        assert ill["lost-0"]["hop"] == "connection"
        started = time.monotonic()
        rows = gateway.http("GET", "/v1/models").json()["data"]
        assert time.monotonic() - started < QUICK_SECONDS
        assert {row["id"] for row in rows if row.get("status") == "offline"} == ill.keys()
        assert {row["id"] for row in gateway.http("GET", "/v1/models?healthy_only=true").json()["data"]} == {"m"}
        assert gateway.http("GET", "/health?model=lost-3").status == 503
        assert gateway.http("GET", "/health?model=m").status == 200


def test_who_has_just_answered_is_not_asked(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [entry("m", "openai/fake-model", upstream.base_url, api_key="x")]})
    assert gateway.chat("m").status == 200
    upstream.forget()
    assert well_and_ill(gateway)[0]["m"]["source"] == "traffic"
    assert upstream.matching() == []


def test_a_test_is_one_real_call_and_is_paid_for(launch: Launch, upstream: FakeOpenAI) -> None:
    priced = entry("m", "openai/fake-model", upstream.base_url, api_key="x", input_cost_per_token=0.001)
    gateway = launch({"model_list": [priced]})
    told = gateway.http("POST", "/health/test_connection", {"litellm_params": {"model": "m"}}).json()
    assert told["status"] == "success" and told["result"]["time_to_first_token_ms"] > 0
    (call,) = upstream.inference
    assert call.json()["model"] == "fake-model"
    (row,) = gateway.http("GET", "/spend/logs").json()
    assert row["spend"] > 0 and row["api_base"] == upstream.base_url
    upstream.vanish()
    told = gateway.http("POST", "/health/test_connection", {"litellm_params": {"model": "m"}}).json()
    assert told["status"] == "error" and told["result"]["hint"]


def test_who_is_known_to_be_ill_is_left_out_where_there_is_another(launch: Launch, upstream: FakeOpenAI) -> None:
    with FakeOllama([]) as empty:
        both = [entry("m", "openai/fake-model", upstream.base_url, api_key="x"), entry("m", "ollama_chat/n", empty.url)]
        lone = entry("lone", "ollama_chat/n", empty.url)
        checks = {
            "background_health_checks": True, "health_check_interval": 0.05, "enable_health_check_routing": True,
        }  # fmt: skip
        gateway = launch({"model_list": [*both, lone], "general_settings": checks})
        eventually(lambda: len(well_and_ill(gateway)[1]) == 2, "both deployments on the empty host are ill")
        empty.forget()
        assert {gateway.chat("m").status for _ in range(20)} == {200}
        assert empty.matching("/api/chat") == [], "nobody else had to fail first"
        assert gateway.chat("lone").status == 404, "whoever is alone is asked all the same"
        assert len(empty.matching("/api/chat")) + len(empty.matching("/api/show")) > 0


def test_a_wildcard_is_looked_at_without_a_model(launch: Launch, upstream: FakeOpenAI) -> None:
    upstream.key = "sk-upstream-0123456789"
    good = entry("good/*", "openai/*", upstream.base_url, api_key=upstream.key)
    named = {**entry("named/*", "hosted_vllm/*", upstream.base_url, api_key=upstream.key)}
    named["model_info"] = {"health_check_model": "hosted_vllm/fake-model"}
    bad = entry("bad/*", "openai/*", upstream.base_url, api_key="sk-wrong-0123456789")
    gateway = launch({"model_list": [good, named, bad]})
    well, ill = well_and_ill(gateway)
    assert well.keys() == {"good/*", "named/*"} and ill["bad/*"]["hop"] == "credentials"
    assert upstream.inference == []


def test_how_a_deployment_does_is_in_the_metrics_in_its_info_and_in_the_ledger(
    launch: Launch, upstream: FakeOpenAI
) -> None:
    gateway = launch({"model_list": [entry("m", "openai/fake-model", upstream.base_url, api_key="x")]})
    assert gateway.chat("m", stream=True).status == 200
    upstream.script(Reply.error(400, "no"))
    assert gateway.chat("m").status == 400
    (row,) = gateway.http("GET", "/model/info").json()["data"]
    identity, found = row["model_info"]["id"], row["model_info"]["performance"]
    assert (found["in_flight"], found["state"]) == (0, "healthy")
    assert found["latency_seconds"] > 0 and found["time_to_first_token_seconds"] > 0
    assert gateway.metric("litellm_deployment_state", model_id=identity) == 0
    assert gateway.metric("pointsman_deployment_latency_seconds", model_id=identity) > 0
    assert gateway.metric("litellm_deployment_latency_per_output_token_count", model_id=identity) == 1
    (day,) = gateway.http("GET", "/model/metrics?_selected_model_group=m").json()["data"]
    assert day[f"fake-model-{upstream.base_url}"] > 0
    (failed,) = gateway.http("GET", "/model/metrics/exceptions").json()["data"]
    assert failed["total_exceptions"] == 1
    (base,) = gateway.http("GET", "/model/metrics/slow_responses").json()
    assert base == {"api_base": upstream.base_url, "total_count": 2, "slow_count": 0}


@pytest.mark.parametrize("mode", ["completion", "responses", "embedding", "moderation", "rerank"])
def test_each_kind_of_model_is_tested_in_its_own_way(shared: tuple[Gateway, FakeOpenAI], mode: str) -> None:
    gateway, upstream = shared
    body = {"litellm_params": {"model": "fast"}, "mode": mode}
    told = gateway.http("POST", "/health/test_connection", body).json()
    assert (told["status"], told["result"]["mode"]) == ("success", mode), told
    bodies = [request.json() for request in upstream.matching() if request.method == "POST"]
    assert [body["model"] for body in bodies if body] == ["fake-model"]


async def _nobody(_access: object) -> Any:
    raise AssertionError


def _deployment(model: str, api_base: str) -> Deployment:
    return Deployment(
        id=f"{api_base} {model}",
        group=model,
        provider="ollama",
        model=model,
        litellm_model=f"ollama/{model}",
        api_base=api_base,
        price=FREE,
    )
