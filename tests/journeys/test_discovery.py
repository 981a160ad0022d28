"""Local servers are found without a config, new models appear by themselves, and a dead host stalls nobody."""

from __future__ import annotations

import time
from typing import Any

from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import Blackhole, FakeOllama, FakeOpenAI, OllamaModel

QUICK_SECONDS = 0.2
"""The aim is 50 ms on a quiet machine."""


def names(gateway: Gateway) -> set[str]:
    return {row["id"] for row in models(gateway)}


def models(gateway: Gateway) -> list[dict[str, Any]]:
    started = time.monotonic()
    answer = gateway.http("GET", "/v1/models")
    assert time.monotonic() - started < QUICK_SECONDS, "the list comes from memory"
    assert answer.status == 200
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def test_the_models_of_two_hosts_are_listed_and_served(launch: Launch) -> None:
    with FakeOllama([OllamaModel("alpha:1b")]) as first, FakeOllama([OllamaModel("beta:1b")]) as second:
        gateway = launch(args=["--ollama", first.url, "--ollama", second.url])
        assert {"alpha:1b", "beta:1b"} <= names(gateway)
        assert gateway.chat("alpha:1b").status == 200
        assert gateway.chat("beta:1b").status == 200
        assert (len(first.inference), len(second.inference)) == (1, 1)
        assert gateway.http("GET", "/v1/models/alpha:1b").json()["id"] == "alpha:1b"
        assert gateway.http("GET", "/v1/models/nobody:1b").status == 404


def test_a_pulled_model_appears_within_ten_seconds(launch: Launch, ollama_upstream: FakeOllama) -> None:
    gateway = launch(args=["--ollama", ollama_upstream.url])
    ollama_upstream.pull(OllamaModel("fresh:1b"))
    eventually(lambda: "fresh:1b" in names(gateway), "the new model is listed", timeout=10.0)
    assert gateway.chat("fresh:1b").status == 200


def test_a_server_that_starts_later_is_found_within_ten_seconds(launch: Launch, ollama_upstream: FakeOllama) -> None:
    ollama_upstream.vanish()
    gateway = launch(args=["--ollama", ollama_upstream.url])
    assert names(gateway) == set()
    assert "ollama" in gateway.output().lower()
    ollama_upstream.come_back()
    eventually(lambda: "llama3.1:8b" in names(gateway), "the server's model is listed", timeout=10.0)
    assert gateway.chat("llama3.1:8b").status == 200


def test_a_host_that_swallows_packets_stalls_neither_the_start_nor_the_list(
    launch: Launch, ollama_upstream: FakeOllama
) -> None:
    with Blackhole() as hole:
        gateway = launch(args=["--ollama", ollama_upstream.url, "--ollama", hole.url])
        assert gateway.ready_seconds < 5.0
        eventually(lambda: "llama3.1:8b" in names(gateway), "the living host's model is listed")
        assert gateway.chat("llama3.1:8b").status == 200


def test_a_host_that_dies_leaves_its_models_listed_and_named_in_the_error(launch: Launch) -> None:
    with FakeOllama([OllamaModel("alpha:1b")]) as first, FakeOllama([OllamaModel("beta:1b")]) as second:
        gateway = launch(args=["--ollama", first.url, "--ollama", second.url])
        second.vanish()
        answer = gateway.chat("beta:1b")
        assert answer.status == 503
        assert f"127.0.0.1:{second.port}" in answer.error["message"]
        assert gateway.chat("alpha:1b").status == 200
        models(gateway)


def test_discovery_makes_no_model_work(launch: Launch, ollama_upstream: FakeOllama) -> None:
    gateway = launch(args=["--ollama", ollama_upstream.url])
    for path in ("/health", "/health/readiness", "/v1/models"):
        assert gateway.http("GET", path).status == 200
    assert ollama_upstream.inference == []
    paths = {request.path for request in ollama_upstream.matching()}
    assert paths <= {"/", "/api/version", "/api/tags", "/api/show", "/api/ps", "/v1/models"}


def test_the_banner_tells_context_and_capabilities(launch: Launch, ollama_upstream: FakeOllama) -> None:
    gateway = launch(args=["--ollama", ollama_upstream.url])
    shown = eventually(lambda: gateway.output() if "llama3.1:8b" in gateway.output() else "", "the table of models")
    assert "tools" in shown
    assert "32" in shown
    assert f":{gateway.port}" in shown


def test_an_openai_compatible_server_is_found_by_its_api_base(launch: Launch, upstream: FakeOpenAI) -> None:
    """Without discovery: a wildcard entry serves what the server has."""
    upstream.models = ["one-model", "other-model"]
    entry = {
        "model_name": "local/*",
        "litellm_params": {"model": "openai/*", "api_base": upstream.base_url, "api_key": "none"},
    }
    gateway = launch({"model_list": [entry]})
    assert gateway.chat("local/one-model").status == 200
    assert upstream.inference[0].json()["model"] == "one-model"
