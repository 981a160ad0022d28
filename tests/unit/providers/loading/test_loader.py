"""Models are loaded and unloaded in each server's own way, and never asked anything."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.core.errors import Broken, Rejected, TimedOut, Unsupported
from pointsman.core.flight import Sender
from pointsman.core.upstream import Deployment, Lane, Operation, Timeouts
from pointsman.providers.loading import ModelLoader
from pointsman.providers.loading.llama_cpp import LlamaCppLoads
from tests.unit.providers.scripted import ScriptedFetcher

AT = "gpu:1234"


def deployment(provider: str, **changes: Any) -> Deployment:
    values: dict[str, Any] = {
        "id": "d", "group": "coder", "provider": provider, "model": "m", "litellm_model": "", "price": None,
        "api_base": f"http://{AT}/v1",
    }  # fmt: skip
    return Deployment(**{**values, **changes})


class NoSender:
    def send(self, *_: object, **__: object) -> Any:
        raise AssertionError("nothing is to be sent")


def no_lane(_operation: Operation, _deployment: Deployment) -> Lane:
    raise AssertionError("no lane is needed")


def loader(fetcher: ScriptedFetcher, kind: str = "") -> ModelLoader:
    sender: Sender = NoSender()
    return ModelLoader(sender, fetcher, no_lane, lambda _deployment: kind)


def posts(fetcher: ScriptedFetcher) -> list[str]:
    return [line.removeprefix(f"POST {AT}") for line in fetcher.asked if line.startswith("POST")]


@pytest.mark.parametrize(
    ("provider", "kind", "able"),
    [
        ("ollama_chat", "", True),
        ("ollama", "openai", True),
        ("lm_studio", "", True),
        ("llama_cpp", "", True),
        ("openai", "llama_cpp", True),
        ("openai", "lm_studio", True),
        ("openai", "openai", False),
        ("hosted_vllm", "vllm", False),
    ],
)
def test_who_can_be_told(provider: str, kind: str, able: bool) -> None:
    assert loader(ScriptedFetcher(), kind).can_load(deployment(provider)) is able


async def test_who_cannot_be_told_says_so() -> None:
    with pytest.raises(Unsupported, match="does not load models when it is told to"):
        await loader(ScriptedFetcher()).load(deployment("hosted_vllm"))


# -- LM Studio -----------------------------------------------------------------------------------------------


def studio(*instances: str, **pages: Any) -> ScriptedFetcher:
    fetcher = ScriptedFetcher()
    models = [{"key": "other"}, {"key": "m", "type": "llm", "loaded_instances": [{"id": one} for one in instances]}]
    fetcher.pages[AT] = {"/api/v1/models": {"models": models}, **pages}
    return fetcher


async def test_lm_studio_loads_what_is_not_loaded_once() -> None:
    bodies: list[Any] = []

    def load(body: Any) -> Any:
        bodies.append(body)
        return {"type": "llm", "instance_id": "m", "load_time_seconds": 1.5, "status": "loaded"}

    await loader(studio(**{"/api/v1/models/load": load})).load(deployment("lm_studio"))
    assert bodies == [{"model": "m"}]
    again = studio("m")
    await loader(again).load(deployment("lm_studio"))
    assert posts(again) == []


async def test_lm_studio_unloads_every_instance() -> None:
    bodies: list[Any] = []

    def unload(body: Any) -> Any:
        bodies.append(body)
        return {"instance_id": body["instance_id"]}

    await loader(studio("m", "m:2", **{"/api/v1/models/unload": unload})).unload(deployment("lm_studio"))
    assert bodies == [{"instance_id": "m"}, {"instance_id": "m:2"}]


async def test_what_lm_studio_refuses_is_told() -> None:
    fetcher = studio(**{"/api/v1/models/load": (500, {"error": {"message": "not enough memory"}})})
    with pytest.raises(Rejected, match="not enough memory"):
        await loader(fetcher).load(deployment("lm_studio"))
    with pytest.raises(Rejected, match="has no model 'x'"):
        await loader(studio()).load(deployment("lm_studio", model="x"))
    old = ScriptedFetcher()
    old.pages[AT] = {}
    with pytest.raises(Unsupported, match="does not load models"):
        await loader(old).load(deployment("lm_studio"))


# -- llama.cpp -----------------------------------------------------------------------------------------------


def router(*states: str, **pages: Any) -> ScriptedFetcher:
    """Each look at the models finds the next state, the last one for good."""
    fetcher = ScriptedFetcher()
    left = list(states)

    def models(_body: Any) -> Any:
        value = left.pop(0) if len(left) > 1 else left[0]
        return {"data": [{"id": "m", "status": {"value": value}}]}

    fetcher.pages[AT] = {
        "/models": models,
        "/models/load": {"success": True},
        "/models/unload": {"success": True},
        **pages,
    }
    return fetcher


def llama(fetcher: ScriptedFetcher) -> LlamaCppLoads:
    return LlamaCppLoads(fetcher, look_seconds=0.001)


async def test_llama_cpp_is_told_and_waited_for() -> None:
    fetcher = router("unloaded", "loading", "loading", "loaded")
    await llama(fetcher).load(deployment("llama_cpp"), None)
    assert posts(fetcher) == ["/models/load"]
    assert fetcher.count(f"GET {AT}/models") == 4


@pytest.mark.parametrize(("states", "told"), [(["loaded"], []), (["sleeping"], []), (["loading", "loaded"], [])])
async def test_llama_cpp_is_not_told_what_it_does_already(states: list[str], told: list[str]) -> None:
    fetcher = router(*states)
    await llama(fetcher).load(deployment("llama_cpp"), None)
    assert posts(fetcher) == told


async def test_a_load_that_somebody_else_began_is_waited_for() -> None:
    refusal = (400, {"error": {"code": 400, "message": "model is already running"}})
    fetcher = router("unloaded", "loaded", **{"/models/load": refusal})
    await llama(fetcher).load(deployment("llama_cpp"), None)


async def test_a_load_of_llama_cpp_that_fails_or_lasts_too_long_is_told() -> None:
    with pytest.raises(Broken, match="could not load"):
        await llama(router("unloaded", "loading", "unloaded")).load(deployment("llama_cpp"), None)
    impatient = deployment("llama_cpp", timeouts=Timeouts(load=0.02))
    with pytest.raises(TimedOut, match=r"in 0\.02 s"):
        await llama(router("unloaded", "loading")).load(impatient, None)
    with pytest.raises(Rejected, match="no room"):
        await llama(router("unloaded", **{"/models/load": (500, {"error": {"message": "no room"}})})).load(
            deployment("llama_cpp"), None
        )
    with pytest.raises(Rejected, match="has no model"):
        await llama(router("loaded")).load(deployment("llama_cpp", model="x"), None)


async def test_a_server_of_one_model_has_it_loaded_and_keeps_it() -> None:
    fetcher = ScriptedFetcher()
    fetcher.pages[AT] = {"/models": {"data": [{"id": "m"}]}}
    await llama(fetcher).load(deployment("llama_cpp"), None)
    assert posts(fetcher) == []
    with pytest.raises(Unsupported, match="keeps"):
        await llama(fetcher).unload(deployment("llama_cpp"))


async def test_llama_cpp_unloads_what_is_loaded() -> None:
    fetcher = router("loaded")
    await llama(fetcher).unload(deployment("llama_cpp"))
    idle = router("unloaded")
    await llama(idle).unload(deployment("llama_cpp"))
    assert (posts(fetcher), posts(idle)) == (["/models/unload"], [])


def sleeper(fetcher: ScriptedFetcher, *, sleeps: bool = True) -> ModelLoader:
    return ModelLoader(NoSender(), fetcher, no_lane, lambda _one: "vllm", lambda _one: sleeps)


async def test_a_vllm_is_woken_and_had_sleep_where_that_is_wanted() -> None:
    fetcher, state = ScriptedFetcher(), {"is_sleeping": True}
    fetcher.pages[AT] = {"/is_sleeping": lambda _body: state, "/wake_up": b"", "/sleep?level=1&mode=wait": b""}
    loads, asked = sleeper(fetcher), deployment("hosted_vllm")
    assert loads.can_load(asked) and not sleeper(fetcher, sleeps=False).can_load(asked)
    await loads.unload(asked)
    await loads.load(asked)
    state["is_sleeping"] = False
    await loads.load(asked)
    await loads.unload(asked)
    assert posts(fetcher) == ["/wake_up", "/sleep"], "what is so already is left so, and nobody's answer is cut off"


async def test_a_vllm_without_sleep_mode_says_how_it_gets_one() -> None:
    fetcher = ScriptedFetcher()
    fetcher.pages[AT] = {}
    with pytest.raises(Unsupported) as refused:
        await sleeper(fetcher).load(deployment("vllm"))
    assert "--enable-sleep-mode" in (refused.value.hint or "")
    fetcher.pages[AT] = {"/is_sleeping": {"is_sleeping": True}, "/wake_up": (500, {"error": "no memory"})}
    with pytest.raises(Rejected, match="no memory"):
        await sleeper(fetcher).load(deployment("vllm"))
