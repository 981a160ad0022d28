"""A real Ollama as a child process, with small models made of the demo's file; where its program is to be found.

It is looked for under ``OLLAMA_PROGRAM``, or as ``ollama`` on the path. Nothing is pulled: its models are created from
a file that is here already, in a folder of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.http_client import Answer, request
from tests.support.processes import free_port, process_tree
from tests.support.waiting import eventually

__all__ = ["MODELS", "RealOllama", "embedding_file", "ollama_program", "running_ollama"]

_PLAIN: Final = """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""

_TOOLS: Final = """{{- if .Tools }}<|im_start|>system
Call one of these functions:
{{- range .Tools }}
{{ . }}
{{- end }}<|im_end|>
<|im_start|>user
What time is it in Oslo?<|im_end|>
<|im_start|>assistant
Call: {"name": "get_time", "arguments": {"city": "Oslo"}}<|im_end|>
<|im_start|>user
What is the weather in Rome?<|im_end|>
<|im_start|>assistant
Call: {"name": "get_weather", "arguments": {"city": "Rome"}}<|im_end|>
{{ end }}
{{- range .Messages }}<|im_start|>{{ .Role }}
{{ if .ToolCalls }}
{{- range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}
{{- else }}{{ .Content }}{{ end }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ if .Tools }}Call:{{ end }}"""

_THINKING: Final = """{{- if and .IsThinkSet .Think }}<|im_start|>user
What is 1+1?<|im_end|>
<|im_start|>assistant
<think>
One and one.
</think>
It is 2.<|im_end|>
<|im_start|>user
What is the capital of Italy?<|im_end|>
<|im_start|>assistant
<think>
Italy has Rome.
</think>
It is Rome.<|im_end|>
{{ end }}
{{- range .Messages }}<|im_start|>{{ .Role }}
{{ if .Thinking }}<think>
{{ .Thinking }}
</think>
{{ end }}{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ if and .IsThinkSet .Think }}<think>
{{ end }}"""

_GGUF_HEAD: Final = struct.Struct("<4sIQQ")
"""Magic, version, tensors, metadata (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""
_UINT32, _STRING = 4, 8
_MEAN: Final = 1

_STOP: Final = {"stop": ["<|im_end|>"]}

MODELS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {"template": _PLAIN, "parameters": _STOP},
    "tooled": {"template": _TOOLS, "parameters": {**_STOP, "num_ctx": 2048, "repeat_penalty": 1.0}},
    "thinker": {"template": _THINKING, "parameters": _STOP},
}
"""What the models are created with, by their names."""

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0


def ollama_program() -> str:
    """The program; skips the test, loudly, where there is none: it is no package that could be installed for tests."""
    found = shutil.which(os.environ.get("OLLAMA_PROGRAM") or "ollama")
    if found is None:
        pytest.skip("THE REAL OLLAMA WAS NOT TESTED: no program `ollama` on the path, nor under OLLAMA_PROGRAM")
    return found


class RealOllama:
    """One server on 127.0.0.1; it can be killed and started again at the same address."""

    def __init__(self, program: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self._program = program
        self._folder = folder
        self._log = folder / "server.log"
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "OLLAMA_HOST": f"127.0.0.1:{self.port}",
            "OLLAMA_MODELS": str(folder / "models"),
            "OLLAMA_NO_CLOUD": "1",
            "OLLAMA_NUM_PARALLEL": "1",
            "OLLAMA_MAX_LOADED_MODELS": "1",
            "OLLAMA_CONTEXT_LENGTH": "4096",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What ``api_base`` is set to."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, "serve"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        eventually(self._answers, "Ollama answers", _READY_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and the processes that run its models."""
        process = self._process
        if process is None:
            return
        self._process = None
        family = process_tree(process.pid)
        process.send_signal(number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)
        for child in family[1:]:
            _kill(child)

    def kill(self) -> None:
        """End it as a crash would."""
        self.stop(signal.SIGKILL)

    def runners(self) -> list[int]:
        """The processes that have a model in memory."""
        return [] if self._process is None else process_tree(self._process.pid)[1:]

    def log(self) -> str:
        """What it has said."""
        return self._log.read_text("utf-8", "replace")

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One question of the test's own."""
        return request(self.port, method, path, body, timeout=120.0)

    def loaded(self) -> dict[str, int]:
        """The models in memory, each with its context window in tokens."""
        return {row["name"]: row["context_length"] for row in self.ask("GET", "/api/ps").json()["models"]}

    def create(self, name: str, file: Path, **fields: Any) -> None:
        """A model of a GGUF file; fails where it cannot be made."""
        data = file.read_bytes()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if request(self.port, "HEAD", f"/api/blobs/{digest}").status != 200:
            assert request(self.port, "POST", f"/api/blobs/{digest}", data, timeout=120.0).status == 201
        body = {"model": name, "files": {file.name: digest}, "stream": False, **fields}
        answer = self.ask("POST", "/api/create", body)
        assert answer.status == 200, answer.body

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"Ollama ended with {self._process.returncode}:\n{self.log()}")
        try:
            return request(self.port, "GET", "/api/version", timeout=2.0).status == 200
        except OSError:
            return False


@contextmanager
def running_ollama(model: Path, folder: Path, **environment: str) -> Iterator[RealOllama]:
    """A server with :data:`MODELS` and an ``embedder``, all made of one file, as long as the context lasts."""
    server = RealOllama(ollama_program(), folder, environment)
    server.start()
    try:
        for name, fields in MODELS.items():
            server.create(name, model, **fields)
        server.create("embedder", embedding_file(model, folder))
        yield server
    finally:
        server.stop()


def embedding_file(model: Path, folder: Path) -> Path:
    """The same weights as a model for embeddings: with a word on how they are to be pooled.

    What is put in is a multiple of 32 bytes, by which the data that follows is aligned.
    """
    data = model.read_bytes()
    magic, version, tensors, entries = _GGUF_HEAD.unpack_from(data)
    pooling = _gguf_text(b"llama.pooling_type") + struct.pack("<II", _UINT32, _MEAN)
    room = -(len(pooling) + len(_gguf_text(b"x.pad")) + 4 + 8) % 32
    padding = _gguf_text(b"x.pad") + struct.pack("<I", _STRING) + _gguf_text(b"-" * room)
    file = folder / "embedder.gguf"
    head = _GGUF_HEAD.pack(magic, version, tensors, entries + 2)
    file.write_bytes(head + pooling + padding + data[_GGUF_HEAD.size :])
    return file


def _gguf_text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
