"""A real small model behind a real gateway, once per session."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
from rich.console import Console

from pointsman.cli.demo_model import fetch_model
from pointsman.core.errors import Misconfigured
from tests.support.configs import openai_entry
from tests.support.gateway import Gateway
from tests.support.http_client import request
from tests.support.processes import free_port
from tests.support.waiting import eventually

UPSTREAM_KEY = "sk-real-upstream-key"


def _cannot(reason: str) -> None:
    """Without the model there is nothing to test: a failure in CI, a loud skip on a developer's machine."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(f"THE REAL MODEL WAS NOT TESTED: {reason}")


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The model, fetched once per machine and checked by its hash each time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pointsman" / "models"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return fetch_model(cache, Console(quiet=True))
        except Misconfigured as problem:
            _cannot(problem.told())
            raise


class Llama:
    """The running server."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.process = process
        self._log = log

    @property
    def base_url(self) -> str:
        """What ``api_base`` is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    def ready(self) -> bool:
        """Whether it answers; fails when it has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"llama.cpp's server ended with {self.process.returncode}:\n{self._log.read_text()}")
        try:
            return request(self.port, "GET", "/health", timeout=2.0).status == 200
        except OSError:
            return False

    def busy_slots(self) -> int:
        """How many answers are being made."""
        headers = {"Authorization": f"Bearer {UPSTREAM_KEY}"}
        slots = request(self.port, "GET", "/slots", headers=headers).json()
        return sum(bool(slot["is_processing"]) for slot in slots)


@contextmanager
def serving(
    model: Path, log: Path, *, key: str = "", port: int | None = None, sleep: int | None = None
) -> Iterator[Llama]:
    """llama.cpp's server with a model, as long as the context lasts."""
    pytest.importorskip("xllamacpp", reason="THE REAL MODEL WAS NOT TESTED: xllamacpp has no wheel for this machine")
    port = port or free_port()
    program = Path(__file__).with_name("llama_server.py")
    options = [] if sleep is None else [str(sleep)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(program), str(model), str(port), key, *options],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Llama(port, process, log)
    try:
        eventually(server.ready, "llama.cpp's server answers", timeout=60.0)
        yield server
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10.0)


@pytest.fixture(scope="session")
def llama(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    """llama.cpp's server with the model."""
    with serving(model_file, tmp_path_factory.mktemp("llama") / "server.log", key=UPSTREAM_KEY) as server:
        yield server


@pytest.fixture(scope="session")
def gateway(llama: Llama) -> Iterator[Gateway]:
    """A gateway in front of it."""
    entry = openai_entry("smollm2", llama.base_url, model="openai/smollm2", api_key=UPSTREAM_KEY, timeout=60)
    with Gateway.start({"model_list": [entry]}) as running:
        yield running


@pytest.fixture(scope="session")
def sdk(gateway: Gateway) -> openai.OpenAI:
    """The official SDK, pointed at the gateway with a virtual key."""
    return gateway.openai(gateway.new_key(), timeout=60.0)


@pytest.fixture(scope="session")
def direct(llama: Llama) -> Iterator[openai.OpenAI]:
    """The official SDK, pointed at the model's server itself."""
    with openai.OpenAI(base_url=llama.base_url, api_key=UPSTREAM_KEY, max_retries=0, timeout=60.0) as client:
        yield client
