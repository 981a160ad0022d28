"""What is believed of local servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pointsman.core.upstream import Deployment
from pointsman.routing.hosts import Fleet, Host, HostRules, LoadedModel, Use, address_of
from pointsman.routing.queue import WAIT_BUCKETS, Ticket
from pointsman.routing.residency import ahead_of
from pointsman.telemetry.series import BUCKETS


def deployment(base: str, *, local: bool = True) -> Deployment:
    return Deployment("d", "g", "ollama", "m", "ollama/m", base, None, local=local)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("http://gpu1:11434", "http://gpu1:11434"),
        ("http://GPU1:8000/v1", "http://gpu1:8000"),
        ("http://gpu1:8000/v1/", "http://gpu1:8000"),
        ("http://localhost:1234/v1", "http://127.0.0.1:1234"),
        ("http://[::1]:11434", "http://[::1]:11434"),
        ("http://user:secret@gpu1:1/v1?key=secret", "http://gpu1:1"),
        ("https://models.example/ollama1", "https://models.example/ollama1"),
        ("https://models.example/Ollama2/v1", "https://models.example/Ollama2"),
    ],
)
def test_a_host_has_one_address_however_it_is_written(written: str, address: str) -> None:
    assert address_of(written) == address
    assert address_of(address) == address


def test_deployments_of_one_server_share_its_host_and_others_have_none() -> None:
    fleet = Fleet()
    assert fleet.of(deployment("http://localhost:1/v1")) is fleet.of(deployment("http://127.0.0.1:1"))
    assert fleet.of(deployment("https://api.openai.com/v1", local=False)) is None


def test_latest_is_understood() -> None:
    host = Host("http://gpu", loaded={"llama3.2:latest": LoadedModel("llama3.2:latest")})
    assert host.is_loaded("llama3.2") and host.is_loaded("llama3.2:latest")
    assert not host.is_loaded("llama3.2:1b")
    host.loaded = {"llama3.2": LoadedModel("llama3.2")}
    assert host.is_loaded("llama3.2:latest")


def test_what_answered_is_there_and_has_its_model() -> None:
    host = Host("http://gpu", online=False)
    host.served("m", 5.0)
    assert (host.online, host.heard_at, host.is_loaded("m"), host.is_surprised) == (True, 5.0, True, True)
    host.is_surprised = False
    host.served("m", 6.0)
    assert not host.is_surprised, "nothing new"


def test_how_much_fits_is_learned_from_what_did_not() -> None:
    host = Host("http://gpu")
    totals: list[int | None] = []
    for size, in_vram in ((10, 10), (30, 24), (25, 25)):
        host.told({"a": LoadedModel("a", size, in_vram)}, 1.0)
        totals.append(host.vram_total_bytes)
    assert totals == [None, 24, 25]


def test_what_other_processes_have_there_counts_as_ours() -> None:
    fleet = Fleet()
    host = fleet.at("http://gpu")
    fleet.resize(host, 2, 0.0)
    queue = fleet.queue_of(host)
    queue.is_shared = True
    host.rules = HostRules(queue_max=3)
    fleet.resize(host, 2, 0.0)
    assert queue.is_free and not queue.is_full and not host.is_wanted("a")
    host.hear("other", Use({"a": 1}, {}, 1.0))
    host.hear("third", Use({"b": 1}, {"c": 3}, 1.0))
    assert ahead_of(host) == 5 and host.is_wanted("a") and host.is_wanted("c") and not host.is_wanted("d")
    assert (queue.is_free, queue.is_full) == (False, True)
    assert queue.wait_estimate(0, 2.0) == 4.0
    host.hear("third", None)
    assert (queue.is_free, queue.is_full) == (True, False)
    assert not host.is_wanted("c")


def test_more_slots_are_used_at_once() -> None:
    fleet = Fleet()
    host = fleet.at("http://gpu")
    host.slots = 1
    queue = fleet.queue_of(host)
    tickets = [Ticket("m", "m", "k", 0.0) for _ in range(3)]
    assert [queue.enter(ticket, 0.0) for ticket in tickets] == [True, False, False]
    assert (host.busy, host.queued) == (1, 2)
    assert list(fleet.resize(host, None, 1.0)) == tickets[1:]
    assert (host.busy, host.queued) == (3, 0)


def test_waits_are_counted_in_the_buckets_that_are_shown() -> None:
    assert WAIT_BUCKETS == BUCKETS


@pytest.mark.parametrize("heard", [lambda host: host.served("m", 5.0), lambda host: host.told({}, 6.0)])
def test_a_host_that_went_away_is_taken_for_that_until_it_is_heard_of(heard: Callable[[Host], None]) -> None:
    host = Host("http://gpu1:11434")
    host.went_away()
    assert (host.online, host.is_surprised) == (False, True)
    heard(host)
    assert host.online
