"""The config file is watched: a good edit is in force within seconds, a broken one is refused and said."""

from __future__ import annotations

import threading
from typing import Any

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI, Gate, Reply
from tests.upstreams.openai_shapes import chat_chunks


def names(gateway: Gateway) -> set[str]:
    return {row["id"] for row in gateway.http("GET", "/v1/models").json()["data"]}


def config(upstream: FakeOpenAI, *models: str, **more: Any) -> dict[str, Any]:
    return {"model_list": [openai_entry(name, upstream) for name in models], **more}


def test_a_saved_edit_is_in_force_within_seconds(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    assert names(gateway) == {"one"}
    gateway.write_config(config(upstream, "one", "two"))
    eventually(lambda: names(gateway) == {"one", "two"}, "the new model is listed")
    assert gateway.chat("two").status == 200
    gateway.write_config(config(upstream, "two"))
    eventually(lambda: names(gateway) == {"two"}, "the old model is gone")
    assert gateway.chat("one").status == 400


def test_a_running_stream_is_not_broken_by_a_reload(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    gate = Gate()
    upstream.script(Reply.stream(chat_chunks(["still ", "here"], None)).behind(gate))
    body = {"model": "one", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with gateway.stream("/v1/chat/completions", body) as stream:
        upstream.wait_for(1)
        gateway.write_config(config(upstream, "two"))
        eventually(lambda: names(gateway) == {"two"}, "the new config is in force")
        gate.open()
        data = list(stream.data())
    assert any(b"here" in item for item in data)
    assert data[-1] == b"[DONE]"


def test_a_broken_edit_is_refused_and_said(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    gateway.write_config("model_list:\n  - model_name: two\n    litellm_params: [\n")
    eventually(lambda: "config.yaml" in gateway.output(), "the refusal is printed")
    said = gateway.output()
    assert any(mark in said for mark in (":3", ":4", "line 3", "line 4")), said
    assert names(gateway) == {"one"}
    assert gateway.chat("one").status == 200
    gateway.write_config(config(upstream, "three"))
    eventually(lambda: names(gateway) == {"three"}, "the mended config is in force")


def test_a_wrong_value_is_refused_and_the_running_config_stays(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    bad = config(upstream, "two")
    bad["model_list"][0]["litellm_params"]["timeout"] = "quite long"
    gateway.write_config(bad)
    eventually(lambda: "timeout" in gateway.output(), "the refusal names the key")
    assert names(gateway) == {"one"}


def test_nobody_notices_a_reload_under_load(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    stop = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            statuses.append(gateway.chat("one").status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for round_ in range(3):
            extra = f"extra-{round_}"
            gateway.write_config(config(upstream, "one", extra))
            eventually(lambda wanted=extra: wanted in names(gateway), "the edit is in force")  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join(20.0)
    assert len(statuses) > 20
    assert set(statuses) == {200}


def test_unknown_keys_warn_with_their_path_and_the_nearest_name(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one", litellm_settings={"drop_parms": True}))
    said = gateway.output()
    assert "drop_parms" in said
    assert "drop_params" in said


def test_keys_and_limits_outlive_a_reload(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    key = gateway.new_key(rpm_limit=2)
    assert gateway.chat("one", key=key).status == 200
    gateway.write_config(config(upstream, "one", "two"))
    eventually(lambda: "two" in names(gateway), "the edit is in force")
    assert [gateway.chat("one", key=key).status for _ in range(2)] == [200, 429]


def test_what_the_management_api_is_told_follows_an_edit(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    assert gateway.http("GET", "/docs", key="").status == 200
    assert gateway.http("GET", "/metrics", key="").status == 401
    settings = {
        "require_auth_for_metrics_endpoint": False,
        "default_key_generate_params": {"models": ["one"]},
        "upperbound_key_generate_params": {"max_budget": 5},
    }
    changed = config(upstream, "one", litellm_settings=settings, environment_variables={"NO_DOCS": "true"})
    gateway.write_config(changed)
    eventually(lambda: gateway.http("GET", "/docs", key="").status == 404, "the documentation is gone")
    assert gateway.http("GET", "/metrics", key="").status == 200
    made = gateway.http("POST", "/key/generate", {}).json()
    assert (made["models"], made["max_budget"]) == (["one"], 5)
    assert gateway.http("POST", "/key/generate", {"max_budget": 6}).status == 400


def test_what_only_a_restart_changes_is_said(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch(config(upstream, "one"))
    gateway.write_config(config(upstream, "one", litellm_settings={"json_logs": True}))
    eventually(lambda: "litellm_settings.json_logs: was changed" in gateway.output(), "the setting is named")
