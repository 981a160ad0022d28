"""A local server is sent only as much as it works on at once; who waits is served fairly, and leaves no trace."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.configs import ollama_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, Gate, OllamaModel, Reply, Turn, faults
from tests.upstreams.reply import Hold, Send, head

MESSAGES = [{"role": "user", "content": "one two three"}]
CHAT = "/v1/chat/completions"


def chat_config(ollama: FakeOllama, models: str = "abc", **host: Any) -> dict[str, Any]:
    entries = [ollama_entry(f"model-{name}", ollama, f"{name}:1b") for name in models]
    return {"model_list": entries, "pointsman": {"local_hosts": [{"api_base": ollama.url, "slots": 1, **host}]}}


@pytest.fixture
def host() -> Iterator[FakeOllama]:
    with FakeOllama([OllamaModel(f"{name}:1b") for name in "abc"]) as server:
        yield server


def held(gate: Gate) -> Reply:
    """An answer that comes when the gate is opened."""
    body = b'{"model":"a:1b","message":{"role":"assistant","content":"Held."},"done":true,"done_reason":"stop"}\n'
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return Reply((Hold(gate), Send(head(200, fields) + body)), "held")


def queue_of(gateway: Gateway, key: str | None = None) -> dict[str, Any]:
    answer = gateway.http("GET", "/queue", key=key)
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def waits(gateway: Gateway, count: int) -> None:
    eventually(lambda: queue_of(gateway)["waiting"] == count, f"{count} requests wait")


def asked(host: FakeOllama) -> list[str]:
    return [request.json()["model"][0] for request in host.matching("/api/chat")]


class Callers:
    """Sends requests, each from a thread of its own, one after the other has been heard of."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.pool = ThreadPoolExecutor(80)
        self.waiting = 0

    def call(self, model: str, key: str | None = None, **more: Any) -> Any:
        body = {"model": f"model-{model}", "messages": MESSAGES, **more}
        return self.pool.submit(lambda: self.gateway.http("POST", CHAT, body, key=key))

    def line_up(self, model: str, key: str | None = None, **more: Any) -> Any:
        """The same, and wait until it waits."""
        future = self.call(model, key, **more)
        self.waiting += 1
        waits(self.gateway, self.waiting)
        return future


def test_one_slot_serves_the_loaded_model_first(launch: Launch, host: FakeOllama) -> None:
    gateway, gate = launch(chat_config(host)), Gate()
    host.script(held(gate))
    callers = Callers(gateway)
    futures = [callers.call("a")]
    host.wait_for(1, "/api/chat")
    futures += [callers.line_up(model) for model in "baacab"]
    gate.open()
    assert [future.result(10).status for future in futures] == [200] * 7
    assert asked(host) == list("aaaabbc")


def test_nobody_is_passed_over_for_longer_than_the_operator_says(launch: Launch, host: FakeOllama) -> None:
    config = chat_config(host)
    config["pointsman"]["queue_max_group_wait_seconds"] = 0
    gateway, gate = launch(config), Gate()
    host.script(held(gate))
    callers = Callers(gateway)
    futures = [callers.call("a")]
    host.wait_for(1, "/api/chat")
    futures += [callers.line_up(model) for model in "baacab"]
    gate.open()
    assert [future.result(10).status for future in futures] == [200] * 7
    assert asked(host) != list("aaaabbc")
    assert asked(host)[1] == "b"


def test_a_person_goes_before_a_night_of_batch_work(launch: Launch, host: FakeOllama) -> None:
    gateway, gate = launch(chat_config(host)), Gate()
    nightly = gateway.new_key(metadata={"batch": True}, key_alias="nightly")
    person = gateway.new_key(key_alias="person")
    host.script(held(gate))
    callers = Callers(gateway)
    futures = [callers.call("a", nightly)]
    host.wait_for(1, "/api/chat")
    futures += [callers.call("a", nightly, user="nightly") for _ in range(50)]
    waits(gateway, 50)
    futures.append(callers.call("a", person, messages=[{"role": "user", "content": "person"}]))
    waits(gateway, 51)
    rows = {row["key_alias"]: row["waiting"] for row in queue_of(gateway)["hosts"][0]["keys"]}
    assert rows == {"nightly": 50, "person": 1}
    gate.open()
    assert {future.result(20).status for future in futures} == {200}
    said = [request.json()["messages"][0]["content"] for request in host.matching("/api/chat")]
    assert said.index("person") == 1


def test_a_full_queue_says_so_and_when_to_come_back(launch: Launch, host: FakeOllama) -> None:
    gateway, gate = launch(chat_config(host, queue_max=2)), Gate()
    host.script(held(gate))
    callers = Callers(gateway)
    futures = [callers.call("a")]
    host.wait_for(1, "/api/chat")
    futures += [callers.line_up("a"), callers.line_up("b")]
    answer = gateway.chat("model-a")
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.error["code"] == "queue_full"
    assert "number 3" in answer.error["message"]
    gate.open()
    assert {future.result(10).status for future in futures} == {200}


def test_what_waits_is_told_to_the_operator_and_to_a_key_only_its_own(launch: Launch, host: FakeOllama) -> None:
    gateway, gate = launch(chat_config(host)), Gate()
    mine, other = gateway.new_key(key_alias="mine"), gateway.new_key(key_alias="other")
    host.script(held(gate))
    callers = Callers(gateway)
    futures = [callers.call("a", other)]
    host.wait_for(1, "/api/chat")
    futures += [callers.line_up("a", other), callers.line_up("b", mine)]
    (row,) = queue_of(gateway)["hosts"]
    assert (row["url"], row["kind"], row["online"], row["slots"]) == (host.url, "ollama", True, 1)
    assert (row["running"], row["waiting"]) == (1, 2)
    assert row["oldest_wait_seconds"] > 0
    assert row["models"] == {"model-a": {"running": 1, "waiting": 1}, "model-b": {"running": 0, "waiting": 1}}
    own = queue_of(gateway, mine)
    assert (own["running"], own["waiting"]) == (0, 1)
    assert "hosts" not in own
    assert [(each["model"], each["waits"], each["ahead"]) for each in own["requests"]] == [("model-b", True, 1)]
    assert gateway.metric("pointsman_queue_depth", host=host.url) == 2
    assert gateway.metric("pointsman_queue_wait_seconds_count", host=host.url) == 1
    gate.open()
    answers = [future.result(10) for future in futures]
    assert "x-pointsman-queue-ms" not in answers[0].headers
    waited = float(answers[1].headers["x-pointsman-queue-ms"])
    assert waited > 0
    assert float(answers[1].headers["x-litellm-overhead-duration-ms"]) < waited + 1_000
    assert queue_of(gateway)["running"] == 0


def test_who_leaves_the_queue_never_touches_who_runs(launch: Launch, host: FakeOllama) -> None:
    gateway, gate = launch(chat_config(host)), Gate()
    host.script(held(gate))
    callers = Callers(gateway)
    runs = callers.call("a")
    (running,) = host.wait_for(1, "/api/chat")
    for streamed in (False, True):
        stream = gateway.stream(CHAT, {"model": "model-a", "messages": MESSAGES, "stream": streamed})
        waits(gateway, 1)
        stream.leave()
        waits(gateway, 0)
    assert not running.aborted
    gate.open()
    assert runs.result(10).status == 200
    assert len(host.matching("/api/chat")) == 1, "who left was never sent"


def test_a_streaming_client_hears_something_while_it_waits(launch: Launch, host: FakeOllama) -> None:
    config = {**chat_config(host), "litellm_settings": {"sse_keepalive_ping_interval_seconds": 0.1}}
    gateway, gate = launch(config), Gate()
    host.script(held(gate))
    callers = Callers(gateway)
    runs = callers.call("a")
    host.wait_for(1, "/api/chat")
    with gateway.stream(CHAT, {"model": "model-a", "messages": MESSAGES, "stream": True}) as stream:
        assert next(stream.lines())[1] == b": keepalive"
        gate.open()
        assert runs.result(10).status == 200
        assert any(b"Hello" in data for data in stream.data())


def test_who_waits_for_a_host_that_dies_goes_on_elsewhere(launch: Launch, host: FakeOllama) -> None:
    with FakeOllama([OllamaModel("a:1b")]) as spare:
        config = chat_config(host, "a")
        config["model_list"].append({**ollama_entry("model-a", spare, "a:1b")})
        config["model_list"][0]["litellm_params"]["weight"] = 1
        config["model_list"][1]["litellm_params"]["weight"] = 0
        config["router_settings"] = {"routing_strategy": "simple-shuffle"}
        gateway, gate = launch(config), Gate()
        host.script(held(gate))
        callers = Callers(gateway)
        futures = [callers.call("a")]
        host.wait_for(1, "/api/chat")
        futures += [callers.line_up("a"), callers.line_up("a")]
        host.vanish()
        assert [future.result(15).status for future in futures] == [200] * 3
        gate.open()


# -- disconnects -------------------------------------------------------------------------------------


FORMS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"messages": MESSAGES}),
    (CHAT, {"messages": MESSAGES, "stream": True}),
    ("/v1/messages", {"messages": MESSAGES, "max_tokens": 9}),
    ("/v1/messages", {"messages": MESSAGES, "max_tokens": 9, "stream": True}),
    ("/v1/responses", {"input": "one two"}),
    ("/v1/responses", {"input": "one two", "stream": True}),
]


@pytest.mark.parametrize(("path", "body"), FORMS, ids=[f"{path} {'stream' in body}" for path, body in FORMS])
def test_leaving_stops_the_host_and_frees_its_slot(
    launch: Launch, host: FakeOllama, path: str, body: dict[str, Any]
) -> None:
    gateway = launch(chat_config(host))
    key = gateway.new_key(max_parallel_requests=1)
    host.script(faults.stall_before_head())
    stream = gateway.stream(path, {"model": "model-a", **body}, key=key)
    (taken,) = host.wait_for(1, "/api/chat")
    assert queue_of(gateway)["running"] == 1
    moment = time.monotonic()
    stream.leave()
    assert taken.wait_closed(2.0) - moment < 0.5
    eventually(lambda: queue_of(gateway)["running"] == 0, "the slot is free", 2.0)
    assert gateway.chat("model-a", key=key).status == 200


def test_a_thousand_random_departures_hold_no_slot(launch: Launch, host: FakeOllama) -> None:
    gateway = launch(chat_config(host, slots=3, queue_max=1_000))
    dice = random.Random(4)
    host.turn = Turn(pieces=("word ",) * 4, gap_seconds=0.004)

    def visit(number: int) -> None:
        path, body = FORMS[number % len(FORMS)]
        stream = gateway.stream(path, {"model": f"model-{'abc'[number % 3]}", **body})
        time.sleep(delays[number])
        stream.leave()

    delays = [dice.random() * 0.05 for _ in range(1_000)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(visit, range(1_000)))
    eventually(lambda: (queue_of(gateway)["running"], queue_of(gateway)["waiting"]) == (0, 0), "no slot is held")
    assert gateway.chat("model-a").status == 200
    assert threading.active_count() < 100


def test_a_providers_own_api_waits_in_the_same_line(launch: Launch, host: FakeOllama) -> None:
    gateway, gate = launch(chat_config(host)), Gate()
    host.script(held(gate))
    callers = Callers(gateway)
    first = callers.call("a")
    host.wait_for(1, "/api/chat")
    body = {"model": "b:1b", "messages": MESSAGES, "stream": False}
    second = callers.pool.submit(lambda: gateway.http("POST", "/ollama/api/chat", body))
    waits(gateway, 1)
    assert gateway.http("GET", "/ollama/api/tags").status == 200, "what no model works for waits for nobody"
    assert gateway.http("POST", "/ollama/api/show", {"model": "b:1b"}).status == 200
    impatient = gateway.stream("/ollama/api/chat", body)
    waits(gateway, 2)
    impatient.leave()
    waits(gateway, 1)
    gate.open()
    assert (first.result(10).status, second.result(10).status) == (200, 200)
    assert asked(host) == ["a", "b"]
    assert (queue_of(gateway)["running"], queue_of(gateway)["waiting"]) == (0, 0)
