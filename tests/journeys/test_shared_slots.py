"""However many processes serve, a local host is sent no more at once than it has slots."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.test_queue import CHAT, MESSAGES, asked, chat_config, held, queue_of
from tests.support.configs import ollama_entry
from tests.support.gateway import Gateway
from tests.support.http_client import Answer
from tests.support.servers import RedisServer
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, Gate, OllamaModel

WORKERS = 3


@pytest.fixture(scope="module")
def host() -> Iterator[FakeOllama]:
    with FakeOllama([OllamaModel(f"{name}:1b") for name in "abc"]) as server:
        yield server


@pytest.fixture(scope="module")
def single() -> Iterator[FakeOllama]:
    with FakeOllama([OllamaModel(f"{name}:1b") for name in "xyz"]) as server:
        yield server


@pytest.fixture(scope="module")
def house(host: FakeOllama, single: FakeOllama) -> Iterator[Gateway]:
    config = chat_config(host, slots=2)
    config["model_list"] += [ollama_entry(f"model-{name}", single, f"{name}:1b") for name in "xyz"]
    config["pointsman"]["local_hosts"].append({"api_base": single.url, "slots": 1})
    with Gateway.start(config, args=["--workers", str(WORKERS)]) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def clean(host: FakeOllama, single: FakeOllama) -> None:
    host.forget()
    single.forget()


class Crowd:
    """Sends requests, each on a connection of its own, so that the kernel spreads them over the workers."""

    def __init__(self, *gateways: Gateway) -> None:
        self.gateways = gateways
        self.pool = ThreadPoolExecutor(64)
        self.sent = 0

    def call(self, model: str = "a", **more: Any) -> Future[Answer]:
        gateway = self.gateways[self.sent % len(self.gateways)]
        self.sent += 1
        body = {"model": f"model-{model}", "messages": MESSAGES, **more}
        return self.pool.submit(lambda: gateway.http("POST", CHAT, body, timeout=30.0))


def line(gateway: Gateway) -> tuple[int, int]:
    """Who runs and who waits, as whichever worker answers has heard."""
    found = queue_of(gateway)
    return found["running"], found["waiting"]


def all_say(gateway: Gateway, running: int, waiting: int) -> None:
    eventually(
        lambda: {line(gateway) for _ in range(8)} == {(running, waiting)}, f"{running} run and {waiting} wait", 10.0
    )


def test_all_workers_together_keep_to_the_slots(house: Gateway, host: FakeOllama) -> None:
    gates = [Gate() for _ in range(12)]
    host.script(*(held(gate) for gate in gates))
    crowd = Crowd(house)
    futures = [crowd.call() for _ in gates]
    all_say(house, 2, 10)
    elsewhere = {queue_of(house)["hosts"][0].get("waiting_elsewhere", 0) for _ in range(20)}
    assert max(elsewhere) > 0, "the line is in several workers"
    for opened, gate in enumerate(gates):
        host.wait_for(min(opened + 2, 12), "/api/chat")
        assert len(asked(host)) <= opened + 2
        gate.open()
    assert [future.result(20).status for future in futures] == [200] * 12
    all_say(house, 0, 0)


def test_workers_do_not_swap_models_against_each_other(house: Gateway, single: FakeOllama) -> None:
    gate = Gate()
    single.script(held(gate))
    crowd = Crowd(house)
    futures = [crowd.call("x")]
    single.wait_for(1, "/api/chat")
    futures += [crowd.call(model) for model in "yxyxzxyzxy"]
    all_say(house, 1, 10)
    gate.open()
    assert [future.result(20).status for future in futures] == [200] * 11
    order = "".join(asked(single))
    assert sorted(order) == sorted("xyxyxzxyzxy")
    assert sum(one != other for one, other in pairwise(order)) == 2, order


def test_a_killed_workers_slot_comes_back_at_once(house: Gateway, single: FakeOllama) -> None:
    gate = Gate()
    single.script(held(gate))
    with socket.create_connection(("127.0.0.1", house.port)) as client:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.master_key}\r\n"
        body = b'{"model":"model-x","messages":[{"role":"user","content":"x"}]}'
        client.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        single.wait_for(1, "/api/chat")
        crowd = Crowd(house)
        futures = [crowd.call("y") for _ in range(8)]
        all_say(house, 1, 8)
        os.kill(_holder_of(client.getsockname()[1], house.processes()), signal.SIGKILL)
        single.wait_for(2, "/api/chat", timeout=3.0)
        gate.open()
    statuses = {future.result(10).status for future in futures if not _was_lost(future)}
    assert statuses == {200}


def _holder_of(port: int, processes: list[int]) -> int:
    """The process that has the other end of a local connection."""
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    inode = next(fields[9] for fields in map(str.split, lines) if fields[2].endswith(f":{port:04X}"))
    for process in processes:
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            try:
                if re.fullmatch(rf"socket:\[{inode}\]", str(descriptor.readlink())):
                    return process
            except FileNotFoundError:
                continue
    raise AssertionError(f"nobody has the connection from port {port}")


def _was_lost(future: Future[Answer]) -> bool:
    """Whether the request was at the worker that was killed."""
    try:
        future.result(10)
    except OSError:
        return True
    return False


@pytest.fixture(scope="module")
def replicas(host: FakeOllama, redis_server: RedisServer) -> Iterator[list[Gateway]]:
    env = {"REDIS_URL": redis_server.new_url()}
    entries = [ollama_entry(f"model-{name}", host, f"{name}:1b") for name in "abc"]
    config = {"model_list": entries, "pointsman": {"local_hosts": [{"api_base": host.url, "slots": 2}]}}
    with Gateway.start(config, env=env) as one, Gateway.start(config, env=env) as two:
        yield [one, two]


def test_all_replicas_together_keep_to_the_slots(replicas: list[Gateway], host: FakeOllama) -> None:
    gates = [Gate() for _ in range(8)]
    host.script(*(held(gate) for gate in gates))
    crowd = Crowd(*replicas)
    futures = [crowd.call() for _ in gates]
    for gateway in replicas:
        all_say(gateway, 2, 6)
    for opened, gate in enumerate(gates):
        host.wait_for(min(opened + 2, 8), "/api/chat")
        assert len(asked(host)) <= opened + 2
        gate.open()
    assert [future.result(20).status for future in futures] == [200] * 8
    for gateway in replicas:
        all_say(gateway, 0, 0)
