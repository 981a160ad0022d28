"""``pointsman doctor``: walks every hop to a model, says which one fails, and works without a gateway."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.gateway import MASTER_KEY, Launch
from tests.support.preloaded import run_command
from tests.support.processes import free_port
from tests.upstreams import Blackhole, FakeOllama, FakeOpenAI, OllamaModel

CHEAP = {"/", "/api/version", "/api/tags", "/api/show", "/api/ps", "/v1/models"}
KEY = "sk-doctor-canary-0123456789"


def doctor(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    # Nobody listens on the discard port, so no server of this machine is found by accident.
    env = {**kept, "OLLAMA_HOST": "127.0.0.1:9", **variables}
    return run_command(["doctor", "--timeout", "1", *arguments], env=env)


def examined(*arguments: str, code: int, **variables: str) -> dict[str, Any]:
    done = doctor("--json", *arguments, **variables)
    assert done.returncode == code, done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["ok"] is (code == 0)
    return report


def hops(report: dict[str, Any], model: str) -> dict[str, dict[str, Any]]:
    """The hops to a model, those to its server's door first; of one name the worst."""
    for server in report["servers"]:
        for deployment in server["deployments"]:
            if deployment["model_name"] == model:
                return {hop["name"]: hop for hop in [*server["hops"], *deployment["hops"]]}
    raise AssertionError(f"{model} is not in {report}")


@pytest.fixture
def config(tmp_path: Path) -> Any:
    def write(*entries: dict[str, Any], **sections: Any) -> str:
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump({"model_list": list(entries), **sections}))
        return str(file)

    return write


def entry(name: str, model: str, api_base: str, **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": model, "api_base": api_base, **params}}


def test_a_healthy_ollama_is_walked_from_its_name_to_its_memory(ollama_upstream: FakeOllama) -> None:
    report = examined("--ollama", ollama_upstream.url, code=0)
    way = hops(report, "llama3.1:8b")
    assert list(way) == ["name", "connection", "server", "model", "memory"]
    assert {hop["status"] for hop in way.values()} == {"ok"}
    assert way["connection"]["seconds"] > 0 and "0.33.0" in way["server"]["told"]
    assert "32768" in way["memory"]["told"]
    assert {request.path for request in ollama_upstream.matching()} <= CHEAP


def test_only_a_call_makes_a_model_work(ollama_upstream: FakeOllama) -> None:
    ollama_upstream.pull(OllamaModel("nomic-embed-text", capabilities=("embedding",), family="nomic-bert"))
    report = examined("--ollama", ollama_upstream.url, "--call", code=0)
    assert hops(report, "llama3.1:8b")["call"]["status"] == "ok"
    assert hops(report, "nomic-embed-text")["call"]["status"] == "ok"
    assert sorted(request.path for request in ollama_upstream.inference) == ["/api/chat", "/api/embed"]


def test_a_model_that_is_not_there_is_to_be_pulled(config: Any, ollama_upstream: FakeOllama) -> None:
    file = config(
        entry("missing", "ollama_chat/mistral", ollama_upstream.url),
        entry("there", "ollama_chat/llama3.1:8b", ollama_upstream.url),
    )
    report = examined("--config", file, code=1)
    assert hops(report, "missing")["model"]["hint"] == "Run: ollama pull mistral"
    assert "call" not in hops(report, "missing")
    examined("--config", file, "there", code=0)
    assert "not served" in examined("--config", file, "nobody", code=1)["configuration"][-1]["told"]
    shown = doctor("--config", file)
    assert shown.returncode == 1
    assert "→ Run: ollama pull mistral" in shown.stdout and "✗ model" in shown.stdout
    assert "1 of 2 deployments are well, 1 hop failed." in shown.stdout


def test_a_model_beyond_the_gpu_is_warned_of(config: Any) -> None:
    model = OllamaModel("big:70b", loaded_context=32_768, gpu_share=0.5)
    with FakeOllama([model]) as host:
        file = config(entry("big", "ollama_chat/big:70b", host.url, num_ctx=8192))
        report = examined("--config", file, code=0)
        told = [hop["told"] for hop in report["servers"][0]["deployments"][0]["hops"] if hop["name"] == "memory"]
        assert "Only 2.5 of 5.0 GB" in told[0]
        assert "num_ctx 8192 loads it anew" in told[1]


def test_dead_and_silent_hosts_are_told_apart_and_keep_nobody_waiting(config: Any) -> None:
    with Blackhole() as hole:
        file = config(
            entry("silent", "ollama_chat/a", hole.url),
            entry("dead", "ollama_chat/a", f"http://127.0.0.1:{free_port()}"),
            entry("nameless", "ollama_chat/a", "http://no-such-host.invalid:11434"),
        )
        started = time.monotonic()
        report = examined("--config", file, code=1)
        assert time.monotonic() - started < 20.0, "a dead host costs its own bound, and they wait at the same time"
        assert "firewall" in hops(report, "silent")["connection"]["hint"]
        assert "start the server" in hops(report, "dead")["connection"]["hint"]
        assert hops(report, "nameless")["name"]["status"] == "failed"
        assert hops(report, "nameless")["server"]["status"] == "skipped"
        assert examined("--ollama", hole.url, code=1)["servers"][0]["hops"][1]["status"] == "failed"


def test_credentials_are_tried_before_anything_is_called(config: Any, upstream: FakeOpenAI) -> None:
    upstream.key = KEY
    wrong = config(entry("m", "openai/fake-model", upstream.base_url, api_key="sk-wrong-0123456789"))
    way = hops(examined("--config", wrong, "--call", code=1), "m")
    assert way["credentials"]["status"] == "failed" and "api_key" in way["credentials"]["hint"]
    assert way["call"]["status"] == "skipped" and upstream.inference == []
    right = config(entry("m", "openai/fake-model", upstream.base_url, api_key=KEY))
    way = hops(examined("--config", right, "--call", code=0), "m")
    assert [way[name]["status"] for name in ("credentials", "server", "model", "call")] == ["ok"] * 4
    assert len(upstream.inference) == 1


def test_a_call_that_fails_is_the_last_hop(config: Any, upstream: FakeOpenAI) -> None:
    from tests.upstreams.reply import Reply

    upstream.script(Reply.error(500, "the GPU fell over"))
    file = config(entry("m", "openai/fake-model", upstream.base_url, api_key=KEY))
    way = hops(examined("--config", file, "--call", code=1), "m")
    assert way["call"]["status"] == "failed" and "the GPU fell over" in way["call"]["told"]


def test_ollama_behind_its_openai_face_and_other_servers_are_recognised(
    config: Any, ollama_upstream: FakeOllama, upstream: FakeOpenAI
) -> None:
    file = config(
        entry("wrong", "ollama_chat/fake-model", upstream.url),
        entry("wild/*", "openai/*", upstream.base_url, api_key=KEY),
    )
    report = examined("--config", file, code=1)
    assert "not Ollama" in hops(report, "wrong")["server"]["told"]
    assert hops(report, "wild/*")["server"]["status"] == "ok"
    assert "model" not in hops(report, "wild/*")
    assert hops(examined("--config", file, "wild/fake-model", code=0), "wild/fake-model")["model"]["status"] == "ok"


def test_a_broken_configuration_is_the_first_hop(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("model_list:\n  - litellm_params: {model: openai/x}\n")
    report = examined("--config", str(file), code=1)
    assert "config.yaml:2" in report["configuration"][0]["told"]
    assert "✗" in doctor("--config", str(file)).stdout


def test_the_gateway_that_runs_is_asked_too(launch: Launch, ollama_upstream: FakeOllama) -> None:
    gateway = launch(args=["--ollama", ollama_upstream.url])
    asked = ("--ollama", ollama_upstream.url, "--url", gateway.url)
    report = examined(*asked, code=0, POINTSMAN_MASTER_KEY=MASTER_KEY)
    assert [hop["status"] for hop in report["gateway"]] == ["ok", "ok", "ok"]
    assert examined(*asked, "--key", "sk-nobody", code=1)["gateway"][-1]["name"] == "credentials"
    assert examined(*asked, code=0)["gateway"][-1]["status"] == "warning"
    gateway.stop()
    stopped = examined(*asked, code=1)["gateway"][0]
    assert stopped["hint"] == "Start it with: pointsman serve"
