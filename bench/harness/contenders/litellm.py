"""LiteLLM Proxy in an environment of its own, with the handicaps removed that are not its own fault."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.contenders.contract import Contender, Place
from harness.surroundings import BENCH, BenchError, cache_directory, run_quietly

__all__ = ["LiteLLM"]

# Releases 1.82.7, 1.82.8 and 1.107.0 were poisoned; never install them.
_VERSION = "1.109.1"
_MASTER_KEY = "sk-bench-0123456789abcdef"
# Optional imports that would otherwise fail again in every request, and the fast HTTP parser.
_EXTRAS = ("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp", "prisma", "httptools", "sniffio")
# Pins of this release that an index may not be able to meet; neither takes part in serving a plain HTTP request.
_LOOSENED = ("certifi", "litellm-proxy-extras")


class LiteLLM(Contender):
    """One worker, master key on, no callbacks, no database."""

    name = "litellm"
    warm_s = 8
    scale = 2
    rate_max = 10
    uses_upstream_key = True
    ready_s_max = 180

    def install(self) -> None:
        """With uv, bytecode compiled; the declared pins first, the loosened ones only if those cannot be met."""
        if (self._home() / "installed.json").exists():
            return
        uv = self._installer()
        run_quietly([sys.executable, "-m", "venv", "--clear", str(self._home())])
        install = [str(uv), "pip", "install", "--python", str(self._python()), "--compile-bytecode"]
        packages = [f"litellm[proxy]=={_VERSION}", *_EXTRAS]
        loosened: list[str] = []
        try:
            run_quietly([*install, *packages])
        except BenchError:
            overrides = self._home() / "overrides.txt"
            overrides.write_text("\n".join(_LOOSENED) + "\n")
            run_quietly([*install, "--override", str(overrides), *packages])
            loosened = list(_LOOSENED)
        versions = json.loads(
            run_quietly([str(uv), "pip", "list", "--python", str(self._python()), "--format", "json"])
        )
        record = {"loosened": loosened, "versions": {package["name"]: package["version"] for package in versions}}
        (self._home() / "installed.json").write_text(json.dumps(record, indent=1))

    def version(self) -> str:
        """As installed."""
        return str(self._record()["versions"]["litellm"])

    def command(self, place: Place) -> list[str]:
        """One worker, as many as there are cores."""
        program = self._home() / "bin" / "litellm"
        config = ["--config", str(BENCH / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(place.port)]
        return [str(self._python()), str(program), *config, "--num_workers", "1", "--telemetry", "False"]

    def environment(self, place: Place) -> dict[str, str]:
        """What its production guide advises, and no download of prices at start."""
        return {
            "BENCH_UPSTREAM_URL": place.upstream_url,
            "LITELLM_MASTER_KEY": _MASTER_KEY,
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }

    def client_headers(self, place: Place) -> tuple[str, ...]:
        """The master key: without a database LiteLLM has no others."""
        return (f"Authorization: Bearer {_MASTER_KEY}",)

    def notes(self) -> list[str]:
        """How it was set up."""
        record = self._record()
        setup = (
            "one worker, master key checked, no database, callbacks or ledger; bytecode compiled, httptools installed"
        )
        notes = [f"LiteLLM: {setup}."]
        if record["loosened"]:
            used = ", ".join(f"{name} {record['versions'][name]}" for name in record["loosened"])
            notes.append(f"LiteLLM's own pins could not be met by the package index; instead of them: {used}.")
        return notes

    def _record(self) -> dict[str, dict[str, str]]:
        record: dict[str, dict[str, str]] = json.loads((self._home() / "installed.json").read_text())
        return record

    def _home(self) -> Path:
        return cache_directory() / f"litellm-{_VERSION}"

    def _python(self) -> Path:
        return self._home() / "bin" / "python"

    def _installer(self) -> Path:
        home = cache_directory() / "installer"
        if not (home / "bin" / "uv").exists():
            run_quietly([sys.executable, "-m", "venv", str(home)])
            run_quietly([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"])
        return home / "bin" / "uv"
