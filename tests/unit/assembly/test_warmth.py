"""From the configuration to what is to be kept warm, and who says when it cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pointsman.assembly.host_settings import as_its_host_has_it, equip_hosts
from pointsman.assembly.warmth import WarmKeeper, idle_rules, warm_rules
from pointsman.config.load import Loaded, load
from pointsman.core.errors import Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.core.upstream import Deployment
from pointsman.providers.loading import ModelLoader
from pointsman.routing.hosts import Fleet, WakeRule
from pointsman.routing.power import Power
from pointsman.routing.router import Router
from pointsman.routing.table import RoutingTable
from tests.unit.policies.desk import FakeClock


def loaded(tmp_path: Path, text: str) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load(path, {})


def deployment(**changes: object) -> Deployment:
    values: dict[str, object] = {
        "id": "d", "group": "g", "provider": "ollama", "model": "m", "litellm_model": "", "price": None, "local": True,
        "api_base": "http://gpu1:11434", "charges": False,
    }  # fmt: skip
    return Deployment(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("10h", 36_000), ("1h30m", 5400), (90, 90), ("'-1s'", None), (-1, None), ("1.5m", 90), ("500ms", 0.5)],
)
def test_how_long_a_model_is_kept(tmp_path: Path, said: object, seconds: float | None) -> None:
    (rule,) = warm_rules(loaded(tmp_path, f"pointsman: {{warm_up: [{{model: m, keep_alive: {said}}}]}}"))
    assert rule.keep_seconds == seconds


@pytest.mark.parametrize(
    "said",
    [
        "warm_up: [{model: m, keep_alive: soon}]",
        "keep_alive: 5 minutes",
        "local_hosts: [{api_base: 'http://a:1', keep_alive: x}]",
    ],
)
def test_a_time_that_is_none_is_refused_with_its_place(tmp_path: Path, said: str) -> None:
    with pytest.raises(Misconfigured, match=r"keep_alive: expected seconds, or a duration"):
        warm_rules(loaded(tmp_path, f"pointsman: {{{said}}}"))


def test_a_time_of_the_week_that_is_none_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="a time of day and days"):
        loaded(tmp_path, "pointsman: {warm_up: [{model: m, at: ['7:30 weekdays']}]}")


def test_a_model_with_a_time_is_not_loaded_at_the_start_unless_said_so(tmp_path: Path) -> None:
    text = "pointsman: {warm_up: [{model: a}, {model: b, at: ['7:30']}, {model: c, at: ['7:30'], on_start: true}]}"
    assert [rule.on_start for rule in warm_rules(loaded(tmp_path, text))] == [True, False, True]


def test_when_idle_models_are_unloaded(tmp_path: Path) -> None:
    text = """
pointsman:
  unload_after_seconds: 600
  unload_after_seconds_by_model: {coder: 0}
  local_hosts: [{api_base: 'http://GPU1:11434/v1', unload_after_seconds: 60}, {api_base: 'http://gpu2:11434'}]
"""
    rules = idle_rules(loaded(tmp_path, text))
    assert rules.seconds("coder", "http://gpu1:11434") == 0
    assert rules.seconds("other", "http://gpu1:11434") == 60
    assert rules.seconds("other", "http://gpu2:11434") == 600


def test_hosts_are_told_how_they_are_woken_and_what_they_draw(tmp_path: Path) -> None:
    text = """
pointsman:
  local_hosts:
    - {api_base: 'http://gpu1:11434', wake_on_lan: '01-23-45-67-89-AB', watts_busy: 350, watts_idle: 60, price_kwh: 0.2}
    - {api_base: 'http://gpu2:11434', wake_on_lan: '01:23:45:67:89:ab@192.168.7.255:7'}
"""
    fleet, settings = Fleet(), loaded(tmp_path, text).settings.local
    equip_hosts(fleet, settings)
    first, second = fleet.at("http://gpu1:11434"), fleet.at("http://gpu2:11434")
    mac = bytes.fromhex("0123456789ab")
    assert (first.wake, second.wake) == (WakeRule(mac), WakeRule(mac, "192.168.7.255", 7))
    assert isinstance(first.power, Power)
    assert (first.power.watts_busy, first.power.watts_idle, first.power.price_kwh) == (350, 60, 0.2)
    assert second.power is None
    kept = first.power
    equip_hosts(fleet, settings)
    assert first.power is kept, "its meter goes on"
    equip_hosts(fleet, loaded(tmp_path, "{}").settings.local)
    assert {first.wake, first.power} == {None}


def test_deployments_are_told_what_is_said_of_their_host(tmp_path: Path) -> None:
    text = """
pointsman:
  keep_alive: 30m
  upstream_first_byte_timeout_seconds: 90
  energy_counts_as_spend: true
  local_hosts: [{api_base: 'http://gpu1:11434', keep_alive: 2h, watts_busy: 350, price_kwh: 0.2}]
"""
    settings = loaded(tmp_path, text).settings.local
    told = as_its_host_has_it(deployment(), settings)
    assert (bytes(told.keep_alive or b""), told.timeouts.first_byte, told.charges) == (b'"2h"', 90, True)
    other = as_its_host_has_it(deployment(api_base="http://gpu2:11434"), settings)
    assert (bytes(other.keep_alive or b""), other.charges) == (b'"30m"', False)
    cloud = deployment(local=False, api_base="https://api.example/v1")
    assert as_its_host_has_it(cloud, settings) is cloud
    plain = deployment()
    assert as_its_host_has_it(plain, loaded(tmp_path, "{}").settings.local) is plain


async def test_a_model_that_no_local_host_serves_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    router = Router(RoutingTable([deployment(local=False)]))
    loader = ModelLoader(None, None, None)  # type: ignore[arg-type] # nobody is asked
    keeper = WarmKeeper(router, loader, Nursery(lambda _name, _error: None), clock, sees_all_calls=True)
    keeper.follow(loaded(tmp_path, "pointsman: {warm_up: [{model: g}, {model: nosuch}]}"))
    with caplog.at_level(logging.WARNING):
        keeper.step()
        assert caplog.records == []
        clock.now += 31
        keeper.step()
        keeper.step()
    assert [record.args for record in caplog.records] == [("g",), ("nosuch",)]
