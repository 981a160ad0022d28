"""Several workers are one gateway: one port, one set of keys, one ledger, one metric page."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import READY_SECONDS, Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_chunks

WORKERS = 2
AGREE_SECONDS = 2.0


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, FakeOpenAI]]:
    with (
        FakeOpenAI() as upstream,
        Gateway.start({"model_list": [openai_entry("fast", upstream)]}, args=["--workers", str(WORKERS)]) as gateway,
    ):
        yield gateway, upstream


def many(gateway: Gateway, key: str, count: int) -> list[int]:
    """``count`` calls, each on a connection of its own, so that the kernel spreads them over the workers."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: gateway.chat("fast", key=key).status, range(count)))


def test_there_are_as_many_processes_as_asked_for(house: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = house
    assert len(gateway.processes()) >= WORKERS


def test_a_new_key_works_in_every_worker(house: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = house
    key = gateway.new_key()
    assert set(many(gateway, key, 40)) == {200}


def test_every_call_is_in_the_one_ledger_and_counted_once(house: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = house
    key = gateway.new_key(key_alias=f"counted-{time.monotonic_ns()}")
    assert many(gateway, key, 40) == [200] * 40
    rows = gateway.settled_ledger(40, key)
    assert len({row["litellm_call_id"] for row in rows}) == len(rows) == 40
    alias = gateway.http("GET", f"/key/info?key={key}").json()["info"]["key_alias"]
    eventually(
        lambda: gateway.metric("litellm_requests_metric_total", api_key_alias=alias) == 40,
        "one scrape sees the counts of all workers",
    )


def test_a_changed_key_is_changed_in_every_worker_within_two_seconds(house: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, _ = house
    key = gateway.new_key()
    assert set(many(gateway, key, 20)) == {200}
    assert gateway.http("POST", "/key/block", {"key": key}).status == 200
    eventually(lambda: not set(many(gateway, key, 20)) & {200}, "no worker lets the key in", AGREE_SECONDS)
    assert gateway.http("POST", "/key/unblock", {"key": key}).status == 200
    eventually(lambda: set(many(gateway, key, 20)) == {200}, "every worker lets the key in", AGREE_SECONDS)


def test_a_reload_reaches_every_worker_within_two_seconds_and_breaks_no_stream(
    launch: Launch, upstream: FakeOpenAI
) -> None:
    """By saving the file, which is looked at each second, and by SIGHUP, which has it read at once."""
    gateway = launch({"model_list": [openai_entry("one", upstream)]}, args=["--workers", "3"])
    gate = Gate()
    upstream.script(*[Reply.stream(chat_chunks(["still ", "here"], None)).behind(gate)] * 8)
    body = {"model": "one", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    streams = [gateway.stream("/v1/chat/completions", body) for _ in range(8)]
    upstream.wait_for(8)

    def lists() -> list[set[str]]:
        return [{row["id"] for row in gateway.http("GET", "/v1/models").json()["data"]} for _ in range(100)]

    for name in ("two", "three"):
        gateway.write_config({"model_list": [openai_entry(name, upstream)]})
        if name == "three":
            gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: all(each == {name} for each in lists()), "every worker has the new model", AGREE_SECONDS)  # noqa: B023
    gateway.write_config("model_list: [")
    gateway.process.send_signal(signal.SIGHUP)
    eventually(
        lambda: gateway.output().count("config.yaml:2:1: this is not YAML") == 3,
        "each refuses what is broken, and where it is",
    )
    assert all(each == {"three"} for each in lists())
    gate.open()
    for stream in streams:
        with stream:
            assert list(stream.data())[-1] == b"[DONE]"


def test_a_worker_that_dies_is_replaced_and_loses_nothing(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, args=["--workers", str(WORKERS)])
    key = gateway.new_key()
    assert many(gateway, key, 20) == [200] * 20
    workers = [pid for pid in gateway.processes() if pid != gateway.process.pid]
    os.kill(workers[-1], signal.SIGKILL)
    eventually(
        lambda: workers[-1] not in (now := gateway.processes()) and len(now) >= len(workers) + 1,
        "a new worker has taken its place",
        timeout=15.0,
    )
    eventually(lambda: _all_answer(gateway, key), "all workers answer", timeout=10.0)
    assert len(gateway.settled_ledger(28, key, timeout=10.0)) >= 28


def test_all_workers_end_together(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, args=["--workers", str(WORKERS)])
    family = gateway.processes()
    assert gateway.stop() == 0
    assert not any(_alive(pid) for pid in family)


def _all_answer(gateway: Gateway, key: str) -> bool:
    """Whether nobody is turned away; a connection that the dead worker had taken is reset."""
    try:
        return set(many(gateway, key, 8)) == {200}
    except ConnectionError:
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_that_cannot_start_end_it_with_the_reason(launch: Launch, upstream: FakeOpenAI) -> None:
    args = ["--workers", str(WORKERS)]
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, args=args, ready=False)
    gateway.data_dir.mkdir()
    (gateway.data_dir / "pointsman.db").write_bytes(b"this is no database" * 100)
    gateway.spawn()
    assert gateway.wait() == 2
    assert "pointsman.db" in gateway.output()


def test_they_share_a_port_that_the_system_chose(launch: Launch, upstream: FakeOpenAI) -> None:
    config = {"model_list": [openai_entry("fast", upstream)]}
    gateway = launch(config, args=["--workers", str(WORKERS), "--port", "0"], ready=False)
    gateway.spawn()
    told = eventually(
        lambda: re.findall(r"Base URL +http://127\.0\.0\.1:(\d+)/v1", gateway.output()),
        "its port is told",
        READY_SECONDS,
    )
    gateway.port = int(told[0])
    assert set(many(gateway, gateway.master_key, 20)) == {200}


def test_a_worker_that_finds_a_deployment_ill_tells_the_others(launch: Launch, upstream: FakeOpenAI) -> None:
    with FakeOpenAI() as ill:
        ill.always(Reply.error(401))
        pair = [openai_entry("fast", ill, api_key="sk-dead"), openai_entry("fast", upstream)]
        config = {"model_list": pair, "router_settings": {"cooldown_time": 300}}
        gateway = launch(config, args=["--workers", str(WORKERS)])
        key = gateway.new_key()
        assert [gateway.chat("fast", key=key).status for _ in range(20)] == [200] * 20
        assert 1 <= len(ill.inference) <= WORKERS
        told = [path.read_text() for path in (gateway.data_dir / "run").glob("news-*.jsonl")]
        assert sum(text.count("deployment_id") for text in told) == len(ill.inference)
