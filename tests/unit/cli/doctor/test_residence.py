from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.cli.doctor.residence import residence
from pointsman.providers.health import Hop
from pointsman.providers.ollama import OllamaControl
from tests.unit.providers.health.parts import deployment
from tests.unit.providers.scripted import ScriptedFetcher

HOST = "h:11434"
CHATS = ["completion", "tools"]


async def hops(
    *, running: dict[str, Any] | None = None, shown: dict[str, Any] | None = None, **changes: Any
) -> tuple[Hop, ...]:
    info = {"general.architecture": "llama", "llama.context_length": 131_072}
    fetcher = ScriptedFetcher()
    fetcher.pages[HOST] = {
        "/api/show": {"capabilities": CHATS, "model_info": info, **(shown or {})},
        "/api/ps": {"models": [] if running is None else [{"name": "m:latest", **running}]},
    }
    one = deployment("ollama_chat", "m", f"http://{HOST}", **changes)
    return await residence(one, OllamaControl(fetcher, f"http://{HOST}"))


@pytest.mark.parametrize(
    ("running", "status", "words"),
    [
        (None, "ok", "not in memory: the first request loads it; it can take up to 131072 tokens"),
        (
            {"size": 5e9, "size_vram": 5e9, "context_length": 8192},
            "ok",
            "in the GPU's memory (5.0 GB, for 8192 tokens)",
        ),
        ({"size": 5e9, "size_vram": 2e9, "context_length": 8192}, "warning", "Only 2.0 of 5.0 GB"),
        ({"size": 5e9, "size_vram": 0}, "warning", "runs on the CPU"),
    ],
)
async def test_where_a_model_is(running: dict[str, Any] | None, status: str, words: str) -> None:
    loaded = None if running is None else json.loads(json.dumps({name: int(value) for name, value in running.items()}))
    (hop,) = await hops(running=loaded)
    assert (hop.name, hop.status) == ("memory", status) and words in hop.told
    assert (hop.hint is not None) is (status == "warning")


async def test_a_model_in_the_cloud_is_nowhere_here() -> None:
    (hop,) = await hops(shown={"remote_host": "https://ollama.com"})
    assert "cloud" in hop.told


async def test_a_window_beyond_the_model_is_warned_of() -> None:
    _, hop = await hops(num_ctx=200_000)
    assert hop.status == "warning" and "131072" in (hop.hint or "")


async def test_a_window_that_others_loaded_is_warned_of() -> None:
    running = {"size": 5, "size_vram": 5, "context_length": 4096}
    _, hop = await hops(running=running, num_ctx=8192)
    assert hop.status == "warning" and "num_ctx 8192 loads it anew" in hop.told
    assert len(await hops(running={**running, "context_length": 8192}, num_ctx=8192)) == 1


@pytest.mark.parametrize(
    ("abilities", "mode", "hint"), [(["embedding"], "chat", "embedding"), (CHATS, "embedding", "chat")]
)
async def test_a_model_that_is_taken_for_another_kind_is_warned_of(abilities: list[str], mode: str, hint: str) -> None:
    _, hop = await hops(shown={"capabilities": abilities}, mode=mode)
    assert (hop.name, hop.status, hop.hint) == ("model", "warning", f"Set model_info.mode to {hint}.")


async def test_a_server_that_does_not_tell_is_a_failure() -> None:
    fetcher = ScriptedFetcher()
    one = deployment("ollama_chat", "m", f"http://{HOST}")
    (hop,) = await residence(one, OllamaControl(fetcher, f"http://{HOST}"))
    assert hop.failed
