"""``pointsman serve --demo``: a real, small model to try the gateway with, and no other server needed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from pointsman.cli.demo_model import MODEL_LABEL, fetch_model
from pointsman.cli.demo_server import Orders
from pointsman.core.clock import fresh_token
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret

__all__ = ["Demo", "start_demo"]

_READY_SECONDS_MAX: Final = 60.0


class Demo:
    """The running child: where it listens, its key, and how to end it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, key: Secret) -> None:
        self._process = process
        self.api_base = f"http://127.0.0.1:{port}/v1"
        self.key = key

    def stop(self) -> None:
        """End the child."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()


def start_demo(data_directory: Path, console: Console) -> Demo:
    """Fetch the model if need be, start its server and wait until it is ready.

    Raises:
        Misconfigured: the extra is missing, the download failed, or the child did not start.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        message = "--demo needs llama.cpp's server, which is not installed."
        raise Misconfigured(message, hint="In a checkout: sh scripts/serve --demo, or pip install '.[demo]'")
    model = fetch_model(data_directory / "demo", console)
    with console.status(f"Starting {MODEL_LABEL}"):
        return _launch(model, data_directory / "demo" / "server.log")


def _launch(model: Path, log: Path) -> Demo:
    port, key = _free_port(), fresh_token()
    template = (Path(__file__).parent / "smollm2-tools.jinja").read_text("utf-8")
    orders = Orders(str(model), port, key, template, threads=max(1, (os.cpu_count() or 2) // 2))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pointsman.cli.demo_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
        )
    demo = Demo(process, port, Secret(key))
    if process.stdin is not None:
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        process.stdin.flush()
    if not _is_ready(process):
        demo.stop()
        message = f"The demo's model server did not start; {log} says why."
        raise Misconfigured(message)
    return demo


def _is_ready(process: subprocess.Popen[bytes]) -> bool:
    if process.stdout is None:
        return False
    readable, _, _ = select.select([process.stdout], [], [], _READY_SECONDS_MAX)
    return bool(readable) and process.stdout.readline().startswith(b"READY")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
