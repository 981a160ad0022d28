"""A reload: read beside the loop, taken over as a whole or not at all."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.assembly import gateway as gateway_module
from pointsman.assembly.configuration import read_configuration
from pointsman.assembly.gateway import Gateway
from pointsman.assembly.plan import ServePlan
from pointsman.config.load import Loaded, load
from pointsman.policies.durations import ResetClock
from pointsman.providers.media import MediaLimits

READING_SECONDS = 0.8


def config(*models: str, **sections: Any) -> dict[str, Any]:
    entries = [{"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": "http://127.0.0.1:9/v1"}}
               for name in models]  # fmt: skip
    return {"model_list": entries, **sections}


class Bench:
    """A gateway that is not served, and its file."""

    def __init__(self, gateway: Gateway, path: Path) -> None:
        self.gateway = gateway
        self._path = path

    async def reload(self, content: Mapping[str, Any]) -> None:
        self._path.write_text(yaml.safe_dump(dict(content)))
        await self.gateway.reload()

    @property
    def names(self) -> set[str]:
        return set(self.gateway.house.table.names)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config("one")))
    gateway = await Gateway.open(ServePlan("127.0.0.1", 4000, tmp_path, path), read_configuration(path))
    yield Bench(gateway, path)
    await gateway.close()


async def test_the_loop_goes_on_while_a_file_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: Path | None, environment: Mapping[str, str], *more: Any) -> Loaded:
        time.sleep(READING_SECONDS)
        return load(path, environment, *more)

    monkeypatch.setattr(gateway_module, "load", slow)
    reload = asyncio.ensure_future(bench.reload(config("two")))
    longest = 0.0
    while not reload.done():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - before)
        assert bench.names in ({"one"}, {"two"})
    await reload
    assert bench.names == {"two"}
    assert longest < READING_SECONDS * 0.8


async def test_key_defaults_that_no_key_can_have_refuse_the_whole_edit(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    app = bench.gateway.app.current
    await bench.reload(config("two", litellm_settings={"default_key_generate_params": {"duration": "soon"}}))
    assert bench.names == {"one"}
    assert bench.gateway.app.current is app
    assert "refused" in caplog.text and "default_key_generate_params" in caplog.text


async def test_deployments_that_cannot_be_made_refuse_the_whole_edit(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bad = config("two", general_settings={"max_request_size_mb": 1})
    bad["model_list"][0]["litellm_params"]["tiered_pricing"] = ["cheap"]
    before = bench.gateway.gate.body_bytes_max
    await bench.reload(bad)
    assert bench.names == {"one"}
    assert bench.gateway.gate.body_bytes_max == before
    assert "refused" in caplog.text and "tiered_pricing" in caplog.text


async def test_what_waits_for_a_restart_is_named_until_it_is_changed_back(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    changed: dict[str, dict[str, Any]] = {
        "general_settings": {"master_key": "sk-another-0123456789", "litellm_key_header_name": "X-Key"},
        "litellm_settings": {"json_logs": True, "set_verbose": True, "sse_keepalive_ping_interval_seconds": 3},
        "pointsman": {"ollama": ["http://10.0.0.7:11434"], "discovery": True},
    }
    paths = {f"{section}.{key}" for section, keys in changed.items() for key in keys}
    for content, expected in ((changed, paths), (changed, paths), ({}, set())):
        caplog.clear()
        await bench.reload(config("one", **content))
        told = {record.message.partition(":")[0] for record in caplog.records if "next start" in record.message}
        assert told == expected
    assert "sk-another" not in caplog.text


async def test_images_may_be_fetched_once_a_reload_says_so(bench: Bench) -> None:
    media = bench.gateway.media
    assert media.limits == MediaLimits(images=False)
    await bench.reload(config("one", pointsman={"fetch_remote_images": True, "fetch_remote_image_bytes_max": 7}))
    assert media.limits == MediaLimits(images=True, image_bytes_max=7)


@pytest.mark.parametrize("zone", ["Atlantis/Poseidonis", "../../etc/passwd", "/etc/localtime", "Europe"])
async def test_a_time_zone_that_is_none_refuses_the_edit(
    bench: Bench, caplog: pytest.LogCaptureFixture, zone: str
) -> None:
    await bench.reload(config("two", litellm_settings={"timezone": zone}))
    assert bench.names == {"one"}
    assert "litellm_settings.timezone" in caplog.text


@pytest.mark.parametrize(("said", "meant"), [("6:30", dt.time(6, 30)), ("23:05:09", dt.time(23, 5, 9))])
async def test_when_budgets_are_reset_follows_an_edit(bench: Bench, said: str, meant: dt.time) -> None:
    await bench.reload(config("one", litellm_settings={"timezone": "UTC", "budget_reset_time": said}))
    assert bench.gateway.storage.periods.reset_clock == ResetClock(UTC, meant)
    for wrong in ("24:00", "6", "6:3", "noon"):
        await bench.reload(config("two", litellm_settings={"budget_reset_time": wrong}))
    assert bench.names == {"one"}


async def test_a_good_edit_says_how_many_models_there_are(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pointsman"):
        await bench.reload(config("one", "two"))
    assert "reloaded: 2 models" in caplog.text
