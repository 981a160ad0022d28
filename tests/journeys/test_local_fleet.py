"""Several local servers are one: each request goes where its model is loaded, and a server that dies slows nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.configs import ollama_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import Blackhole, FakeOllama, OllamaModel

QUICK_SECONDS = 0.2
"""The aim is 50 ms on a quiet machine."""


@pytest.fixture
def two() -> Iterator[tuple[FakeOllama, FakeOllama]]:
    """Both have both models; the first has ``alpha`` loaded, the second ``beta``."""
    names = ("alpha:1b", "beta:1b")
    with FakeOllama(map(OllamaModel, names)) as one, FakeOllama(map(OllamaModel, names)) as other:
        one.models["alpha:1b"].loaded_context = other.models["beta:1b"].loaded_context = 4096
        yield one, other


def configured(*servers: FakeOllama) -> dict[str, Any]:
    return {"model_list": [ollama_entry(name, server, name) for server in servers for name in ("alpha:1b", "beta:1b")]}


def served(server: FakeOllama) -> set[str]:
    return {request.json()["model"] for request in server.inference}


def loads(*servers: FakeOllama) -> int:
    return sum(model.loads for server in servers for model in server.models.values())


def hosts(gateway: Gateway) -> dict[str, dict[str, Any]]:
    return {row["url"]: row for row in gateway.http("GET", "/queue").json()["hosts"]}


@pytest.mark.parametrize("discovered", [True, False])
def test_each_request_goes_where_its_model_is_loaded(
    launch: Launch, two: tuple[FakeOllama, FakeOllama], discovered: bool
) -> None:
    one, other = two
    gateway = (
        launch(args=["--ollama", one.url, "--ollama", other.url]) if discovered else launch(configured(one, other))
    )
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: gateway.chat(("alpha:1b", "beta:1b")[number % 2]), range(100)))
    assert {answer.status for answer in answers} == {200}
    assert (served(one), served(other)) == ({"alpha:1b"}, {"beta:1b"})
    assert (len(one.inference), len(other.inference)) == (50, 50)
    assert loads(one, other) == 0


def test_when_the_host_is_gone_another_serves_its_model(launch: Launch, two: tuple[FakeOllama, FakeOllama]) -> None:
    one, other = two
    gateway = launch(configured(one, other))
    assert gateway.chat("alpha:1b").status == 200
    one.vanish()
    started = time.monotonic()
    assert [gateway.chat("alpha:1b").status for _ in range(5)] == [200] * 5
    assert time.monotonic() - started < 3.0
    assert served(other) == {"alpha:1b"}
    assert not hosts(gateway)[one.url]["online"]
    one.models["alpha:1b"].loaded_context = 4096
    one.come_back()
    eventually(lambda: hosts(gateway)[one.url]["online"], "the host is back", timeout=10.0)


def test_what_traffic_loads_is_known_at_once(launch: Launch, two: tuple[FakeOllama, FakeOllama]) -> None:
    one, other = two
    for server in two:
        server.pull(OllamaModel("gamma:1b"))
    gateway = launch(args=["--ollama", one.url, "--ollama", other.url])
    assert {gateway.chat("gamma:1b").status for _ in range(10)} == {200}
    assert sorted((len(one.inference), len(other.inference))) == [0, 10]
    assert loads(one, other) == 1


def test_what_others_load_is_seen(launch: Launch, two: tuple[FakeOllama, FakeOllama]) -> None:
    one, other = two
    gateway = launch(configured(one, other))
    assert hosts(gateway)[one.url]["loaded"] == ["alpha:1b"]
    one.models["alpha:1b"].loaded_context = None
    one.models["beta:1b"].loaded_context = 4096
    eventually(lambda: hosts(gateway)[one.url]["loaded"] == ["beta:1b"], "the change is seen", timeout=8.0)


def test_a_black_hole_among_the_hosts_slows_nobody(launch: Launch, two: tuple[FakeOllama, FakeOllama]) -> None:
    one, _ = two
    with Blackhole() as hole:
        config = configured(one)
        config["model_list"] += [ollama_entry(name, hole.url, name) for name in ("alpha:1b", "beta:1b")]
        gateway = launch(config)
        eventually(lambda: not hosts(gateway)[hole.url]["online"], "the hole is known for one", timeout=10.0)
        for path in ("/v1/models", "/api/tags", "/queue"):
            started = time.monotonic()
            assert gateway.http("GET", path).status == 200
            assert time.monotonic() - started < QUICK_SECONDS
        started = time.monotonic()
        assert {gateway.chat(name).status for name in ("alpha:1b", "beta:1b") * 5} == {200}
        assert time.monotonic() - started < 2.0, "nobody waits for a connection"


def test_a_host_that_nobody_asks_is_asked_nothing(launch: Launch, two: tuple[FakeOllama, FakeOllama]) -> None:
    one, _ = two
    gateway = launch(configured(one))
    one.wait_for(1, "/api/ps")
    one.forget()
    time.sleep(4.0)
    assert one.matching("/api/ps") == []
    assert gateway.chat("alpha:1b").status == 200
    one.wait_for(1, "/api/ps", timeout=6.0)


def test_models_of_a_host_that_went_away_stay_listed_and_are_marked(
    launch: Launch, two: tuple[FakeOllama, FakeOllama]
) -> None:
    one, other = two
    other.pull(OllamaModel("only-here:1b"))
    gateway = launch(args=["--ollama", one.url, "--ollama", other.url])
    other.vanish()
    eventually(lambda: not hosts(gateway)[other.url]["online"], "the outage is seen", timeout=15.0)
    listed = {row["id"] for row in gateway.http("GET", "/v1/models").json()["data"]}
    assert {"alpha:1b", "beta:1b", "only-here:1b"} <= listed
    unhealthy = {row["model_name"] for row in gateway.http("GET", "/health").json()["unhealthy_endpoints"]}
    eventually(
        lambda: (
            "only-here:1b"
            in {row["model_name"] for row in gateway.http("GET", "/health").json()["unhealthy_endpoints"]}
        ),
        f"it is marked, unlike in {unhealthy}",
        timeout=15.0,
    )
    assert gateway.chat("only-here:1b").status == 503
    assert gateway.chat("beta:1b").status == 200


def test_listed_hosts_are_found_and_have_their_settings(launch: Launch, two: tuple[FakeOllama, FakeOllama]) -> None:
    one, other = two
    first = {"api_base": one.url, "slots": 2, "queue_max": 7, "provider": "ollama_chat"}
    said = [first, {"api_base": f"{other.url}/v1", "provider": "ollama"}]
    gateway = launch({"pointsman": {"local_hosts": said}})
    assert {"alpha:1b", "beta:1b"} <= {row["id"] for row in gateway.http("GET", "/v1/models").json()["data"]}
    rows = hosts(gateway)
    assert (rows[one.url]["slots"], rows[one.url]["queue_max"], rows[one.url]["kind"]) == (2, 7, "ollama")
    assert rows[other.url]["slots"] == 8
    first["slots"] = 5
    gateway.write_config({"pointsman": {"local_hosts": said}})
    eventually(lambda: hosts(gateway)[one.url]["slots"] == 5, "a change of the file is taken over", timeout=10.0)


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/create"), ("POST", "/api/push"), ("POST", "/api/pull")])
def test_nobody_manages_models_through_the_gateway_unasked(
    launch: Launch, two: tuple[FakeOllama, FakeOllama], method: str, path: str
) -> None:
    gateway = launch(args=["--ollama", two[0].url])
    key = gateway.new_key()
    assert gateway.http(method, path, {"model": "x"}, key=key).status == 403
    assert gateway.http("POST", "/api/chat", {"model": "alpha:1b", "messages": [], "stream": False}).status == 200
