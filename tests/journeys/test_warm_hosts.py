"""Several Ollamas behind the same names: each request goes where its model is in memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.configs import ollama_entry
from tests.support.gateway import Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, OllamaModel

Pair = tuple[FakeOllama, FakeOllama]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two hosts with the same two models; the one has ``a`` in memory, the other ``b``."""
    both = [[OllamaModel("a:1b"), OllamaModel("b:1b")] for _ in range(2)]
    with FakeOllama(both[0]) as one, FakeOllama(both[1]) as other:
        one.models["a:1b"].loaded_context = other.models["b:1b"].loaded_context = 8192
        yield one, other


def config(pair: Pair, **more: Any) -> dict[str, Any]:
    entries = [ollama_entry(name, host, f"{name}:1b", num_ctx=8192) for name in ("a", "b") for host in pair]
    return {"model_list": entries, **more}


def asked(host: FakeOllama) -> Counter[str]:
    return Counter(request.json()["model"] for request in host.inference)


def loads(pair: Pair) -> int:
    return sum(model.loads for host in pair for model in host.models.values())


def test_each_host_gets_only_what_it_has_in_memory(launch: Launch, pair: Pair) -> None:
    gateway = launch(config(pair))
    names = ["a", "b"] * 50
    random.Random(1).shuffle(names)

    def ask(number_and_name: tuple[int, str]) -> tuple[int, str]:
        number, name = number_and_name
        answer = gateway.chat(name, f"question {number}")
        return answer.status, answer.headers["x-pointsman-route"].partition(";")[2]

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, enumerate(names))) == {(200, "reason=loaded;attempts=1")}
    one, other = pair
    assert asked(one) == {"a:1b": 50}
    assert asked(other) == {"b:1b": 50}
    assert loads(pair) == 0


def test_whose_host_is_gone_is_served_by_the_other(launch: Launch, pair: Pair) -> None:
    gateway = launch(config(pair))
    one, other = pair
    one.vanish()
    assert {gateway.chat("a", f"question {number}").status for number in range(5)} == {200}
    assert asked(other) == {"a:1b": 5}
    one.come_back()
    other.vanish()
    eventually(lambda: gateway.chat("a", "again").status == 200, "the host that came back is used again", 15.0)
    assert asked(one)["a:1b"] >= 1


def test_another_strategy_scatters_them(launch: Launch, pair: Pair) -> None:
    gateway = launch(config(pair, router_settings={"routing_strategy": "round-robin"}))
    for number in range(8):
        assert gateway.chat("a", f"question {number}").status == 200
    assert [asked(host)["a:1b"] for host in pair] == [4, 4]
    assert loads(pair) == 1


def test_a_conversation_stays_at_the_host_that_has_read_it(launch: Launch, pair: Pair) -> None:
    one, other = pair
    other.models["a:1b"].loaded_context = 8192
    gateway = launch(config(pair, router_settings={"routing_strategy": "round-robin"}))
    turns: list[dict[str, str]] = [{"role": "system", "content": "Be brief."}]
    for number in range(6):
        turns.append({"role": "user", "content": f"question {number}"})
        body = {"model": "a", "messages": turns}
        assert gateway.http("POST", "/v1/chat/completions", body).status == 200
        turns.append({"role": "assistant", "content": "An answer."})
        assert gateway.chat("a", f"something else {number}").status == 200
    of_it = [sum(b"Be brief." in request.body for request in host.inference) for host in (one, other)]
    assert sorted(of_it) == [0, 6]
