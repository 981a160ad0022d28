"""LiteLLM Proxy 1.109.1 as a child process, in an environment of its own, with a real PostgreSQL behind it.

Its client of the database wants a program that no registry of packages has: Prisma's query engine. npm has the same
engine as WebAssembly; ``query-engine.cjs`` makes the program of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.support.http_client import request
from tests.support.processes import free_port
from tests.support.servers import PostgresServer
from tests.support.waiting import eventually

__all__ = ["VERSION", "LiteLLMProxy", "install", "tables_of_litellm"]

VERSION: Final = "1.109.1"
# Releases 1.82.7, 1.82.8 and 1.107.0 were poisoned; never install them.
_PACKAGES: Final = (
    f"litellm[proxy]=={VERSION}",
    "litellm-proxy-extras==0.4.110",
    "prisma==0.11.0",
    "prometheus-client",
    "httptools",
)
_LOOSENED: Final = ("certifi", "litellm-proxy-extras")
_HERE: Final = Path(__file__).parent
_READY_SECONDS: Final = 600.0
_STOP_SECONDS: Final = 20.0


def install() -> Path:
    """The folder with its environment and the engine's packages; made once, some 800 MB."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman"
    home = cache / f"litellm-{VERSION}-with-database"
    if (home / "complete").exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    python = home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    overrides = home / "overrides.txt"
    overrides.write_text("\n".join(_LOOSENED) + "\n")
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(python), "--compile-bytecode", "--quiet"]
    subprocess.run([*uv, "--override", str(overrides), *_PACKAGES], check=True)
    engine = home / "engine"
    engine.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, engine)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=engine, check=True)
    schema = _site_packages(home) / "litellm" / "proxy" / "schema.prisma"
    environment = {**os.environ, "PRISMA_PACKAGES": str(engine)}
    described = subprocess.run(
        ["node", str(_HERE / "describe.cjs"), str(schema)], env=environment, check=True, capture_output=True
    ).stdout
    subprocess.run([str(python), str(_HERE / "generate.py"), str(schema)], input=described, check=True)
    # It asks Prisma's command line whether the tables are as they should be; that would be fetched first.
    command = home / "bin" / "prisma"
    command.write_text("#!/bin/sh\nexit 0\n")
    command.chmod(0o755)
    (home / "complete").touch()
    return home


def tables_of_litellm(server: PostgresServer, home: Path) -> str:
    """The name of a new database with the tables that LiteLLM's own migrations make."""
    database = server.new_database()
    migrations = sorted((_site_packages(home) / "litellm_proxy_extras" / "migrations").glob("*/migration.sql"))
    server.execute(*(each.read_text("utf-8") for each in migrations), database=database)
    return database


class LiteLLMProxy:
    """One proxy on 127.0.0.1; ready when the ``with`` block begins."""

    def __init__(
        self, home: Path, config: Mapping[str, Any], *, database_url: str, master_key: str, env: Mapping[str, str]
    ) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="pointsman-litellm-"))
        (self.directory / "config.yaml").write_text(yaml.safe_dump(dict(config)))
        self._home = home
        self._environment = {
            **os.environ,
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "DATABASE_URL": database_url,
            "PRISMA_QUERY_ENGINE_BINARY": str(_HERE / "query-engine.cjs"),
            "PRISMA_PACKAGES": str(home / "engine"),
            "LITELLM_MASTER_KEY": master_key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "DISABLE_SCHEMA_UPDATE": "true",
            **env,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = [str(self._home / "bin" / "python"), str(self._home / "bin" / "litellm")]
        options = ["--config", str(self.directory / "config.yaml"), "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*program, *options, "--num_workers", "1", "--telemetry", "False"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self._environment,
            )
        try:
            eventually(self._is_ready, "LiteLLM is ready", _READY_SECONDS)
        except AssertionError as problem:
            self.__exit__()
            raise AssertionError(f"{problem}\n{self.output()}") from problem
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)

    def output(self) -> str:
        """What it wrote."""
        return (self.directory / "log").read_text("utf-8", "replace")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"LiteLLM ended at once\n{self.output()}")
        try:
            said = request(self.port, "GET", "/health/readiness", timeout=5.0)
        except OSError:
            return False
        return said.status == 200 and json.loads(said.body).get("db") == "connected"


def _site_packages(home: Path) -> Path:
    return next((home / "lib").glob("python3*/site-packages"))
