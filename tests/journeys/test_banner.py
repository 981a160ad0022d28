"""What a newcomer reads at the start is true, and the line to try works when pasted."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

import pytest

from tests.support.configs import ollama_entry, openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, FakeOpenAI, OllamaModel


def curl_line(gateway: Gateway) -> str:
    found = eventually(lambda: re.findall(r"^ +(curl .*)$", gateway.output(), re.MULTILINE), "there is a line to try")
    line: str = found[0]
    return line


def paste(line: str, env: Mapping[str, str] | None = None) -> bytes:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=20, check=True, env={**path, **(env or {})})
    return done.stdout


def test_the_line_works_with_the_key_that_is_kept(launch: Launch, ollama_upstream: FakeOllama) -> None:
    gateway = launch(args=["--ollama", ollama_upstream.url], master_key=None)
    gateway.stop()
    (gateway.directory / "stdout.log").write_text("")
    gateway.launch()
    assert b"Hello from Ollama." in paste(curl_line(gateway))


@pytest.mark.parametrize("variable", ["POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY", "MY_OWN_KEY"])
def test_the_line_works_with_a_key_from_the_environment(launch: Launch, upstream: FakeOpenAI, variable: str) -> None:
    config: dict[str, object] = {"model_list": [openai_entry("fast", upstream)]}
    if variable == "MY_OWN_KEY":
        config["general_settings"] = {"master_key": "os.environ/MY_OWN_KEY"}
    gateway = launch(config, env={variable: MASTER_KEY}, master_key=None)
    line = curl_line(gateway)
    assert f"${variable}" in line
    assert MASTER_KEY not in gateway.output()
    assert b"chat.completion" in paste(line, {variable: MASTER_KEY})


def test_a_key_in_the_file_is_not_shown_and_the_line_says_what_to_put_in(launch: Launch, upstream: FakeOpenAI) -> None:
    config = {"model_list": [openai_entry("fast", upstream)], "general_settings": {"master_key": MASTER_KEY}}
    gateway = launch(config, master_key=None)
    line = curl_line(gateway)
    assert MASTER_KEY not in gateway.output()
    assert "with your key in its place" in gateway.output()
    assert b"chat.completion" in paste(line.replace("YOUR-KEY", MASTER_KEY))


def test_an_ollama_without_models_is_not_called_missing(launch: Launch) -> None:
    with FakeOllama() as empty:
        gateway = launch(args=["--ollama", empty.url])
        assert f"{empty.url} answers and has no model yet" in gateway.output()
        assert "ollama pull" in gateway.output()


def test_a_named_server_that_does_not_answer_is_told_with_the_reason(launch: Launch) -> None:
    gateway = launch(args=["--ollama", "http://127.0.0.1:9"])
    (told,) = re.findall(r"^not reached (.*)", gateway.output(), re.MULTILINE)
    assert told.count("http://127.0.0.1:9") == 1
    assert "refused" in told


def test_wildcards_are_told_beside_the_models(launch: Launch, ollama_upstream: FakeOllama) -> None:
    entries = [ollama_entry("one", ollama_upstream, "llama3.1:8b"), ollama_entry("all/*", ollama_upstream, "*")]
    gateway = launch({"model_list": entries})
    assert "all/*" in gateway.output()


def test_the_table_says_what_each_model_is_for_and_can_do(launch: Launch) -> None:
    models = [
        OllamaModel("talker:1b", context_length=40_960, capabilities=("completion", "tools", "thinking")),
        OllamaModel("vectors:1b", context_length=2_048, capabilities=("embedding",)),
    ]
    with FakeOllama(models) as upstream:
        gateway = launch(args=["--ollama", upstream.url])
        assert re.search(r"^talker:1b +40,960 +chat, reasoning, tools", gateway.output(), re.MULTILINE)
        assert re.search(r"^vectors:1b +2,048 +embedding ", gateway.output(), re.MULTILINE)


def test_a_name_with_brackets_is_told_as_it_is(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("mine [bold]", upstream)]})
    assert "mine [bold]" in gateway.output()


def test_several_workers_show_it_once_with_the_key_that_was_made(launch: Launch, ollama_upstream: FakeOllama) -> None:
    args = ["--ollama", ollama_upstream.url, "--workers", "2"]
    gateway = launch(args=args, master_key=None)
    line = curl_line(gateway)
    assert gateway.output().count("Base URL") == 1
    assert "made just now" in gateway.output()
    assert b"Hello from Ollama." in paste(line)
