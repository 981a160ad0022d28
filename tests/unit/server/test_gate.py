"""The sweep looks at every connection with one moment, and goes on until it is stopped."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.server import gate as gate_module
from tests.unit.server.protocol_script import Door


class Watched:
    def __init__(self) -> None:
        self.swept: list[float] = []

    def sweep(self, now: float) -> None:
        self.swept.append(now)

    def forget_head(self) -> None:
        pass

    def cut(self) -> None:
        self.swept.append(-1.0)


async def test_the_sweep_tells_every_connection_the_moment_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_SWEEP_SECONDS", 0)
    door, watched = Door(), [Watched(), Watched()]
    door.gate.connections.update(watched)
    running = door.stage.nursery.start(door.gate.run(), "sweep")
    await door.turn(lambda: watched[0].swept)
    door.stage.clock.now += 5
    await door.turn(lambda: 1005.0 in watched[0].swept)
    assert door.gate.now == 1005.0
    for each in watched:
        assert sorted(set(each.swept)) == [1000.0, 1005.0]
    running.cancel()
    await asyncio.wait([running])


async def test_a_connection_that_goes_during_the_sweep_does_not_disturb_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_SWEEP_SECONDS", 0)
    door, other = Door(), Watched()

    class Going(Watched):
        def sweep(self, now: float) -> None:
            super().sweep(now)
            door.gate.connections.discard(self)

    going = [Going() for _ in range(5)]
    door.gate.connections.update([*going, other])
    running = door.stage.nursery.start(door.gate.run(), "sweep")
    await door.turn(lambda: len(other.swept) > 1)
    assert [len(each.swept) for each in going] == [1] * 5 and door.gate.connections == {other}
    running.cancel()
    await asyncio.wait([running])


def test_at_the_end_every_connection_is_cut() -> None:
    door, watched = Door(), [Watched(), Watched()]
    door.gate.connections.update(watched)
    door.gate.cut_all()
    assert [each.swept for each in watched] == [[-1.0], [-1.0]]


def test_a_story_that_raised_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Door().gate.escaped(ZeroDivisionError("how odd"))
    assert "a request's story raised" in caplog.text and "how odd" in caplog.text


async def test_while_nobody_is_connected_the_sweep_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_SWEEP_SECONDS", 0)
    door, watched = Door(), Watched()
    door.gate.connections.clear()
    told: list[float] = []
    clock = door.stage.clock

    def monotonic() -> float:
        told.append(clock.now)
        return clock.now

    monkeypatch.setattr(clock, "monotonic", monotonic)
    running = door.stage.nursery.start(door.gate.run(), "sweep")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not told
    clock.now += 3600
    door.gate.enter(watched)
    assert door.gate.now == clock.now, "a deadline of who has just come counts from now"
    await door.turn(lambda: watched.swept)
    running.cancel()
    await asyncio.wait([running])


async def test_the_date_is_the_same_for_other_servers_on_the_port() -> None:
    door = Door()
    stamp = door.gate.stamp
    door.gate.connections.clear()
    door.stage.clock.now += 86_400
    door.gate.enter(Watched())
    assert door.gate.stamp is stamp
    [(name, value)] = stamp
    assert name + b": " + value + b"\r\n" == door.gate.date
