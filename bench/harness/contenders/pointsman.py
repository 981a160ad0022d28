"""Pointsman itself, with everything on that a deployment would have on."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path

from harness.contenders.contract import Contender, Place
from harness.surroundings import BENCH, BenchError, run_quietly

__all__ = ["Pointsman"]

_MASTER_KEY = "sk-bench-0123456789abcdef"
# High enough never to refuse, so that each is evaluated on every request.
_LIMITS = {
    "models": ["gpt-fast", "claude-fast"],
    "rpm_limit": 100_000_000,
    "tpm_limit": 100_000_000_000,
    "max_budget": 1_000_000,
}


class Pointsman(Contender):
    """One worker; a virtual key with limits and a budget; ledger and metrics on."""

    name = "pointsman"
    rate_max = 10_000
    warm_s = 3
    uses_upstream_key = True
    translates = True

    def install(self) -> None:
        """``bench/run`` has installed it; this says so early if it cannot start."""
        run_quietly([self._program(), "serve", "--help"], timeout_s=60)

    def version(self) -> str:
        """Of the package in use."""
        return run_quietly([sys.executable, "-c", "import pointsman; print(pointsman.__version__)"]).strip()

    def command(self, place: Place) -> list[str]:
        """As an operator would start it."""
        serve = [self._program(), "serve", "--config", str(BENCH / "pointsman.yaml")]
        return [*serve, "--port", str(place.port), "--data-dir", str(place.directory / "data"), "--workers", "1"]

    def environment(self, place: Place) -> dict[str, str]:
        """The master key and the upstream."""
        bases = {
            "BENCH_UPSTREAM_URL": place.upstream_url,
            "BENCH_ANTHROPIC_URL": place.upstream_url.removesuffix("/v1"),
        }
        return {"POINTSMAN_MASTER_KEY": _MASTER_KEY, **bases}

    def client_headers(self, place: Place) -> tuple[str, ...]:
        """A new virtual key."""
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)
        headers = {"Authorization": f"Bearer {_MASTER_KEY}", "Content-Type": "application/json"}
        connection.request("POST", "/key/generate", json.dumps(_LIMITS), headers)
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        if reply.status != http.HTTPStatus.OK:
            message = f"POST /key/generate answered {reply.status}: {text[:500]!r}"
            raise BenchError(message)
        return (f"Authorization: Bearer {json.loads(text)['key']}",)

    def notes(self) -> list[str]:
        """What is on."""
        return ["Pointsman: one worker, virtual key with rpm, tpm and budget limits checked, ledger and metrics on."]

    def _program(self) -> str:
        return str(Path(sys.prefix) / "bin" / "pointsman")
