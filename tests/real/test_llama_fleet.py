"""Two real servers of llama.cpp behind one gateway: found, watched, filled, lost and found again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.real.conftest import Llama, serving
from tests.support.gateway import Gateway
from tests.support.http_client import Answer, request
from tests.support.waiting import eventually

pytestmark = pytest.mark.real

SLOTS: Final = 2
QUEUE_MAX: Final = 2
BACK_SECONDS: Final = 10.0


class Fleet:
    """The gateway, and the servers by number, each of which can be killed and started again."""

    def __init__(self, model: Path, logs: Path, stack: ExitStack) -> None:
        self._model, self._logs, self._stack = model, logs, stack
        self.servers: list[Llama] = [self._start(number) for number in range(2)]
        hosts = [{"api_base": f"http://127.0.0.1:{one.port}", "queue_max": QUEUE_MAX} for one in self.servers]
        config = {"pointsman": {"local_hosts": hosts}, "router_settings": {"num_retries": 1}}
        self.gateway = stack.enter_context(Gateway.start(config))

    def _start(self, number: int, port: int | None = None, sleep: int | None = None) -> Llama:
        return self._stack.enter_context(
            serving(self._model, self._logs / f"server-{number}.log", port=port, sleep=sleep)
        )

    def kill(self, number: int) -> None:
        self.servers[number].process.kill()
        self.servers[number].process.wait(10.0)

    def come_back(self, number: int, sleep: int) -> None:
        self.servers[number] = self._start(number, self.servers[number].port, sleep)

    def hosts(self) -> list[dict[str, Any]]:
        """As ``GET /queue`` lists them, in the order of the servers."""
        rows = {row["url"]: row for row in self.gateway.http("GET", "/queue").json()["hosts"]}
        return [rows[f"http://127.0.0.1:{one.port}"] for one in self.servers]

    def ask(self, tokens: int = 4) -> Answer:
        messages = [{"role": "user", "content": "Count to a thousand."}]
        body = {"model": "smollm2", "messages": messages, "max_tokens": tokens, "temperature": 0}
        return self.gateway.http("POST", "/v1/chat/completions", body, timeout=120.0)


@pytest.fixture(scope="module")
def fleet(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(model_file, tmp_path_factory.mktemp("fleet"), stack)


def test_both_are_found_with_their_model_and_their_slots(fleet: Fleet) -> None:
    listed = [row["id"] for row in fleet.gateway.http("GET", "/v1/models").json()["data"]]
    assert listed == ["smollm2"]
    eventually(lambda: all(row["loaded"] for row in fleet.hosts()), "both have been looked at")
    for row in fleet.hosts():
        assert (row["kind"], row["online"], row["slots"], row["loaded"]) == ("llama_cpp", True, SLOTS, ["smollm2"])
        assert (row["server_running"], row["server_waiting"]) == (0, 0)


def test_more_than_they_take_waits_or_is_refused_and_no_server_is_sent_more(fleet: Fleet) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(fleet.ask, 24) for _ in range(12)]
        eventually(lambda: [row["running"] for row in fleet.hosts()] == [SLOTS, SLOTS], "both are full")
        deferred = [_gauge(one, "llamacpp:requests_deferred") for one in fleet.servers]
        seen = [future.result(120.0) for future in answers]
    refused = [answer for answer in seen if answer.status == 429]
    assert deferred == [0, 0], "nothing waits in a server"
    assert 1 <= len(refused) <= 12 - 2 * SLOTS
    assert {answer.error["code"] for answer in refused} == {"queue_full"}
    assert {answer.status for answer in seen if answer not in refused} == {200}
    assert [(row["running"], row["waiting"]) for row in fleet.hosts()] == [(0, 0), (0, 0)]


def test_one_that_is_killed_costs_no_answer_and_is_seen_again_when_it_is_back(fleet: Fleet) -> None:
    fleet.kill(0)
    assert {fleet.ask().status for _ in range(4)} == {200}
    eventually(
        lambda: [row["online"] for row in fleet.hosts()] == [False, True], "it is known to be away", timeout=15.0
    )
    fleet.come_back(0, sleep=2)
    eventually(lambda: fleet.hosts()[0]["online"], "it is seen again", timeout=BACK_SECONDS)
    # It is looked at every three seconds, and sleeps all the same.
    eventually(lambda: not fleet.hosts()[0]["loaded"], "it went to sleep", timeout=20.0)
    assert _sleeps(fleet.servers[0])
    assert fleet.ask().status == 200


def _gauge(server: Llama, name: str) -> int:
    text = request(server.port, "GET", "/metrics").body.decode()
    return next(int(float(line.split()[1])) for line in text.splitlines() if line.startswith(f"{name} "))


def _sleeps(server: Llama) -> bool:
    asleep: bool = request(server.port, "GET", "/props").json()["is_sleeping"]
    return asleep
