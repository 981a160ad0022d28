"""What each make of local server tells of its memory and its work."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.errors import Unreachable, UpstreamFailed
from pointsman.providers.discovery import HostKind, InMemory, ServerState
from pointsman.providers.discovery.state import StateProbe
from tests.unit.providers.scripted import FakeClock, ScriptedFetcher

AT = "127.0.0.1:8080"


def server(pages: dict[str, Any]) -> ScriptedFetcher:
    fetcher = ScriptedFetcher()
    fetcher.pages[AT] = pages
    return fetcher


def probe(fetcher: ScriptedFetcher, kind: HostKind, headers: tuple[tuple[str, str], ...] = ()) -> StateProbe:
    return StateProbe(fetcher, f"http://{AT}", kind, headers, clock=FakeClock())


async def look(kind: HostKind, pages: dict[str, Any]) -> ServerState:
    return await probe(server(pages), kind).look()


def cards(*models: dict[str, Any]) -> dict[str, Any]:
    return {"data": list(models)}


async def test_ollama_tells_sizes_context_and_until_when() -> None:
    rows = [
        {
            "name": "a:1b",
            "size": 9,
            "size_vram": 4,
            "context_length": 8192,
            "expires_at": "1970-01-01T01:17:40.5+01:00",
        },
        {"name": "b:1b", "size": 5, "size_vram": 5, "expires_at": "2318-01-01T00:00:00.123456789Z"},
        {"name": "c:1b"},
    ]
    state = await look("ollama", {"/api/ps": {"models": rows}})
    assert state.loaded is not None
    first, second, third = state.loaded
    assert (first.name, first.size_bytes, first.vram_bytes, first.context_tokens) == ("a:1b", 9, 4, 8192)
    assert first.expires_in == pytest.approx(60.5)
    assert (second.expires_in, third.expires_in) == (None, None)


async def test_a_server_behind_a_key_is_shown_it() -> None:
    fetcher = server({"/api/ps": {"models": None}})
    assert (await probe(fetcher, "ollama", (("Authorization", "Bearer x"),)).look()).loaded == ()
    assert fetcher.sent_headers == [(("Authorization", "Bearer x"),)]


async def test_llama_cpp_tells_its_slots_and_how_many_work() -> None:
    pages = {
        "/v1/models": cards({"id": "m.gguf", "owned_by": "llamacpp"}),
        "/props": {"total_slots": 4},
        "/slots": [{"id": 0, "is_processing": True}, {"id": 1, "is_processing": False}],
    }
    fetcher = server(pages)
    watched = probe(fetcher, "llama_cpp")
    assert await watched.look() == ServerState("llama_cpp", (InMemory("m.gguf"),), slots=4, running=1)
    del pages["/slots"]
    assert (await watched.look()).running is None
    await watched.look()
    assert fetcher.count(f"GET {AT}/slots") == 2, "who has none is not asked again"


async def test_a_llama_cpp_that_can_sleep_is_not_kept_awake() -> None:
    pages: dict[str, Any] = {
        "/v1/models": cards({"id": "m.gguf", "owned_by": "llamacpp"}),
        "/props": {"total_slots": 2, "is_sleeping": False, "endpoint_metrics": False},
        "/slots": [{"id": 0, "is_processing": True}],
    }
    fetcher = server(pages)
    watched = probe(fetcher, "llama_cpp")
    assert await watched.look() == ServerState("llama_cpp", (InMemory("m.gguf"),), slots=2)
    pages["/props"] = {"total_slots": 2, "is_sleeping": False, "endpoint_metrics": True}
    pages["/metrics"] = b"llamacpp:requests_processing 2\nllamacpp:requests_deferred 5\n"
    assert await watched.look() == ServerState("llama_cpp", (InMemory("m.gguf"),), slots=2, running=2, waiting=5)
    pages["/props"] = {"total_slots": 2, "is_sleeping": True, "endpoint_metrics": True}
    assert await watched.look() == ServerState("llama_cpp", (), slots=2, running=0)
    assert fetcher.count(f"GET {AT}/slots") == 0


async def test_a_router_of_llama_cpp_tells_which_are_loaded() -> None:
    models = [{"id": name, "owned_by": "llamacpp", "status": {"value": value}} for name, value in
              (("a", "loaded"), ("b", "unloaded"), ("c", "loading"))]  # fmt: skip
    state = await look("llama_cpp", {"/v1/models": cards(*models)})
    assert state.loaded == (InMemory("a"),)


async def test_a_router_of_llama_cpp_is_asked_by_the_names_of_what_is_loaded_and_loads_nothing_for_it() -> None:
    loaded = [{"id": name, "owned_by": "llamacpp", "status": {"value": "loaded"}} for name in ("a/b", "c")]
    rest = {"id": "d", "owned_by": "llamacpp", "status": {"value": "unloaded"}}
    props = {"total_slots": 3, "is_sleeping": False, "endpoint_metrics": True}
    pages: dict[str, Any] = {"/v1/models": cards(*loaded, rest)}
    for name, work in (("a%2Fb", 1), ("c", 2)):
        pages[f"/props?model={name}&autoload=false"] = props
        pages[f"/metrics?model={name}&autoload=false"] = f"llamacpp:requests_processing {work}\n".encode()
    state = await look("llama_cpp", pages)
    assert state == ServerState("llama_cpp", (InMemory("a/b"), InMemory("c")), slots=3, running=3)


@pytest.mark.parametrize(
    ("kind", "running", "waiting"),
    [("vllm", "vllm:num_requests_running", "vllm:num_requests_waiting"),
     ("sglang", "sglang:num_running_reqs", "sglang:num_queue_reqs")],
)  # fmt: skip
async def test_batching_servers_tell_what_runs_and_waits(kind: HostKind, running: str, waiting: str) -> None:
    text = (
        f"# HELP {running} Requests.\n# TYPE {running} gauge\n"
        f'{running}{{engine="0",model_name="m"}} 3.0\n{running}{{engine="1",model_name="m"}} 2.0\n'
        f'{waiting}{{model_name="m"}} 7.0\n{waiting}_by_reason{{reason="capacity"}} 5.0\n'
    )
    models = cards({"id": "m", "owned_by": kind, "max_model_len": 4096})
    state = await look(kind, {"/v1/models": models, "/metrics": text.encode()})
    assert state == ServerState(kind, (InMemory("m", context_tokens=4096),), running=5, waiting=7)


@pytest.mark.parametrize(("awake", "loaded"), [("1.0", (InMemory("m"),)), ("0.0", ())])
async def test_a_vllm_that_sleeps_has_nothing_in_its_memory(awake: str, loaded: tuple[InMemory, ...]) -> None:
    """https://docs.vllm.ai/en/latest/features/sleep_mode, as /metrics tells of it."""
    told = (
        f'vllm:engine_sleep_state{{engine="0",model_name="m",sleep_state="awake"}} {awake}\n'
        'vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="discard_all"} 0.0\n'
    )
    models = cards({"id": "m", "owned_by": "vllm"})
    assert (await look("vllm", {"/v1/models": models, "/metrics": told.encode()})).loaded == loaded


async def test_a_batching_server_without_metrics_is_not_asked_for_them_again() -> None:
    fetcher = server({"/v1/models": cards({"id": "m", "owned_by": "sglang"})})
    watched = probe(fetcher, "sglang")
    assert (await watched.look()).running is None
    await watched.look()
    assert fetcher.count(f"GET {AT}/metrics") == 1


async def test_lm_studio_tells_what_is_loaded_in_its_old_api_and_its_new() -> None:
    old = {
        "data": [
            {"id": "a", "type": "llm", "state": "loaded", "loaded_context_length": 8},
            {"id": "b", "type": "llm", "state": "not-loaded"},
        ]
    }
    assert (await look("lm_studio", {"/api/v0/models": old})).loaded == (InMemory("a", context_tokens=8),)
    new = {"models": [
        {"key": "a", "size_bytes": 7, "loaded_instances": [{"id": "a", "config": {"context_length": 8}}]},
        {"key": "b", "loaded_instances": []},
    ]}  # fmt: skip
    assert (await look("lm_studio", {"/api/v1/models": new})).loaded == (InMemory("a", 7, context_tokens=8),)


async def test_who_only_speaks_openais_api_is_found_out() -> None:
    pages = {
        "/v1/models": cards({"id": "m:latest", "owned_by": "library"}),
        "/api/ps": {"models": [{"name": "m:latest"}]},
    }
    watched = probe(server(pages), "openai")
    assert (await watched.look()).loaded == (InMemory("m:latest"),)
    assert watched.kind == "ollama"
    assert await look("openai", {"/v1/models": cards({"id": "m", "owned_by": "acme"})}) == ServerState("openai")


async def test_silence_and_nonsense_are_told_apart() -> None:
    with pytest.raises(Unreachable):
        await probe(ScriptedFetcher(), "ollama").look()
    with pytest.raises(UpstreamFailed) as caught:
        await look("openai", {})
    assert not isinstance(caught.value, Unreachable)


async def test_a_vllm_without_metrics_tells_of_its_sleep_where_it_has_any() -> None:
    models = cards({"id": "m", "owned_by": "vllm"})
    assert (await look("vllm", {"/v1/models": models, "/is_sleeping": {"is_sleeping": True}})).loaded == ()
    awake = {"/v1/models": models, "/is_sleeping": {"is_sleeping": False}}
    assert (await look("vllm", awake)).loaded == (InMemory("m"),)
    fetcher = server({"/v1/models": models})
    watched = probe(fetcher, "vllm")
    assert (await watched.look(), await watched.look())[1].loaded == (InMemory("m"),)
    assert fetcher.count(f"GET {AT}/is_sleeping") == 1, "who never sleeps is not asked again"


@pytest.mark.parametrize(
    "pages",
    [
        {"/v1/loads": {"loads": [{"dp_rank": 0, "num_running_reqs": 3, "num_waiting_reqs": 1},
                                 {"dp_rank": 1, "num_running_reqs": 2, "num_waiting_reqs": 0}]}},
        {"/get_load": [{"dp_rank": 0, "num_reqs": 4, "num_waiting_reqs": 1}, {"num_reqs": 2, "num_waiting_reqs": 0}]},
    ],
)  # fmt: skip
async def test_a_sglang_without_metrics_tells_its_load_otherwise(pages: dict[str, Any]) -> None:
    state = await look("sglang", {"/v1/models": cards({"id": "m", "owned_by": "sglang"}), **pages})
    assert (state.running, state.waiting) == (5, 1)
