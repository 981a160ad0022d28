from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pointsman.core.price import FREE
from pointsman.providers.discovery import Discovery, FoundHost, FoundModel, Place, aliases, default_places, deployments
from pointsman.providers.discovery.discovery import FORGET_SECONDS, STRANGER_POLL_SECONDS
from tests.unit.providers.scripted import FakeClock, ScriptedFetcher

OLLAMA = "127.0.0.1:11434"
OTHER = "10.0.0.2:11434"


def tag(name: str, digest: str = "d1", **fields: Any) -> dict[str, Any]:
    details = {"family": "llama", "families": None, "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
    return {"name": name, "model": name, "digest": digest, "size": 2_000_000_000, "details": details, **fields}


def ollama_pages(*tags: dict[str, Any], **pages: Any) -> dict[str, Any]:
    return {
        "/api/version": {"version": "0.33.0"},
        "/api/tags": {"models": list(tags)},
        "/api/ps": {"models": []},
        "/api/show": {
            "capabilities": ["completion", "tools"],
            "model_info": {"general.architecture": "llama", "llama.context_length": 131_072},
        },
        **pages,
    }


class Bench:
    def __init__(self, *places: Place, **options: Any) -> None:
        self.clock = FakeClock()
        self.fetcher = ScriptedFetcher()
        self.changes: list[tuple[FoundHost, ...]] = []
        self.discovery = Discovery(
            self.fetcher, places or default_places(), on_change=self.changes.append, clock=self.clock, **options
        )

    async def only(self) -> FoundHost:
        (host,) = await self.discovery.scan()
        return host


async def test_nothing_there_is_found_out_with_one_question_per_place() -> None:
    bench = Bench()
    assert await bench.discovery.scan() == ()
    assert len(bench.fetcher.asked) == 5
    assert bench.changes == []


async def test_an_ollama_is_found_with_its_models_and_what_they_can_do() -> None:
    bench = Bench()
    bench.fetcher.pages[OLLAMA] = ollama_pages(
        tag("llama3.2:latest"),
        tag("qwen3:8b", "d2"),
        **{"/api/ps": {"models": [{"name": "qwen3:8b", "context_length": 4096}]}},
    )
    host = await bench.only()
    assert (host.kind, host.url, host.online, host.version) == ("ollama", f"http://{OLLAMA}", True, "0.33.0")
    assert host.models[0] == FoundModel(
        name="llama3.2:latest",
        group="llama3.2",
        aliases=("llama3.2:latest", "ollama/llama3.2", "ollama/llama3.2:latest"),
        context_tokens=131_072,
        capabilities=frozenset({"tools"}),
        size_bytes=2_000_000_000,
        parameter_size="3.2B",
        quantization="Q4_K_M",
        loaded=False,
    )
    assert (host.models[1].group, host.models[1].aliases, host.models[1].loaded) == (
        "qwen3:8b",
        ("ollama/qwen3:8b",),
        True,
    )


async def test_looking_never_makes_a_model_work() -> None:
    bench = Bench()
    bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a"))
    for page in ("127.0.0.1:1234", "127.0.0.1:8080", "127.0.0.1:8000", "127.0.0.1:30000"):
        bench.fetcher.pages[page] = {"/v1/models": {"data": [{"id": "m", "object": "model"}]}}
    for _ in range(10):
        await bench.discovery.scan()
    paths = {line.partition("/")[2] for line in bench.fetcher.asked}
    assert paths == {"api/version", "api/tags", "api/ps", "api/show", "v1/models", "api/v0/models", "props"}


async def test_a_model_is_shown_once_and_again_only_when_its_digest_changes() -> None:
    bench = Bench()
    pages = bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a"), tag("b"))
    await bench.discovery.scan()
    await bench.discovery.scan()
    assert bench.fetcher.count(f"POST {OLLAMA}/api/show") == 2
    pages["/api/tags"] = {"models": [tag("a", "d9"), tag("b")]}
    await bench.discovery.scan()
    assert bench.fetcher.count(f"POST {OLLAMA}/api/show") == 3


@pytest.mark.parametrize(
    ("capabilities", "family", "mode"),
    [
        (["embedding"], "nomic-bert", "embedding"),
        (["completion", "embedding"], "qwen3", "chat"),
        (["completion", "vision"], "gemma3", "chat"),
        (None, "nomic-bert", "embedding"),
        (None, "llama", "chat"),
    ],
)
async def test_an_embedding_model_is_known_as_one(capabilities: Any, family: str, mode: str) -> None:
    bench = Bench()
    bench.fetcher.pages[OLLAMA] = ollama_pages(
        tag("m", details={"family": family}), **{"/api/show": {"capabilities": capabilities}}
    )
    assert (await bench.only()).models[0].mode == mode


async def test_a_model_whose_description_fails_is_listed_without_it_and_asked_again() -> None:
    bench = Bench()
    pages = bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a"), **{"/api/show": (500, {"error": "x"})})
    assert (await bench.only()).models[0].context_tokens is None
    pages["/api/show"] = ollama_pages()["/api/show"]
    assert (await bench.only()).models[0].context_tokens == 131_072


async def test_a_newly_pulled_model_is_told_and_an_unchanged_look_is_not() -> None:
    bench = Bench()
    pages = bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a"))
    await bench.discovery.scan()
    await bench.discovery.scan()
    assert len(bench.changes) == 1
    pages["/api/tags"] = {"models": [tag("a"), tag("b")]}
    await bench.discovery.scan()
    assert [model.name for model in bench.changes[-1][0].models] == ["a", "b"]


@pytest.mark.parametrize("page", [b"<html>", {"models": "none"}, (404, b"no"), (403, b"")])
async def test_something_else_on_ollamas_port_is_not_an_ollama(page: Any) -> None:
    bench = Bench()
    bench.fetcher.pages[OLLAMA] = ollama_pages(**{"/api/tags": page})
    assert await bench.discovery.scan() == ()


async def test_a_given_host_that_is_down_is_shown_with_the_reason() -> None:
    bench = Bench(*default_places(("http://10.0.0.2:11434",)))
    host = await bench.only()
    assert (host.kind, host.online, host.given) == ("ollama", False, True)
    assert "10.0.0.2" in (host.problem or "")


async def test_a_host_that_goes_away_keeps_its_models_marked_offline_and_is_forgotten_in_time() -> None:
    bench = Bench(Place(f"http://{OLLAMA}", "ollama"), Place(f"http://{OTHER}", "ollama", given=True))
    bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a"))
    bench.fetcher.pages[OTHER] = ollama_pages(tag("b"))
    await bench.discovery.scan()
    bench.fetcher.pages.clear()
    assert all(host.online for host in await bench.discovery.scan())  # once is an accident
    gone = await bench.discovery.scan()
    assert [(host.online, [model.name for model in host.models]) for host in gone] == [(False, ["a"]), (False, ["b"])]
    bench.clock.now += FORGET_SECONDS + 1
    assert [host.url for host in await bench.discovery.scan()] == [f"http://{OTHER}"]
    bench.fetcher.pages[OTHER] = ollama_pages(tag("b"))
    assert (await bench.only()).online


async def test_a_black_holed_host_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Place(f"http://{OTHER}", "ollama", given=True), Place(f"http://{OLLAMA}", "ollama"), poll_seconds=0)
    bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a"))
    bench.fetcher.black_holes.add(OTHER)
    seen = asyncio.Event()
    watcher = asyncio.ensure_future(bench.discovery.run())
    try:
        while bench.fetcher.count(f"GET {OLLAMA}/api/tags") < 5:
            await asyncio.sleep(0)
        seen.set()
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
    assert seen.is_set()
    assert [host.url for host in bench.discovery.found()] == [f"http://{OLLAMA}"]
    assert bench.fetcher.count(f"GET {OTHER}/api/version") == 1


async def test_a_host_too_slow_for_a_look_is_missed_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.providers.discovery.discovery.LOOK_SECONDS_MAX", 0.01)
    bench = Bench(Place(f"http://{OTHER}", "ollama", given=True))
    bench.fetcher.black_holes.add(OTHER)
    host = await bench.only()
    assert not host.online
    assert "0.01 s" in (host.problem or "")


async def test_a_silent_stranger_at_a_usual_port_does_not_hold_up_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.providers.discovery.discovery.GUESS_SECONDS_MAX", 0.01)
    bench = Bench()
    bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a"))
    bench.fetcher.black_holes.add("127.0.0.1:8080")
    async with asyncio.timeout(1.0):
        host = await bench.only()
    assert [model.name for model in host.models] == ["a"]


async def test_a_stranger_at_a_usual_port_is_asked_seldom_and_an_empty_port_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(
        Place("http://127.0.0.1:8080"), Place("http://127.0.0.1:8000"), Place("http://127.0.0.1:1234"), poll_seconds=5
    )
    bench.fetcher.pages["127.0.0.1:8080"] = {"/v1/models": (404, b"<html>no</html>")}
    bench.fetcher.pages["127.0.0.1:1234"] = {"/v1/models": (503, {"error": {"message": "Loading model"}})}
    real_sleep = asyncio.sleep
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        if seconds:
            naps.append(seconds)
        await real_sleep(3600 if seconds else 0)

    monkeypatch.setattr("pointsman.providers.discovery.discovery.asyncio.sleep", nap)
    watcher = asyncio.ensure_future(bench.discovery.run())
    try:
        async with asyncio.timeout(5):
            while len(naps) < 3:
                await real_sleep(0)
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
    assert sorted(naps) == [5.0, 5.0, STRANGER_POLL_SECONDS]


async def test_the_gateways_own_address_is_not_looked_at() -> None:
    bench = Bench(Place("http://127.0.0.1:8000"), own_urls=frozenset({"http://127.0.0.1:8000"}))
    assert await bench.discovery.scan() == ()
    assert bench.fetcher.asked == []


HOSTS = (
    FoundHost("ollama", f"http://{OLLAMA}", online=True, models=(
        FoundModel("llama3.2:latest", "llama3.2", ("llama3.2:latest", "ollama/llama3.2")),
        FoundModel("nomic:latest", "nomic", mode="embedding", context_tokens=2048, capabilities=frozenset({"x"})),
    )),
    FoundHost("vllm", "http://127.0.0.1:8000", online=True, models=(
        FoundModel("Qwen/Q", "Qwen/Q", ("hosted_vllm/Qwen/Q",)),
    )),
    FoundHost("ollama", f"http://{OTHER}", online=False, models=(
        FoundModel("llama3.2:latest", "llama3.2", ("llama3.2:latest",)), FoundModel("only:here", "only:here"),
    )),
)  # fmt: skip


def test_each_found_model_becomes_a_free_local_deployment() -> None:
    made = {(item.api_base, item.model): item for item in deployments(HOSTS)}
    native = made[f"http://{OLLAMA}", "llama3.2:latest"]
    assert (native.group, native.provider, native.litellm_model) == ("llama3.2", "ollama", "ollama/llama3.2:latest")
    assert native.local
    assert native.discovered
    assert native.price == FREE
    embedding = made[f"http://{OLLAMA}", "nomic:latest"]
    assert (embedding.mode, embedding.context_tokens, embedding.capabilities) == ("embedding", 2048, frozenset({"x"}))
    assert made["http://127.0.0.1:8000/v1", "Qwen/Q"].provider == "hosted_vllm"


def test_a_deployment_keeps_its_id_and_no_two_share_one() -> None:
    ids = [item.id for item in deployments(HOSTS)]
    assert len(set(ids)) == len(ids)
    assert ids == [item.id for item in deployments(HOSTS)]


def test_the_models_of_an_offline_host_are_kept() -> None:
    found = [item.model for item in deployments(HOSTS) if item.api_base == f"http://{OTHER}"]
    assert found == ["llama3.2:latest", "only:here"]


def test_aliases_lead_to_groups_and_never_hide_one() -> None:
    names = aliases(HOSTS)
    assert names == {
        "llama3.2:latest": "llama3.2",
        "ollama/llama3.2": "llama3.2",
        "hosted_vllm/Qwen/Q": "Qwen/Q",
    }
    clash = (FoundHost("openai", "http://h", online=True, models=(FoundModel("a", "a", ("b",)), FoundModel("b", "b"))),)
    assert aliases(clash) == {}


async def test_an_ollama_is_not_asked_for_what_somebody_saw_a_moment_ago() -> None:
    seen: dict[str, list[str]] = {}
    bench = Bench(Place(f"http://{OLLAMA}", "ollama", given=True), residents=seen.get)
    bench.fetcher.pages[OLLAMA] = ollama_pages(tag("a:1b"), tag("b:1b", "d2"))
    assert [model.loaded for model in (await bench.only()).models] == [False, False]
    assert bench.fetcher.count(f"GET {OLLAMA}/api/ps") == 1
    seen[f"http://{OLLAMA}"] = ["b:1b"]
    assert [model.loaded for model in (await bench.only()).models] == [False, True]
    assert bench.fetcher.count(f"GET {OLLAMA}/api/ps") == 1
