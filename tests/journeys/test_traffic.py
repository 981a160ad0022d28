"""Canaries, mirrors, hedges, shared embeddings and bulkheads, with real sockets on both sides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.http_client import Answer
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_chunks, chat_reply, usage


@pytest.fixture
def second() -> Iterator[FakeOpenAI]:
    """Another upstream."""
    with FakeOpenAI() as server:
        yield server


def config(*entries: dict[str, Any], **local: Any) -> dict[str, Any]:
    return {"model_list": list(entries), "pointsman": local}


def report(gateway: Gateway) -> dict[str, Any]:
    answer = gateway.http("GET", "/traffic")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def embed(gateway: Gateway, text: str, key: str | None = None) -> Answer:
    return gateway.http("POST", "/v1/embeddings", {"model": "embedder", "input": text}, key=key)


def test_a_canary_keeps_its_callers_and_the_report_compares_it(
    launch: Launch, upstream: FakeOpenAI, second: FakeOpenAI
) -> None:
    entries = (openai_entry("chat", upstream), openai_entry("next", second))
    rule = {"model": "chat", "canary": {"percent": 30, "model": "next"}}
    gateway = launch(config(*entries, traffic=[rule]))
    users = [f"user-{number}" for number in range(40)]
    first = {user: gateway.chat("chat", user=user).headers["x-pointsman-variant"] for user in users}
    again = {user: gateway.chat("chat", user=user).headers["x-pointsman-variant"] for user in users}
    assert again == first and set(first.values()) == {"stable", "canary"}
    chosen = list(first.values()).count("canary")
    assert len(second.inference) == 2 * chosen and len(upstream.inference) == 2 * (40 - chosen)
    tags = [row["request_tags"] for row in gateway.settled_ledger(80)]
    assert tags.count(["variant:canary"]) == 2 * chosen and tags.count(["variant:stable"]) == 2 * (40 - chosen)
    stable, canary = report(gateway)["models"][0]["variants"]
    assert (canary["name"], canary["served_by"], canary["share"]) == ("canary", "model next", 0.3)
    assert (stable["calls"]["calls"], canary["calls"]["calls"]) == (2 * (40 - chosen), 2 * chosen)
    assert canary["calls"]["error_rate"] == 0 and canary["calls"]["latency_ms_p95"] > 0

    rule["canary"] = {"percent": 60, "model": "next"}
    gateway.write_config(config(*entries, traffic=[rule]))
    eventually(lambda: report(gateway)["models"][0]["variants"][1]["share"] == 0.6, "the new share is in force")
    later = {user: gateway.chat("chat", user=user).headers["x-pointsman-variant"] for user in users}
    assert {user for user in users if first[user] == "canary"} <= {user for user in users if later[user] == "canary"}

    second.vanish()
    assert {gateway.chat("chat", user=user).status for user in users} == {200}, (
        "a canary that dies costs nobody an answer"
    )
    assert gateway.http("GET", "/traffic", key=gateway.new_key()).status == 403


def test_a_wrong_rule_is_refused_with_its_place(launch: Launch, upstream: FakeOpenAI) -> None:
    rule = {"model": "chat", "canary": {"percent": 101, "model": "next"}}
    gateway = launch(config(openai_entry("chat", upstream), traffic=[rule]), ready=False)
    gateway.spawn()
    assert gateway.wait() != 0
    assert "pointsman.traffic[0].canary.percent" in gateway.output()


@pytest.mark.parametrize("stream", [False, True])
def test_a_frozen_mirror_is_nothing_to_the_client_and_ends_with_the_gateway(
    launch: Launch, upstream: FakeOpenAI, second: FakeOpenAI, stream: bool
) -> None:
    gate = Gate()
    second.always(Reply.json(chat_reply("ok", usage(1, 1))).behind(gate))
    entries = (openai_entry("chat", upstream, input_cost_per_token=0.0001), openai_entry("shadow", second))
    rule = {"model": "chat", "mirror": {"model": "shadow", "max_in_flight": 3}}
    gateway = launch(config(*entries, traffic=[rule]))
    key = gateway.new_key()
    for _ in range(6):
        began = time.monotonic()
        assert gateway.chat("chat", key=key, stream=stream).status == 200
        assert time.monotonic() - began < 2.0
    second.wait_for(3)
    mirror = report(gateway)["models"][0]["mirror"]
    assert (mirror["mirrored"]["calls"], mirror["left_out"], mirror["shadow"]["calls"]) == (3, 3, 0)
    rows = gateway.settled_ledger(6, key)
    assert len(rows) == 6 and all(row["spend"] > 0 for row in rows)
    assert gateway.stop() == 0, "a shadow does not hold up the shutdown"
    gateway.restart()
    shadows = [row for row in gateway.settled_ledger(9) if row["request_tags"] == ["shadow"]]
    assert len(shadows) == 3 and {row["api_key"] for row in shadows} == {"gateway"}
    gate.open()


def test_a_mirror_is_compared_with_the_real_thing(launch: Launch, upstream: FakeOpenAI, second: FakeOpenAI) -> None:
    entries = (openai_entry("chat", upstream), openai_entry("shadow", second, output_cost_per_token=0.001))
    gateway = launch(config(*entries, traffic=[{"model": "chat", "mirror": {"model": "shadow"}}]))
    key = gateway.new_key(max_budget=1.0)
    for _ in range(4):
        gateway.chat("chat", key=key)
        second.wait_for(1)
    eventually(lambda: report(gateway)["models"][0]["mirror"]["shadow"]["calls"] == 4, "the shadows are recorded")
    mirror = report(gateway)["models"][0]["mirror"]
    assert mirror["shadow"]["spend"] == pytest.approx(4 * 5 * 0.001) and mirror["mirrored"]["spend"] == 0
    assert gateway.http("GET", f"/key/info?key={key}").json()["info"]["spend"] == 0
    own = {row["litellm_call_id"] for row in gateway.settled_ledger(4, key)}
    shadows = {row["litellm_call_id"] for row in gateway.ledger() if row["request_tags"] == ["shadow"]}
    assert shadows == {f"shadow-{one}" for one in own}


def test_responses_pictures_and_sound_are_mirrored_and_nothing_of_it_is_stored(
    launch: Launch, upstream: FakeOpenAI, second: FakeOpenAI
) -> None:
    kinds = {"chat": "chat", "painter": "image_generation", "voice": "audio_speech"}
    entries = [openai_entry(name, upstream, {"mode": mode}) for name, mode in kinds.items()]
    entries += [openai_entry(f"{name}-2", second, {"mode": mode}) for name, mode in kinds.items()]
    rules = [{"model": name, "mirror": {"model": f"{name}-2"}} for name in kinds]
    gateway = launch(config(*entries, traffic=rules))
    first = gateway.http("POST", "/v1/responses", {"model": "chat", "input": "one"}).json()
    second.wait_for(1)
    going_on = {"model": "chat", "input": "two", "previous_response_id": first["id"]}
    assert gateway.http("POST", "/v1/responses", going_on).status == 200
    eventually(lambda: len(second.inference) == 2, "the second response is mirrored")
    assert second.inference[-1].json()["messages"][0]["content"] == "one"
    assert gateway.http("POST", "/v1/images/generations", {"model": "painter", "prompt": "a cat"}).status == 200
    speech = {"model": "voice", "input": "hello", "voice": "alloy"}
    assert gateway.http("POST", "/v1/audio/speech", speech).status == 200

    def mirrored() -> set[str]:
        return {path for request in second.requests if (path := request.path).endswith(("/generations", "/speech"))}

    eventually(lambda: len(mirrored()) == 2, "picture and speech are mirrored")
    talk = gateway.http("POST", "/v1/conversations", {}).json()["id"]
    kept = {"model": "chat", "input": "three", "conversation": talk}
    assert gateway.http("POST", "/v1/responses", kept).status == 200
    rows = gateway.settled_ledger(9)
    shadows = [row for row in rows if row["request_tags"] == ["shadow"]]
    assert len(shadows) == 4 and {row["status"] for row in shadows} == {"success"}
    items = gateway.http("GET", f"/v1/conversations/{talk}/items").json()["data"]
    assert len(items) == 2, "the shadow adds nothing to the conversation"


def test_identical_embeddings_share_one_call(launch: Launch, upstream: FakeOpenAI) -> None:
    entry = openai_entry("embedder", upstream, {"mode": "embedding"}, input_cost_per_token=0.001)
    gateway = launch(config(entry, traffic=[{"model": "embedder", "coalesce_embeddings": True}]))
    keys = [gateway.new_key() for _ in range(3)]
    gate = Gate()
    body = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}}  # fmt: skip
    upstream.always(Reply.json(body).behind(gate))
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(embed, gateway, "one two three", keys[number % 3]) for number in range(12)]
        try:
            upstream.wait_for(1)
            eventually(lambda: gateway.http("GET", "/health/backlog").json()["in_flight_requests"] == 12, "all are in")
        finally:
            gate.open()
        answers = [future.result() for future in futures]
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert len(upstream.inference) == 1
    rows = gateway.settled_ledger(12)
    assert sorted(row["spend"] for row in rows) == [0.0] * 11 + [pytest.approx(0.003)]
    assert sum(row["request_tags"] == ["coalesced"] for row in rows) == 11
    assert report(gateway)["models"][0]["coalescing"] == {"sent": 1, "shared": 11, "taken_over": 0}


def test_a_slow_provider_takes_no_more_than_its_part(launch: Launch, upstream: FakeOpenAI, second: FakeOpenAI) -> None:
    entries = (
        openai_entry("slow", upstream),
        {"model_name": "fast", "litellm_params": {"model": "groq/m", "api_base": second.base_url, "api_key": "k"}},
    )
    gateway = launch(config(*entries, bulkheads={"openai": {"max_in_flight": 2, "max_waiting": 1}}))
    gate = Gate()
    upstream.always(Reply.json(chat_reply("ok", usage(1, 1))).behind(gate))
    with ThreadPoolExecutor(8) as pool:
        futures: list[Future[Answer]] = [pool.submit(gateway.chat, "slow") for _ in range(8)]
        try:
            eventually(lambda: sum(future.done() for future in futures) == 5, "five are refused at once")
            refused = [future.result() for future in futures if future.done()]
            assert {answer.status for answer in refused} == {429}
            assert all(answer.headers["retry-after"] == "1" for answer in refused)
            assert gateway.chat("fast").status == 200
            (wall,) = report(gateway)["bulkheads"]
            assert (wall["in_flight"], wall["waiting"], wall["refused"]) == (2, 1, 5)
        finally:
            gate.open()
        assert sorted(future.result().status for future in futures) == [200] * 3 + [429] * 5
    (wall,) = report(gateway)["bulkheads"]
    assert (wall["in_flight"], wall["waiting"]) == (0, 0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_silent_deployment_is_overtaken_and_sees_the_connection_close(
    launch: Launch, upstream: FakeOpenAI, second: FakeOpenAI, stream: bool
) -> None:
    entries = (openai_entry("chat", upstream, weight=1_000_000), openai_entry("chat", second, weight=0.000001))
    rule = {"model": "chat", "hedge": {"after_ms": 50, "max_share": 1}}
    gateway = launch(config(*entries, traffic=[rule]))
    gate = Gate()
    upstream.always(Reply.stream(chat_chunks(["late"], None)).behind(gate))
    assert gateway.chat("chat", stream=stream).body.count(b"fake") >= 1
    eventually(lambda: upstream.connections_open == 0, "the one that lost is cut off")
    hedge = report(gateway)["models"][0]["hedge"]
    assert (hedge["asked"], hedge["second"], hedge["won"]) == (1, 1, 1)
    assert hedge["cut"]["cancelled"] == 1
    rows = {tuple(row["request_tags"]): row for row in gateway.settled_ledger(2)}
    assert rows["hedge",]["litellm_call_id"] == f"hedge-{rows['hedged',]['litellm_call_id']}"
    gate.open()


def test_the_counts_of_all_workers_are_shown_as_one(launch: Launch, upstream: FakeOpenAI) -> None:
    rule = {"model": "chat", "variants": [{"name": "a"}, {"name": "b", "model": "next"}]}
    entries = (openai_entry("chat", upstream), openai_entry("next", upstream))
    gateway = launch(config(*entries, traffic=[rule]), args=["--workers", "2"])
    arms = {
        f"user-{number}": gateway.chat("chat", user=f"user-{number}").headers["x-pointsman-variant"]
        for number in range(30)
    }
    again = {user: gateway.chat("chat", user=user).headers["x-pointsman-variant"] for user in arms}
    assert again == arms, "all workers put a caller into the same arm"

    def calls() -> int:
        return sum(arm["calls"]["calls"] for arm in report(gateway)["models"][0]["variants"])

    eventually(lambda: calls() == 60, "every call is counted once")
