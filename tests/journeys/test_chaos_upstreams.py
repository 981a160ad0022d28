"""Upstreams that die, freeze, flap, vanish from the network or say no to everybody, with real sockets.

Of two deployments one is ill. Promised is: every request that can be served is, the upstreams are asked at most 1.2
times as often as the gateway, and whoever is well again is seen within a cooldown and a probe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.far_machine import FarMachine
from tests.support.gateway import Gateway, Launch
from tests.support.load import Served, ask_many
from tests.upstreams import Blackhole, FakeOllama, FakeOpenAI, OllamaModel, Reply, faults
from tests.upstreams.openai_shapes import chat_chunks

COOLDOWN = 0.5
STORM = 1.2


@pytest.fixture
def pair() -> Iterator[tuple[FakeOpenAI, FakeOpenAI]]:
    """Two upstreams: the first is the one that falls ill."""
    with FakeOpenAI() as ill, FakeOpenAI() as well:
        yield ill, well


Pair = tuple[FakeOpenAI, FakeOpenAI]


def start(
    launch: Launch, ill: FakeOpenAI | str, well: FakeOpenAI, env: Mapping[str, str] | None = None, **params: object
) -> Gateway:
    entries = [
        openai_entry("m", ill, {"id": "ill"}, api_key="sk-ill", **params),
        openai_entry("m", well, {"id": "well"}, api_key="sk-well", **params),
    ]
    return launch(
        {"model_list": entries, "router_settings": {"cooldown_time": COOLDOWN}, "pointsman":
         {"upstream_connect_timeout_seconds": 0.5}},
        env=env,
    )  # fmt: skip


def all_served(served: list[Served]) -> None:
    assert [one for one in served if one.status != 200] == []


def no_storm(pair: Pair, requests: int) -> None:
    attempts = sum(len(upstream.inference) for upstream in pair)
    assert attempts <= STORM * requests, f"{attempts} attempts for {requests} requests"


def sees_it_again(gateway: Gateway, within: float = COOLDOWN + 5.0) -> None:
    """The deployment that was ill is asked again, and more than now and then."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        if sum(one.by == "ill" for one in ask_many(gateway, "m", 20)) >= 4:
            return
    raise AssertionError(f"it was not seen to be well within {within} s")


# -- one of two ----------------------------------------------------------------------------------------


def test_killed_while_it_serves(launch: Launch, pair: Pair) -> None:
    ill, _ = pair
    gateway = start(launch, *pair)
    killer = threading.Timer(0.15, ill.vanish)
    killer.start()
    served = list(ask_many(gateway, "m", 300))
    killer.join()
    served += ask_many(gateway, "m", 100)
    all_served(served)
    no_storm(pair, 400)
    ill.come_back()
    sees_it_again(gateway)


def test_frozen(launch: Launch, pair: Pair) -> None:
    """It takes requests and never answers them: each that got there waits for a second, and few do."""
    ill, _ = pair
    gateway = start(launch, *pair, timeout=1)
    ill.always(faults.stall_before_head())
    served = ask_many(gateway, "m", 200)
    all_served(list(served))
    no_storm(pair, 200)
    assert sum(one.seconds > 0.8 for one in served) <= 20
    ill.clear()
    sees_it_again(gateway, COOLDOWN + 3.0)


def test_slow_to_start(launch: Launch, pair: Pair) -> None:
    """Its streams begin and then say nothing for longer than a client should wait for a first word."""
    ill, _ = pair
    gateway = start(launch, *pair, stream_timeout=0.5)
    ill.always(faults.stall_in_stream(chat_chunks([], None)[:1]))
    served = ask_many(gateway, "m", 200, stream=True)
    all_served(list(served))
    assert all(b"[DONE]" in one.body and b'"error"' not in one.body for one in served)
    no_storm(pair, 200)
    ill.clear()
    sees_it_again(gateway, COOLDOWN + 3.0)


def test_flapping(launch: Launch, pair: Pair) -> None:
    """It comes and goes, faster than any rest lasts."""
    ill, _ = pair
    gateway = start(launch, *pair)
    over = threading.Event()

    def flap() -> None:
        while not over.wait(0.07):
            ill.vanish()
            over.wait(0.07)
            ill.come_back()

    flapper = threading.Thread(target=flap)
    flapper.start()
    try:
        served = ask_many(gateway, "m", 400)
    finally:
        over.set()
        flapper.join()
    all_served(list(served))
    no_storm(pair, 400)
    sees_it_again(gateway)


def test_swallowed_by_the_network(launch: Launch, pair: Pair) -> None:
    """Not even a connection is refused, as behind a firewall that drops."""
    _, well = pair
    with Blackhole() as hole:
        gateway = start(launch, f"{hole.url}/v1", well)
        served = ask_many(gateway, "m", 200)
    all_served(list(served))
    assert sum(one.seconds > 0.4 for one in served) <= 20, "one dead host slows nobody"
    assert sum(one.attempts for one in served) <= STORM * 200


def test_a_machine_whose_packets_are_dropped_from_one_moment_to_the_next(launch: Launch, pair: Pair) -> None:
    """Connections that were in use go dark, and no new one is answered; then the network is back."""
    _, well = pair
    with FarMachine() as far:
        gateway = start(launch, far.base_url, well, timeout=1)
        before = ask_many(gateway, "m", 60)
        assert {one.by for one in before} == {"ill", "well"}
        far.drop()
        served = ask_many(gateway, "m", 200)
        all_served(list(served))
        assert sum(one.seconds > 0.4 for one in served) <= 20, "one dead host slows nobody"
        assert sum(one.attempts for one in served) <= STORM * 200
        far.pass_again()
        sees_it_again(gateway, COOLDOWN + 3.0)


def test_a_name_that_nobody_knows(launch: Launch, pair: Pair) -> None:
    _, well = pair
    gateway = start(launch, "http://no-such-host.invalid:8000/v1", well)
    served = ask_many(gateway, "m", 200)
    all_served(list(served))
    assert sum(one.attempts for one in served) <= STORM * 200


SHAKY = """
import os, socket, uvloop
_connect, _file = uvloop.Loop.create_connection, os.environ["NAMES_FILE"]


async def shaky(self, factory, host=None, port=None, **more):
    if host == "shaky.example":
        if not os.path.exists(_file):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host = "127.0.0.1"
    return await _connect(self, factory, host, port, **more)


uvloop.Loop.create_connection = shaky
"""


def test_names_that_go_and_come_back(launch: Launch, pair: Pair, tmp_path: Path) -> None:
    """The name server of the one stops to know it while it is in use; connections there have to be made anew."""
    (tmp_path / "sitecustomize.py").write_text(SHAKY)
    names = tmp_path / "names"
    names.touch()
    ill, well = pair
    gateway = start(
        launch, f"http://shaky.example:{ill.port}/v1", well,
        env={"PYTHONPATH": str(tmp_path), "NAMES_FILE": str(names)},
    )  # fmt: skip
    assert {one.by for one in ask_many(gateway, "m", 40)} == {"ill", "well"}
    names.unlink()
    ill.vanish()
    ill.come_back()
    served = ask_many(gateway, "m", 200)
    all_served(list(served))
    assert {one.by for one in served} == {"well"}
    assert sum(one.attempts for one in served) <= STORM * 200
    names.touch()
    sees_it_again(gateway)


def test_an_overload_told_at_the_start_of_each_stream(launch: Launch, pair: Pair) -> None:
    ill, _ = pair
    gateway = start(launch, *pair)
    first = chat_chunks([], None)[:1]
    ill.always(Reply.stream([*first, {"error": {"message": "Overloaded", "code": 529}}], done=False))
    served = ask_many(gateway, "m", 200, stream=True)
    all_served(list(served))
    assert all(b"Overloaded" not in one.body for one in served)
    no_storm(pair, 200)
    ill.clear()
    sees_it_again(gateway)


def test_one_that_breaks_off_in_the_middle_is_not_asked_twice_for_one_answer(launch: Launch, pair: Pair) -> None:
    ill, _ = pair
    gateway = start(launch, *pair)
    ill.always(faults.reset_in_stream(chat_chunks(["Hello", " you"], None)[:3]))
    served = ask_many(gateway, "m", 60, stream=True)
    all_served(list(served))
    broken = [one for one in served if one.by == "ill"]
    assert broken and all(b'"error"' in one.body and b"Hello" in one.body for one in broken), "and it is said"
    assert all(one.attempts == 1 for one in served)
    assert len(broken) < 20, "it rests"
    ill.clear()
    sees_it_again(gateway)


# -- all of them ---------------------------------------------------------------------------------------


def test_a_storm_of_429(launch: Launch, pair: Pair) -> None:
    gateway = start(launch, *pair)
    for upstream in pair:
        upstream.always(Reply.error(429, retry_after="1"))
    served = ask_many(gateway, "m", 200)
    assert {one.status for one in served} == {429}
    no_storm(pair, 200)
    for upstream in pair:
        upstream.clear()
    time.sleep(1.1)  # what they asked for
    all_served(list(ask_many(gateway, "m", 50)))


def test_a_lone_upstream_that_fails_every_request(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("m", upstream)], "router_settings": {"num_retries": 5}})
    upstream.always(Reply.error(500))
    served = ask_many(gateway, "m", 150, at_once=16)
    assert {one.status for one in served} == {502}
    assert len(upstream.inference) <= STORM * 150
    assert "Not tried again: too many attempts have failed lately" in gateway.chat("m").error["message"]
    upstream.clear()
    all_served(list(ask_many(gateway, "m", 20)))


def test_a_lone_one_that_comes_and_goes_loses_few_requests(launch: Launch, upstream: FakeOpenAI) -> None:
    """Ten of two hundred fail, and each is made good by the retry that follows."""
    gateway = launch({"model_list": [openai_entry("m", upstream)]})
    for _ in range(10):
        all_served(list(ask_many(gateway, "m", 19, at_once=4)))
        upstream.script(faults.reset_before_head())
        assert gateway.chat("m").status == 200
    assert len(upstream.inference) <= STORM * 200


def test_what_alone_serves_and_is_down_is_passed_over_for_its_fallback(launch: Launch, pair: Pair) -> None:
    ill, well = pair
    gateway = launch({
        "model_list": [openai_entry("m", ill, {"id": "ill"}), openai_entry("spare", well, {"id": "well"})],
        "router_settings": {"cooldown_time": COOLDOWN, "fallbacks": [{"m": ["spare"]}]},
    })  # fmt: skip
    ill.vanish()
    served = ask_many(gateway, "m", 200)
    all_served(list(served))
    assert sum(one.attempts for one in served) <= STORM * 200
    ill.come_back()
    sees_it_again(gateway)


def test_local_hosts_that_are_all_down_are_found_again_at_once(launch: Launch) -> None:
    with FakeOllama([OllamaModel("llama3.1:8b")]) as one, FakeOllama([OllamaModel("llama3.1:8b")]) as two:
        gateway = launch({
            "model_list": [ollama_entry("m", host, "llama3.1:8b", {"id": str(host.port)}) for host in (one, two)],
            "router_settings": {"num_retries": 0, "cooldown_time": 60},
        })  # fmt: skip
        one.vanish()
        two.vanish()
        assert {served.status for served in ask_many(gateway, "m", 10)} == {503}, "never 429"
        one.come_back()
        two.come_back()
        statuses = [gateway.chat("m").status for _ in range(4)]
        assert statuses[-1] == 200 and statuses.count(200) >= 3, statuses


# -- the clock -----------------------------------------------------------------------------------------

JUMPY = """
import os, time
_wall, _file = time.time, os.environ["CLOCK_OFFSET_FILE"]


def jumpy():
    try:
        with open(_file) as file:
            return _wall() + float(file.read() or 0)
    except OSError:
        return _wall()


time.time = jumpy
"""


def test_a_wall_clock_that_jumps_changes_no_rest_no_pause_and_no_timeout(
    launch: Launch, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(JUMPY)
    offset = tmp_path / "offset"
    ill, well = pair
    entries = [openai_entry("m", server, {"id": name}, api_key=f"sk-{name}", timeout=5)
               for name, server in (("ill", ill), ("well", well))]  # fmt: skip
    gateway = launch(
        {"model_list": entries, "router_settings": {"cooldown_time": 3}},
        env={"PYTHONPATH": str(tmp_path), "CLOCK_OFFSET_FILE": str(offset)},
    )
    ill.always(Reply.error(401))
    while not ill.inference:
        all_served(list(ask_many(gateway, "m", 1)))
    rested_at = time.monotonic()
    for jump in ("86400", "-86400", "0"):
        offset.write_text(jump)
        all_served(list(ask_many(gateway, "m", 20)))
    assert time.monotonic() - rested_at < 2.9, "so that what follows means something"
    assert len(ill.inference) == 1, "it rests on, whatever the wall says"
    ill.clear()
    time.sleep(max(0.0, 3.1 - (time.monotonic() - rested_at)))
    sees_it_again(gateway, 2.0)
