"""``serve --demo`` as a newcomer starts it: the toy answers, says what it is, and leaves nothing running behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway
from tests.support.waiting import eventually

pytestmark = pytest.mark.real

TOY = "smollm2-135m"
LONG_PROMPT_TOKENS = 3_000
REFUSAL_SECONDS = 4.0
"""A prompt that is too long is refused at once."""


@pytest.fixture
def demo(model_file: Path) -> Iterator[Gateway]:
    """A gateway with the demo, whose model has been fetched before; an index is not to be had."""
    pytest.importorskip("xllamacpp", reason="THE DEMO WAS NOT TESTED: xllamacpp has no wheel for this machine")
    with Gateway(args=["--demo"], env={"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}) as gateway:
        folder = gateway.data_dir / "demo"
        folder.mkdir(parents=True)
        (folder / model_file.name).symlink_to(model_file)
        gateway.launch()
        yield gateway


def child(gateway: Gateway) -> int:
    """The process of the model's server."""
    (only,) = [pid for pid in gateway.processes() if pid != gateway.process.pid]
    return only


def gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has waited for yet has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_the_toy_answers_and_is_called_one(demo: Gateway) -> None:
    assert "a toy" in demo.output()
    assert demo.chat(TOY, "Say hello.", max_tokens=8).json()["usage"]["completion_tokens"] > 0
    answer = demo.http("POST", "/v1/embeddings", {"model": TOY, "input": "hello"})
    assert len(answer.json()["data"][0]["embedding"]) == 576


def test_the_context_that_is_told_can_be_used(demo: Gateway) -> None:
    told = demo.http("GET", f"/v1/models/{TOY}").json()["max_input_tokens"]
    assert told // 2 < LONG_PROMPT_TOKENS < told
    body = {"model": TOY, "messages": [{"role": "user", "content": "word " * LONG_PROMPT_TOKENS}], "max_tokens": 1}
    try:
        answer = demo.http("POST", "/v1/chat/completions", body, timeout=REFUSAL_SECONDS)
    except TimeoutError:
        return  # it reads the prompt, which takes a small machine many seconds
    assert answer.status == 200, answer.body


def test_ctrl_c_leaves_the_models_server_to_finish_open_answers(demo: Gateway) -> None:
    os.kill(child(demo), signal.SIGINT)
    assert demo.chat(TOY, "Say hello.", max_tokens=8).status == 200


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_models_server_does_not_outlive_the_gateway(demo: Gateway, number: signal.Signals) -> None:
    pid = child(demo)
    os.kill(demo.process.pid, number)
    demo.process.wait(15.0)
    eventually(lambda: gone(pid), "the model's server has ended", timeout=5.0)
