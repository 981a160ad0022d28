"""What the command line decided, for each worker process to act on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pointsman.core.secret import Secret

__all__ = ["DemoModel", "ServePlan"]


class DemoModel(msgspec.Struct, frozen=True):
    """The demo's model server. Its ``key`` only opens a child process on this machine."""

    api_base: str
    key: Secret


class ServePlan(msgspec.Struct, frozen=True):
    """How to serve. ``ollama`` are addresses given on the command line; ``worker`` counts from 0."""

    host: str
    port: int
    data_directory: Path
    config_path: Path | None = None
    ollama: tuple[str, ...] = ()
    authenticate: bool = True
    workers: int = 1
    worker: int = 0
    demo: DemoModel | None = None
