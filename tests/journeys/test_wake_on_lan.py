"""A host that sleeps: the request for it sends the packet that wakes it, waits in company, and is answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import Gateway, Launch
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel

MAC = "01:23:45:67:89:ab"
PACKET = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) * 16


class NetworkCard:
    """Listens for packets; the first one that is meant for it calls ``on_wake``, from a thread."""

    def __init__(self, on_wake: Callable[[], None]) -> None:
        self.packets: list[bytes] = []
        self._on_wake = on_wake
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            packet = self._socket.recv(1024)
            if not packet:
                return
            self.packets.append(packet)
            if packet == PACKET and len(self.packets) == 1:
                self._on_wake()

    def close(self) -> None:
        host, port = self._socket.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", (host, port))
        self._thread.join(5.0)
        self._socket.close()


@contextmanager
def card(on_wake: Callable[[], None]) -> Iterator[NetworkCard]:
    made = NetworkCard(on_wake)
    try:
        yield made
    finally:
        made.close()


def config(
    upstream: FakeOllama, network: NetworkCard, *others: dict[str, object], **local: object
) -> dict[str, object]:
    return {
        "model_list": [ollama_entry("big", upstream, "big:8b"), *others],
        "litellm_settings": {"sse_keepalive_ping_interval_seconds": 0.3, "num_retries": 0},
        "pointsman": {
            "upstream_connect_timeout_seconds": 1,
            "local_hosts": [{"api_base": upstream.url, "wake_on_lan": f"{MAC}@{network.address}"}],
            **local,
        },
    }


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_for_a_sleeping_host_wakes_it_and_is_answered(launch: Launch, stream: bool) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as upstream:
        upstream.vanish()
        # The machine takes its time to start.
        with card(lambda: threading.Timer(1.5, upstream.come_back).start()) as network:
            gateway: Gateway = launch(config(upstream, network))
            answer = gateway.chat("big", stream=stream)
            assert (answer.status, network.packets) == (200, [PACKET])
            assert (answer.body.startswith(b": keepalive")) is stream
            (row,) = gateway.settled_ledger(1)
            assert row["status"] == "success"
            # It is awake now.
            assert gateway.chat("big").status == 200
            assert len(network.packets) == 1


def test_a_request_for_its_own_api_wakes_it_and_a_mere_look_does_not(launch: Launch) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as upstream:
        upstream.vanish()
        with card(upstream.come_back) as network:
            gateway: Gateway = launch(config(upstream, network))
            assert gateway.http("GET", "/ollama/api/tags").status == 503
            assert network.packets == []
            body = {"model": "big:8b", "messages": [{"role": "user", "content": "x"}], "stream": False}
            assert gateway.http("POST", "/ollama/api/chat", body).status == 200
            assert network.packets == [PACKET]


def test_a_host_that_does_not_wake_is_told_in_the_end(launch: Launch) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as upstream:
        upstream.vanish()
        with card(lambda: None) as network:
            gateway: Gateway = launch(config(upstream, network, wake_seconds_max=1))
            answer = gateway.chat("big")
            assert answer.status == 503
            assert "was woken and did not answer within 1 s" in answer.error["message"]
            assert len(network.packets) == 1


def test_nobody_is_woken_while_another_host_serves_the_model(launch: Launch) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as upstream, FakeOpenAI() as cloud:
        upstream.vanish()
        with card(lambda: None) as network:
            given = config(upstream, network, openai_entry("big", cloud))
            given["litellm_settings"] = {"num_retries": 2}
            gateway: Gateway = launch(given)
            assert [gateway.chat("big").status for _ in range(6)] == [200] * 6
            assert network.packets == []
