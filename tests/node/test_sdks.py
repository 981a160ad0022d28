"""The official packages for Node pass the same journeys whichever dialect the upstream speaks."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.talking_upstreams import TalkingAnthropic, TalkingOllama, TalkingOpenAI
from tests.support.configs import ONE_ATTEMPT, anthropic_entry, ollama_entry, openai_entry
from tests.support.gateway import Gateway
from tests.support.node import NODE, install
from tests.support.waiting import eventually

pytestmark = pytest.mark.node

HERE = Path(__file__).parent
SECONDS = 60


Upstreams = dict[str, TalkingOpenAI | TalkingAnthropic | TalkingOllama]


class House:
    """A gateway before an OpenAI-compatible server (model ``cloud``), Anthropic (``claude``) and Ollama (``local``)."""

    def __init__(self, gateway: Gateway, upstreams: Upstreams) -> None:
        self.gateway = gateway
        self.upstreams = upstreams


@pytest.fixture(scope="module")
def packages() -> Path:
    """Where the packages are installed."""
    return install(HERE)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with TalkingOpenAI() as cloud, TalkingAnthropic() as claude, TalkingOllama() as local:
        entries = [
            openai_entry("cloud", cloud),
            anthropic_entry("claude", claude),
            ollama_entry("local", local, "llama3.1:8b"),
        ]
        with Gateway.start({**ONE_ATTEMPT, "model_list": entries}) as gateway:
            yield House(gateway, {"cloud": cloud, "claude": claude, "local": local})


@pytest.mark.parametrize("model", ["cloud", "claude", "local"])
@pytest.mark.parametrize("journey", ["openai", "anthropic", "gemini", "ollama"])
def test_the_journey_of_a_package(packages: Path, house: House, journey: str, model: str) -> None:
    script = HERE / f"{journey}.test.mjs"
    upstream = house.upstreams[model]
    upstream.forget()
    environment = {
        "PATH": os.environ["PATH"],
        "PACKAGES": str(packages),
        "GATEWAY_URL": house.gateway.url,
        "GATEWAY_KEY": house.gateway.new_key(),
        "MODEL": model,
    }
    command = [NODE, "--test", "--test-reporter=tap", str(script)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=packages
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    written = script.read_text("utf-8")
    assert passed is not None and int(passed[1]) >= len(re.findall(r"^ *test\(", written, re.MULTILINE))
    slow = [request for request in upstream.matching() if b'"slow"' in request.body]
    eventually(lambda: slow and all(request.aborted for request in slow), "the upstream sees that the client left")
