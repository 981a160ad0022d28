"""Starts the real ``pointsman serve`` as a child process and keeps hold of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import anthropic
import openai
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.http_client import Answer, LiveStream, exchange_raw, request
from tests.support.preloaded import PreloadedProcess, can_preload, start_preloaded
from tests.support.processes import free_port, process_tree, resident_kilobytes
from tests.support.waiting import eventually

__all__ = ["MASTER_KEY", "READY_SECONDS", "Gateway", "Launch"]

MASTER_KEY: Final = "sk-master-0123456789abcdef"

READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_STARTS_MAX: Final = 3


class Gateway:
    """One gateway on 127.0.0.1, with a data directory of its own.

    ``config`` is a mapping (written as YAML), YAML text, or None for no file at all. ``ready_seconds`` is how long it
    took from the start of the process to the first 200 of /health/readiness. ``fresh``: the process loads the program
    itself, for tests that look at its memory, its arguments or the time it takes; else see ``preloaded.py``.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        master_key: str | None = MASTER_KEY,
        fresh: bool = False,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pointsman-journey-"))
        self.data_dir = self.directory / "data"
        self.config_file = self.directory / "config.yaml"
        self.master_key = master_key or ""
        self.port = 0
        self.ready_seconds = 0.0
        self._said_before = 0
        self._has_config = config is not None
        self._env = dict(env or {})
        self._args = list(args)
        # What the interpreter itself is told, it is told only when it starts.
        self._fresh = fresh or not can_preload() or any(name.startswith("PYTHON") for name in self._env)
        self._process: subprocess.Popen[bytes] | PreloadedProcess | None = None
        self._closers: list[Callable[[], None]] = []
        if config is not None:
            self.write_config(config)

    @classmethod
    def start(
        cls,
        config: Mapping[str, Any] | str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        master_key: str | None = MASTER_KEY,
        fresh: bool = False,
    ) -> Self:
        """A gateway that is ready."""
        gateway = cls(config, env=env, args=args, master_key=master_key, fresh=fresh)
        try:
            gateway.launch()
        except BaseException:
            gateway.close()
            raise
        return gateway

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- life ----------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the process (again) and wait until it is ready."""
        for attempt in range(_STARTS_MAX):
            self.spawn()
            try:
                eventually(self._is_ready, "the gateway is ready", READY_SECONDS)
                # It answers a moment before it says so.
                eventually(self._has_said_so, "the gateway has told its address", READY_SECONDS)
            except AssertionError as problem:
                if self.running or attempt + 1 == _STARTS_MAX or "in use" not in self.output():
                    raise AssertionError(f"{problem}\n{self.output()}") from problem
                self.port = 0
            else:
                return

    def spawn(self) -> None:
        """Start the process and do not wait."""
        self.port = self.port or free_port()
        command = ["serve", "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        command += self._args
        if self._has_config:
            command += ["--config", str(self.config_file)]
        out, err = self.directory / "stdout.log", self.directory / "stderr.log"
        self._said_before = out.stat().st_size if out.exists() else 0
        self._started_at = time.monotonic()
        if self._fresh:
            self._process = self._load_and_run(command, out, err)
        else:
            self._process = start_preloaded(command, env=self._environment(), cwd=self.directory, out=out, err=err)

    def _load_and_run(self, command: list[str], out: Path, err: Path) -> subprocess.Popen[bytes]:
        with out.open("ab") as out_file, err.open("ab") as err_file:
            return subprocess.Popen(
                [sys.executable, "-m", "pointsman", *command],
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                env=self._environment(),
                cwd=self.directory,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE") if name in os.environ}
        # No server of this machine may be found by accident: nobody listens on the discard port.
        own = {"HOME": str(self.directory), "OLLAMA_HOST": "127.0.0.1:9", "PYTHONUNBUFFERED": "1"}
        key = {"POINTSMAN_MASTER_KEY": self.master_key} if self.master_key else {}
        return {**kept, **own, **key, **self._env}

    def _is_ready(self) -> bool:
        if not self.running:
            raise AssertionError(f"the gateway ended with {self.process.returncode}")
        try:
            ready = request(self.port, "GET", "/health/readiness", timeout=2.0).status == 200
        except OSError:
            return False
        self.ready_seconds = time.monotonic() - self._started_at
        return ready

    def _has_said_so(self) -> bool:
        return b"Try it" in (self.directory / "stdout.log").read_bytes()[self._said_before :]

    @property
    def process(self) -> subprocess.Popen[bytes] | PreloadedProcess:
        """The child process."""
        if self._process is None:
            raise AssertionError("the gateway was not started")
        return self._process

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        """Send SIGTERM and do not wait."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = _STOP_SECONDS) -> int:
        """The exit status, once the process has ended; dying of our own SIGTERM counts as 0, as it does for systemd."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the gateway did not end within {timeout} s\n{self.output()}") from None
        return 0 if status == -signal.SIGTERM else status

    def stop(self) -> int:
        """SIGTERM, and wait; gives the exit status."""
        if self.running:
            self.terminate()
        return self.wait()

    def kill(self) -> None:
        """``kill -9`` of the process and all its children."""
        if self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_STOP_SECONDS)

    def restart(self) -> None:
        """Stop, and start again on the same port and data directory."""
        self.stop()
        self.launch()

    def close(self) -> None:
        """Stop it if it runs, and remove what it wrote."""
        for closer in self._closers:
            closer()
        self._closers.clear()
        if self.running:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- what it wrote -------------------------------------------------------------------------------

    def write_config(self, config: Mapping[str, Any] | str) -> None:
        """Replace the config file, at once and as a whole."""
        text = config if isinstance(config, str) else yaml.safe_dump(dict(config), sort_keys=False)
        fresh = self.config_file.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.config_file)

    def output(self) -> str:
        """Everything printed so far, standard output first."""
        parts = []
        for name in ("stdout.log", "stderr.log"):
            file = self.directory / name
            text = file.read_text("utf-8", "replace") if file.exists() else ""
            parts.append(f"--- {name}\n{text}")
        return "\n".join(parts)

    # -- talking to it -------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self.port}"

    def openai(self, key: str | None = None, **options: Any) -> openai.OpenAI:
        """The official SDK, without retries; closed together with the gateway."""
        options = {"max_retries": 0, "timeout": 30.0, **options}
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=key or self.master_key or "none", **options)
        self._closers.append(client.close)
        return client

    def anthropic(self, key: str | None = None, **options: Any) -> anthropic.Anthropic:
        """Anthropic's official SDK, without retries; closed together with the gateway."""
        options = {"max_retries": 0, "timeout": 30.0, **options}
        client = anthropic.Anthropic(base_url=self.url, api_key=key or self.master_key or "none", **options)
        self._closers.append(client.close)
        return client

    def http(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """One request with the key (default: the master key; ``""``: none)."""
        return request(self.port, method, path, body, headers={**self._bearer(key), **(headers or {})}, timeout=timeout)

    def stream(self, path: str, body: Any, *, key: str | None = None, timeout: float = 30.0) -> LiveStream:
        """A request whose answer is read while it comes."""
        return LiveStream(self.port, path, body, self._bearer(key), timeout)

    def raw(self, *parts: bytes, timeout: float = 5.0, gap_seconds: float = 0.0, half_close: bool = False) -> bytes:
        """Bytes as they are, on a connection of their own; see :func:`exchange_raw`."""
        return exchange_raw(self.port, *parts, timeout=timeout, gap_seconds=gap_seconds, half_close=half_close)

    def _bearer(self, key: str | None) -> dict[str, str]:
        presented = self.master_key if key is None else key
        return {"Authorization": f"Bearer {presented}"} if presented else {}

    def chat(
        self,
        model: str,
        text: str = "one two three",
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Answer:
        """One chat request over plain HTTP."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return self.http("POST", "/v1/chat/completions", body, key=key, headers=headers)

    def new_key(self, **fields: Any) -> str:
        """A virtual key with these fields."""
        answer = self.http("POST", "/key/generate", fields)
        if answer.status != 200:
            raise AssertionError(f"/key/generate: {answer.status} {answer.body[:500]!r}")
        key: str = answer.json()["key"]
        return key

    # -- what it knows -------------------------------------------------------------------------------

    def ledger(self, **query: str) -> list[dict[str, Any]]:
        """The rows of /spend/logs."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        answer = self.http("GET", f"/spend/logs?{text}")
        if answer.status != 200:
            raise AssertionError(f"/spend/logs: {answer.status} {answer.body[:500]!r}")
        rows: list[dict[str, Any]] = answer.json()
        return rows

    def settled_ledger(
        self, count: int, key: str | None = None, timeout: float = 15.0, status: str | None = None
    ) -> list[dict[str, Any]]:
        """The rows (of one key, with one status) once there are at least ``count``."""
        digest = None if key is None else sha256(key.encode()).hexdigest()

        def look() -> list[dict[str, Any]]:
            rows = [
                row for row in self.ledger()
                if (digest is None or row["api_key"] == digest) and (status is None or row["status"] == status)
            ]  # fmt: skip
            return rows if len(rows) >= count else []

        return eventually(look, f"{count} rows in the ledger", timeout)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples with this name and these labels."""
        text = self.http("GET", "/metrics").body.decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def rss_kb(self) -> int:
        """Resident kilobytes of the process and its children."""
        return resident_kilobytes(self.process.pid)

    def processes(self) -> list[int]:
        """The ids of the process and its children."""
        return process_tree(self.process.pid)


Launch = Callable[..., Gateway]
"""What the ``launch`` fixture gives: called like :meth:`Gateway.start`, plus ``ready=False`` not to start it."""
