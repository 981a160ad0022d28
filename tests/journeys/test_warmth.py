"""Models that are loaded before anybody asks, kept so, and unloaded when nobody does; never is one asked anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.configs import ollama_entry
from tests.support.gateway import Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, OllamaModel
from tests.upstreams.recorded import RecordedRequest

WITHIN_SECONDS = 15.0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def config(upstream: FakeOllama, **local: Any) -> dict[str, Any]:
    names = [model.tagged for model in upstream.models.values()]
    return {"model_list": [ollama_entry(name, upstream, name) for name in names], "pointsman": local}


def loads(upstream: FakeOllama, path: str = "/api/generate") -> list[dict[str, Any]]:
    """The bodies of the requests by which models were loaded or unloaded."""
    return [request.json() for request in upstream.matching(path)]


def asked_nothing(requests: list[RecordedRequest]) -> bool:
    return not any(request.json().get(name) for request in requests for name in ("prompt", "messages", "input"))


def test_a_model_is_loaded_at_the_start_without_being_asked_anything(launch: Launch) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as upstream:
        gateway = launch(config(upstream, warm_up=[{"model": "big:8b"}]))
        model = upstream.models["big:8b"]
        eventually(lambda: model.loads == 1, "the model is loaded", WITHIN_SECONDS)
        (body,) = loads(upstream)
        assert body["keep_alive"] == -1
        assert asked_nothing(upstream.inference)
        # With the window that the requests will have: the first one finds it as it is.
        assert gateway.chat("big:8b").status == 200
        assert model.loads == 1
        eventually(lambda: "is loaded on" in gateway.output(), "it is told", 5.0)


def test_an_embedding_model_is_loaded_in_its_own_way(launch: Launch) -> None:
    embedder = OllamaModel("embed:1b", capabilities=("embedding",))
    with FakeOllama([embedder]) as upstream:
        given = config(upstream, warm_up=[{"model": "embed:1b", "keep_alive": "10h"}])
        given["model_list"][0]["model_info"] = {"mode": "embedding"}
        launch(given)
        eventually(lambda: embedder.loads == 1, "the model is loaded", WITHIN_SECONDS)
        (body,) = loads(upstream, "/api/embed")
        assert body["input"] == []
        assert 35_000 < body["keep_alive"] <= 36_000


def test_the_schedule_decides_when(launch: Launch) -> None:
    now = datetime.now(UTC)
    minute = (now - timedelta(minutes=2)).strftime("%H:%M")
    day, tomorrow = DAYS[(now - timedelta(minutes=2)).weekday()], DAYS[(now + timedelta(days=2)).weekday()]
    models = [OllamaModel("now:8b"), OllamaModel("later:8b")]
    with FakeOllama(models) as upstream:
        launch(
            config(
                upstream,
                warm_up=[
                    {"model": "later:8b", "at": [f"{minute} {tomorrow}"], "keep_alive": "1h"},
                    {"model": "now:8b", "at": [f"{minute} {day}"], "keep_alive": "1h"},
                ],
            )
        )
        eventually(lambda: models[0].loads == 1, "the model is loaded", WITHIN_SECONDS)
        (body,) = loads(upstream)
        assert 3300 < body["keep_alive"] <= 3480
        assert models[1].loads == 0


def test_no_other_model_has_to_go_for_it(launch: Launch) -> None:
    wanted, other = OllamaModel("wanted:8b"), OllamaModel("other:8b", loaded_context=4096)
    with FakeOllama([wanted, other]) as upstream:
        gateway = launch(config(upstream, warm_up=[{"model": "wanted:8b"}]))
        before = len(upstream.matching("/api/ps"))
        eventually(lambda: len(upstream.matching("/api/ps")) > before + 1, "the host is looked at", WITHIN_SECONDS)
        assert wanted.loads == 0
        gateway.write_config(config(upstream, warm_up=[{"model": "wanted:8b", "evicts": True}]))
        eventually(lambda: wanted.loads == 1, "the model is loaded", WITHIN_SECONDS)


def test_a_model_that_nobody_uses_is_unloaded_if_we_used_it(launch: Launch) -> None:
    used, others = OllamaModel("used:8b"), OllamaModel("others:8b", loaded_context=4096)
    with FakeOllama([used, others]) as upstream:
        gateway = launch(config(upstream, unload_after_seconds=2))
        assert gateway.chat("used:8b").status == 200
        assert used.loaded_context is not None
        eventually(lambda: used.loaded_context is None, "the model is unloaded", WITHIN_SECONDS)
        (body,) = loads(upstream)
        assert (body["model"], body["keep_alive"]) == ("used:8b", 0)
        assert asked_nothing(upstream.matching("/api/generate"))
        assert others.loaded_context is not None
        # It is loaded again for who wants it.
        assert gateway.chat("used:8b").status == 200


def test_how_long_models_stay_can_be_said_for_a_host_and_for_all(launch: Launch) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as one, FakeOllama([OllamaModel("small:1b")]) as two:
        given = {
            "model_list": [
                ollama_entry("big", one, "big:8b"),
                ollama_entry("own", one, "big:8b", keep_alive="7m"),
                ollama_entry("small", two, "small:1b"),
            ],
            "pointsman": {"keep_alive": "30m", "local_hosts": [{"api_base": two.url, "keep_alive": "2h"}]},
        }
        gateway = launch(given)
        for name in ("big", "own", "small"):
            assert gateway.chat(name).status == 200
        assert [request.json()["keep_alive"] for request in one.matching("/api/chat")] == ["30m", "7m"]
        assert [request.json()["keep_alive"] for request in two.matching("/api/chat")] == ["2h"]


def test_an_operator_can_do_it_at_once(launch: Launch) -> None:
    with FakeOllama([OllamaModel("big:8b")]) as upstream:
        gateway = launch(config(upstream))
        model = upstream.models["big:8b"]
        done = gateway.http("POST", "/hosts/load", {"model": "big:8b", "keep_alive": "1h"})
        assert (done.status, done.json()) == (200, {"model": "big:8b", "hosts": [upstream.url]})
        assert (model.loads, loads(upstream)[0]["keep_alive"]) == (1, "1h")
        done = gateway.http("POST", "/hosts/unload", {"model": "big:8b"})
        assert (done.status, done.json()["hosts"], model.loaded_context) == (200, [upstream.url], None)
        assert gateway.http("POST", "/hosts/unload", {"model": "big:8b"}).json()["hosts"] == []
        assert gateway.http("POST", "/hosts/load", {"model": "nosuch"}).status == 404
        elsewhere = gateway.http("POST", "/hosts/load", {"model": "big:8b", "host": "http://127.0.0.1:9"})
        assert (elsewhere.status, upstream.url in elsewhere.body.decode()) == (404, True)
        assert gateway.http("POST", "/hosts/load", {"model": "big:8b"}, key=gateway.new_key()).status == 403
