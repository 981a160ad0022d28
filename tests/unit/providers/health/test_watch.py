from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pointsman.core.errors import Unreachable
from pointsman.providers.discovery import FoundHost, FoundModel
from pointsman.providers.health import HealthSettings, HealthWatch, SharedFetcher
from pointsman.providers.health.verdict import host_of
from pointsman.providers.transport import FetchReply
from tests.unit.providers.health.parts import StillClock, Wire, admittance, deployment

TAGS = "http://h:11434/api/tags"
MODELS = [deployment("ollama", f"m{number}", "http://h:11434", api_key=None) for number in range(30)]


def standing() -> Wire:
    wire = Wire()
    wire.says(TAGS, {"models": [{"name": f"m{number}:latest"} for number in range(30)]})
    return wire


def watch(wire: Wire, clock: StillClock, **parts: Any) -> HealthWatch:
    return HealthWatch(wire, admittance(wire, clock), clock=clock, **parts)


async def test_thirty_models_of_one_server_are_one_question() -> None:
    wire, clock = standing(), StillClock()
    found = await watch(wire, clock).verdicts(MODELS, "me")
    assert [verdict.healthy for verdict in found.values()] == [True] * 30
    assert len(wire.asked) == 1


async def test_what_was_just_asked_is_not_asked_again() -> None:
    wire, clock = standing(), StillClock()
    health = watch(wire, clock)
    for seconds in (0.0, 4.0, 2.0):
        clock.now += seconds
        await health.verdicts(MODELS, "me")
    assert len(wire.asked) == 2


async def test_many_who_ask_at_once_ask_once() -> None:
    wire, clock = standing(), StillClock()
    health = watch(wire, clock)
    await asyncio.gather(*(health.verdicts(MODELS, "me") for _ in range(20)))
    assert len(wire.asked) == 1


async def test_who_has_just_answered_is_not_asked() -> None:
    wire, clock = Wire(), StillClock()
    health = watch(wire, clock, answered_at=lambda one: 990.0 if one.id == "ollama-m0" else None)
    found = await health.verdicts(MODELS[:2], "me")
    assert [(verdict.healthy, verdict.source) for verdict in found.values()] == [(True, "traffic"), (False, "checked")]
    clock.now += 30.0
    assert not (await health.verdicts(MODELS[:1], "me"))["ollama-m0"].healthy


@pytest.mark.parametrize(
    ("online", "names", "healthy"), [(True, ("m0",), True), (True, (), False), (False, ("m0",), False)]
)
async def test_of_a_watched_server_nothing_is_asked(online: bool, names: tuple[str, ...], healthy: bool) -> None:
    models = tuple(FoundModel(f"{name}:latest", name) for name in names)
    host = FoundHost("ollama", "http://h:11434", online=online, models=models, problem=None if online else "Gone.")
    wire, clock = Wire(), StillClock()
    verdict = (await watch(wire, clock, hosts=lambda: (host,)).verdicts(MODELS[:1], "me"))["ollama-m0"]
    assert (verdict.healthy, verdict.source, wire.asked) == (healthy, "watched", [])
    assert healthy or verdict.hint


class _Slow(Wire):
    """Never answers."""

    async def fetch(self, method: str, url: str, **_: Any) -> FetchReply:
        self.asked.append((url, {}))
        await asyncio.Event().wait()
        raise AssertionError


async def test_nobody_waits_longer_than_the_bound() -> None:
    wire, clock = _Slow(), StillClock()
    health = watch(wire, clock)
    found = await health.verdicts(MODELS[:1], "me", wait_seconds=0.01)
    assert (found["ollama-m0"].source, found["ollama-m0"].healthy) == ("not checked", True)
    again = await health.verdicts(MODELS[:1], "me", wait_seconds=0.01)
    assert again["ollama-m0"].notes


async def test_in_the_background_only_what_is_wanted_is_looked_at_and_nobody_waits() -> None:
    wire, clock = standing(), StillClock()
    left_out = deployment(
        "ollama", "m1", "http://h:11434", api_key=None, told={"disable_background_health_check": b"true"}
    )
    settings = HealthSettings(background=True, groups=frozenset({"m0", "m1"}))
    health = watch(wire, clock, settings=settings)
    assert (await health.verdicts([MODELS[0]], "me"))["ollama-m0"].source == "not checked"
    assert wire.asked == []
    await health.round([MODELS[0], left_out, MODELS[2]])
    found = await health.verdicts([MODELS[0], left_out, MODELS[2]], "me")
    assert [verdict.source for verdict in found.values()] == ["checked", "not checked", "not checked"]
    assert len(wire.asked) == 1
    clock.now += 3600.0
    assert (await health.verdicts([MODELS[0]], "me"))["ollama-m0"].source == "checked"
    assert len(wire.asked) == 1
    assert health.known(MODELS[0]) is None, "after two intervals it is too old to go by"


async def test_who_is_never_to_be_checked_is_not_when_somebody_asks_either() -> None:
    wire, clock = standing(), StillClock()
    left_out = deployment(
        "ollama", "m1", "http://h:11434", api_key=None, told={"disable_background_health_check": b"true"}
    )
    health = watch(wire, clock, settings=HealthSettings(skip_disabled=True))
    assert (await health.verdicts([left_out], "me"))["ollama-m1"].source == "not checked"
    assert wire.asked == []


async def test_the_loop_follows_its_settings() -> None:
    wire, clock = standing(), StillClock()
    health = watch(wire, clock)
    running = asyncio.create_task(health.run(lambda: MODELS))
    await asyncio.sleep(0)
    assert wire.asked == []
    health.settings = HealthSettings(background=True)
    health.settings_changed()
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(wire.asked) == 1
    running.cancel()


async def test_history_tells_of_changes_and_once_an_hour() -> None:
    wire, clock = standing(), StillClock()
    health = watch(wire, clock, settings=HealthSettings(background=True))
    one = MODELS[:1]
    for _ in range(24):
        await health.round(one)
        clock.now += 300.0
    wire.replies.clear()
    await health.round(one)
    assert [entry.status for entry in health.book.history()] == ["unhealthy", "healthy", "healthy"]
    await health.round([])
    assert health.book.latest("ollama-m0") is None
    assert len(list(health.book.history())) == 3


@pytest.mark.parametrize(
    ("said", "seconds"), [(b"2", 2.0), (b'"3.5"', 3.5), (b"900", 60.0), (b'"x"', 5.0), (b"0", 5.0)]
)
async def test_a_model_may_have_a_patience_of_its_own(said: bytes, seconds: float) -> None:
    seen: list[float] = []

    class Noting(Wire):
        async def fetch(self, method: str, url: str, **given: Any) -> FetchReply:
            seen.append(given["timeout_seconds"])
            return FetchReply(200, (), b'{"models":[]}')

    one = deployment("ollama", "m0", "http://h:11434", told={"health_check_timeout": said})
    await watch(Noting(), StillClock()).verdicts([one], "me")
    assert seen == [seconds]


async def test_a_dead_server_is_found_dead_once() -> None:
    wire = Wire()
    shared = SharedFetcher(wire)
    for _ in range(3):
        with pytest.raises(Unreachable):
            await shared.fetch("GET", TAGS)
    assert len(wire.asked) == 1


async def test_few_servers_are_asked_at_a_time() -> None:
    most = now = 0

    class Counting(Wire):
        async def fetch(self, method: str, url: str, **_: Any) -> FetchReply:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            return FetchReply(200, (), b"{}")

    shared = SharedFetcher(Counting(), concurrency=3)
    await asyncio.gather(*(shared.fetch("GET", f"http://h{number}/x") for number in range(20)))
    assert most == 3


@pytest.mark.parametrize(
    ("api_base", "found"),
    [
        ("http://h:11434", True),
        ("http://h:11434/v1", True),
        ("http://h:11434/a/b", True),
        ("http://h:114345", False),
        ("http://h", False),
        ("", False),
    ],
)
def test_a_deployment_is_on_a_server_at_its_address_or_below_it(api_base: str, found: bool) -> None:
    host = FoundHost("ollama", "http://h:11434", online=True)
    assert (host_of(deployment("ollama", "m", api_base), {host.url: host}) is host) is found
