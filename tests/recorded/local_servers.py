"""Real answers of model servers that run on one's own machine, recorded by this project and kept in ``local``.

Each file is one version of one server; each line is an exchange, its body as it came. What was changed is told in
``local/README.md``.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import msgspec

__all__ = ["SERVERS", "Recording", "recording", "recordings"]

_FOLDER: Final = Path(__file__).with_name("local")

SERVERS: Final = tuple(sorted(file.stem for file in _FOLDER.glob("*.jsonl")))
"""Server and version, as ``vllm-0.32.0``."""


class Recording(msgspec.Struct, frozen=True):
    """One request and its answer; ``asked`` is the request's JSON, ``type`` the answer's content type."""

    name: str
    method: str
    path: str
    asked: Any
    status: int
    type: str
    text: str = msgspec.field(name="body")

    @property
    def body(self) -> bytes:
        return self.text.encode()

    @property
    def is_stream(self) -> bool:
        return self.type.startswith("text/event-stream")


@functools.cache
def recordings(server: str) -> dict[str, Recording]:
    """All of a server's, by their names."""
    lines = (_FOLDER / f"{server}.jsonl").read_bytes().splitlines()
    return {one.name: one for one in (msgspec.json.decode(line, type=Recording) for line in lines)}


def recording(server: str, name: str) -> Recording:
    """One of them."""
    return recordings(server)[name]
