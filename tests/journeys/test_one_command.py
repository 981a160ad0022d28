"""One command and nothing else: no database server, no network, a fraction of a second."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import Launch
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel


def test_it_is_ready_quickly_and_stays_small(launch: Launch, ollama_upstream: FakeOllama) -> None:
    gateway = launch(args=["--ollama", ollama_upstream.url], fresh=True)
    # The house's aim is 1.5 s on a quiet machine; a test machine may be busy with the other worker.
    assert gateway.ready_seconds < 5.0
    assert gateway.rss_kb() < 100_000
    assert len(gateway.processes()) == 1


def test_everything_it_writes_is_in_the_data_directory(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]})
    key = gateway.new_key()
    assert gateway.chat("fast", key=key).status == 200
    gateway.stop()
    outside = {path.name for path in gateway.directory.iterdir()} - {"data", "config.yaml", "stdout.log", "stderr.log"}
    assert outside == set()
    assert any(gateway.data_dir.iterdir())


def test_a_master_key_is_made_once_kept_private_and_shown_once(launch: Launch, ollama_upstream: FakeOllama) -> None:
    gateway = launch(args=["--ollama", ollama_upstream.url], master_key=None)
    shown = re.findall(r"sk-[A-Za-z0-9_-]{16,}", gateway.output())
    assert shown, gateway.output()
    key = shown[0]
    assert gateway.http("GET", "/v1/models", key=key).status == 200
    assert gateway.http("GET", "/v1/models", key="").status == 401
    holders = [path for path in gateway.data_dir.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert len(holders) == 1
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
    gateway.stop()
    (gateway.directory / "stdout.log").write_text("")
    (gateway.directory / "stderr.log").write_text("")
    gateway.launch()
    assert key not in gateway.output()
    assert gateway.http("GET", "/v1/models", key=key).status == 200


def test_each_model_that_is_found_is_told_and_listed_once(launch: Launch) -> None:
    with FakeOllama([OllamaModel("llama3.2"), OllamaModel("qwen3:8b")]) as ollama:
        gateway = launch(args=["--ollama", ollama.url])
        listed = [card["id"] for card in gateway.http("GET", "/v1/models").json()["data"]]
        assert listed == ["llama3.2", "qwen3:8b"]
        found = re.findall(r"Found the model (\S+)\.", gateway.output())
        assert sorted(found) == sorted(set(found)), gateway.output()
        for name in ("llama3.2", "llama3.2:latest", "ollama/llama3.2", "ollama/llama3.2:latest", "ollama/qwen3:8b"):
            assert gateway.chat(name).status == 200


def test_the_banner_has_a_command_that_works_when_pasted(launch: Launch, ollama_upstream: FakeOllama) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    gateway = launch(args=["--ollama", ollama_upstream.url], master_key=None)
    text = gateway.output().replace("\\\n", " ")
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("curl ")]
    assert commands, gateway.output()
    done = subprocess.run(["sh", "-c", commands[0]], capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Hello from Ollama." in done.stdout


def test_a_public_address_without_a_key_is_refused_with_the_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pointsman", "serve", "--host", "0.0.0.0", "--port", "0", "--no-auth"]
    done = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "data")], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode != 0
    said = (done.stdout + done.stderr).lower()
    assert "traceback" not in said
    assert "--no-auth" in said or "authentication" in said


def test_no_auth_serves_loopback_to_everybody(launch: Launch, upstream: FakeOpenAI) -> None:
    config = {"model_list": [openai_entry("fast", upstream)]}
    gateway = launch(config, args=["--no-auth"], master_key=None)
    assert gateway.chat("fast", key="").status == 200
    for headers in ({"Origin": "https://evil.example"}, {"Host": "rebound.example"}):
        refused = gateway.http(
            "POST",
            "/v1/chat/completions",
            {"model": "fast", "messages": [{"role": "user", "content": "x"}]},
            key="",
            headers=headers,
        )
        assert (refused.status, refused.json()["error"]["code"]) == (403, "foreign_page")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("broken", ["model_list: [", "model_list: 7", "- a\n- b\n"])
def test_a_broken_config_ends_the_start_with_the_place(launch: Launch, broken: str) -> None:
    gateway = launch(broken, ready=False)
    gateway.spawn()
    assert gateway.wait() != 0
    assert "config.yaml" in gateway.output()
    assert re.search(r":1\b|line 1\b", gateway.output())


def test_it_needs_no_connection_to_anywhere(launch: Launch, upstream: FakeOpenAI) -> None:
    """Proxies that nobody serves are set: whoever tried to go out would be told so."""
    env = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, env=env)
    assert gateway.chat("fast").status == 200
    assert gateway.http("GET", "/docs").status == 200
    page = gateway.http("GET", "/docs").body.decode()
    assert not re.findall(r'(?:src|href)="https?://(?!127\.0\.0\.1)[^"]+\.(?:js|css)', page)


def test_two_models_are_listed_by_every_name_they_have(launch: Launch, ollama_upstream: FakeOllama) -> None:
    ollama_upstream.pull(OllamaModel("qwen3:4b"))
    gateway = launch(args=["--ollama", ollama_upstream.url])
    names = {row["id"] for row in gateway.http("GET", "/v1/models").json()["data"]}
    assert {"llama3.1:8b", "qwen3:4b"} <= names
