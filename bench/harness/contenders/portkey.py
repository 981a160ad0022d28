"""Portkey's open gateway, from npm."""

from __future__ import annotations

import json
from pathlib import Path

from harness.contenders.contract import Contender, Place
from harness.surroundings import cache_directory, require, run_quietly

__all__ = ["Portkey"]

_VERSION = "1.15.2"
# With later releases within its declared ranges every stream fails: it adds headers to an "immutable" reply.
_OVERRIDES = {"hono": "4.9.7", "@hono/node-server": "1.3.3"}


class Portkey(Contender):
    """One Node process; provider and upstream are named in request headers, as it expects."""

    name = "portkey"
    warm_s = 12
    scale = 2
    ready_path = "/"

    def install(self) -> None:
        """Into a directory of its own, without running install scripts."""
        require("node", "npm")
        if self._script().exists():
            return
        self._home().mkdir(parents=True, exist_ok=True)
        package = {"private": True, "dependencies": {"@portkey-ai/gateway": _VERSION}, "overrides": _OVERRIDES}
        (self._home() / "package.json").write_text(json.dumps(package))
        run_quietly(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=self._home())

    def version(self) -> str:
        """Gateway and Node."""
        package = json.loads((self._script().parent.parent / "package.json").read_text())
        node = run_quietly(["node", "--version"]).strip()
        return f"{package['version']} (node {node.removeprefix('v')})"

    def command(self, place: Place) -> list[str]:
        """Without its web console."""
        return ["node", str(self._script()), f"--port={place.port}", "--headless"]

    def environment(self, place: Place) -> dict[str, str]:
        """Production mode."""
        return {"NODE_ENV": "production"}

    def client_headers(self, place: Place) -> tuple[str, ...]:
        """The upstream's key, and where the upstream is."""
        return (
            "Authorization: Bearer sk-up",
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: {place.upstream_url}",
        )

    def notes(self) -> list[str]:
        """How it differs."""
        pins = ", ".join(f"{name} {version}" for name, version in _OVERRIDES.items())
        return [
            "Portkey's open gateway checks no key and keeps no ledger; the client sends the upstream's key.",
            f"Portkey runs on {pins}: with newer ones its streams fail. Its npm install scripts are not run.",
        ]

    def _home(self) -> Path:
        return cache_directory() / f"portkey-{_VERSION}-hono-{_OVERRIDES['hono']}"

    def _script(self) -> Path:
        return self._home() / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
