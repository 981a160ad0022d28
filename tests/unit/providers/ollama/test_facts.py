from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pointsman.core.errors import Rejected, Unreachable
from pointsman.core.nursery import Nursery
from pointsman.core.price import FREE
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.providers.ollama.context import ContextLimits, ContextNeed, ContextWindows
from pointsman.providers.ollama.facts import FRESH_SECONDS, RETRY_SECONDS, USABLE_SECONDS, OllamaFactsCache, key_of
from tests.unit.providers.scripted import FakeClock, ScriptedFetcher

HOST = "127.0.0.1:11434"
SHOW = f"POST {HOST}/api/show"
PS = f"GET {HOST}/api/ps"


def deployment(model: str = "llama3.2", **fields: Any) -> Deployment:
    return Deployment("d1", model, "ollama", model, f"ollama/{model}", f"http://{HOST}", FREE, **fields)


def shown(**fields: Any) -> dict[str, Any]:
    return {
        "capabilities": ["completion", "tools", "thinking"],
        "model_info": {"general.architecture": "llama", "llama.context_length": 131_072, "clip.context_length": 77},
        "parameters": 'stop                           "<|eot_id|>"\nnum_ctx                        8192',
        **fields,
    }


class Bench:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.fetcher = ScriptedFetcher()
        self.failures: list[BaseException] = []
        self.nursery = Nursery(lambda _name, error: self.failures.append(error))
        self.windows = ContextWindows()
        self.cache = OllamaFactsCache(self.fetcher, self.nursery, self.windows, self.clock)
        self.fetcher.pages[HOST] = {"/api/show": shown(), "/api/ps": {"models": []}}

    async def settle(self) -> None:
        while len(self.nursery):
            await asyncio.sleep(0)


async def test_facts_are_learnt_from_show() -> None:
    bench = Bench()
    assert bench.cache.recall(deployment()) is None
    facts = await bench.cache.learn(deployment())
    assert facts.context_tokens == 131_072
    assert facts.num_ctx_default == 8192
    assert facts.capabilities == frozenset({"completion", "tools", "reasoning"})
    assert not facts.remote
    await bench.settle()
    assert bench.cache.recall(deployment()) is facts
    assert bench.fetcher.count(SHOW) == 1


async def test_however_many_ask_one_question_is_under_way() -> None:
    bench = Bench()
    bench.fetcher.hold = asyncio.Event()
    waiting = [asyncio.ensure_future(bench.cache.learn(deployment())) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    bench.fetcher.hold.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert len({id(facts) for facts in results[1:]}) == 1
    assert bench.fetcher.count(SHOW) == 1


async def test_ageing_facts_are_refreshed_behind_and_old_ones_are_waited_for() -> None:
    bench = Bench()
    first = await bench.cache.learn(deployment())
    bench.clock.now += FRESH_SECONDS
    bench.fetcher.pages[HOST]["/api/show"] = shown(capabilities=["completion"])
    assert bench.cache.recall(deployment()) is first
    assert bench.cache.recall(deployment()) is first
    await bench.settle()
    assert bench.fetcher.count(SHOW) == 2
    again = bench.cache.recall(deployment())
    assert again is not None
    assert again.capabilities == frozenset({"completion"})
    bench.clock.now += USABLE_SECONDS
    assert bench.cache.recall(deployment()) is None


async def test_the_loaded_window_reaches_the_context_windows() -> None:
    bench = Bench()
    bench.fetcher.pages[HOST]["/api/ps"] = {
        "models": [{"name": "other:latest", "context_length": 1}, {"name": "llama3.2:latest", "context_length": 32_768}]
    }
    await bench.cache.learn(deployment())
    size = bench.windows.choose(key_of(deployment()), ContextNeed(10), ContextLimits(), bench.clock.now)
    assert size == 32_768


async def test_a_missing_model_is_told_with_how_to_get_it() -> None:
    bench = Bench()
    bench.fetcher.pages[HOST]["/api/show"] = (404, {"error": "model 'llama3.2' not found"})
    with pytest.raises(Rejected) as raised:
        await bench.cache.learn(deployment())
    assert raised.value.code == "model_not_found"
    assert "ollama pull llama3.2" in raised.value.told()
    assert bench.cache.recall(deployment()) is None


async def test_a_host_that_is_down_is_told_as_such_and_spoils_no_known_facts() -> None:
    bench = Bench()
    pages = bench.fetcher.pages.pop(HOST)
    with pytest.raises(Unreachable):
        await bench.cache.learn(deployment())
    bench.fetcher.pages[HOST] = pages
    facts = await bench.cache.learn(deployment())
    bench.fetcher.pages.clear()
    bench.clock.now += FRESH_SECONDS
    assert bench.cache.recall(deployment()) is facts
    await bench.settle()
    asked = bench.fetcher.count(SHOW)
    assert bench.cache.recall(deployment()) is facts
    await bench.settle()
    assert bench.fetcher.count(SHOW) == asked  # not again at once
    assert bench.failures == []


@pytest.mark.parametrize("page", [(500, {"error": "boom"}), b"<html>", {"capabilities": 7}, None])
async def test_a_host_that_does_not_know_the_question_is_served_without_facts(page: Any) -> None:
    bench = Bench()
    bench.fetcher.pages[HOST]["/api/show"] = page
    facts = await bench.cache.learn(deployment())
    assert facts.context_tokens is None
    assert facts.capabilities is None
    bench.fetcher.pages[HOST]["/api/show"] = shown()
    bench.clock.now += RETRY_SECONDS
    bench.cache.recall(deployment())
    await bench.settle()
    better = bench.cache.recall(deployment())
    assert better is not None
    assert better.context_tokens == 131_072


async def test_a_host_without_ps_still_gives_the_facts() -> None:
    bench = Bench()
    del bench.fetcher.pages[HOST]["/api/ps"]
    assert (await bench.cache.learn(deployment())).context_tokens == 131_072


@pytest.mark.parametrize(
    "info", [None, {}, {"general.architecture": 7}, {"general.architecture": "x", "x.context_length": "many"},
             {"general.architecture": "x", "x.context_length": 0}],
)  # fmt: skip
async def test_odd_model_info_gives_no_context_length(info: Any) -> None:
    bench = Bench()
    bench.fetcher.pages[HOST]["/api/show"] = shown(model_info=info, parameters=None)
    facts = await bench.cache.learn(deployment())
    assert facts.context_tokens is None
    assert facts.num_ctx_default is None


async def test_credentials_of_the_deployment_go_along() -> None:
    bench = Bench()
    await bench.cache.learn(deployment(api_key=Secret("sk-secret"), headers={"X-Team": Secret("a")}))
    assert bench.fetcher.sent_headers[0] == (("X-Team", "a"), ("Authorization", "Bearer sk-secret"))


async def test_what_is_remembered_is_bounded() -> None:
    bench = Bench()
    for number in range(4100):
        await bench.cache.learn(deployment(f"m{number}"))
    assert bench.cache.recall(deployment("m0")) is None
    assert bench.cache.recall(deployment("m4099")) is not None
