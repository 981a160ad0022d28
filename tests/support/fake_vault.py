"""A key-value store as HashiCorp Vault has it, on a port of its own, for tests."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["FakeVault"]


class FakeVault:
    """Secrets by path (``secret/data/…``); takes ``token``, and gives it for ``role``'s id and secret id.

    With ``active`` it is a standby, which sends everybody there: to that address with their path, or to that URL.
    """

    def __init__(self, token: str = "hvs.test-token", role: tuple[str, str] = ("role", "role-secret")) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.token = token
        self.role = role
        self.lease_seconds = 3600
        self.renewable = False
        self.renewals = 0
        self.down = False
        self.active = ""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(*vault.read(self.path, self.note()))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/v1/auth/token/renew-self":
                    self.answer(*vault.renew(self.headers["X-Vault-Token"]))
                    return
                self.note()
                self.answer(*vault.login(self.path, json.loads(body or b"{}")))

            def note(self) -> dict[str, str]:
                headers = {name.lower(): value for name, value in self.headers.items()}
                vault.asked.append((self.command, self.path, headers))
                return headers

            def answer(self, status: int, told: dict[str, Any]) -> None:
                body = json.dumps(told).encode()
                self.send_response(307 if vault.active else status)
                if vault.active:
                    on = self.path if vault.active.count("/") == 2 else ""
                    self.send_header("Location", vault.active + on)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a gateway is told, to come in with the token."""
        return {"HCP_VAULT_ADDR": self.address, "HCP_VAULT_TOKEN": self.token}

    def put(self, name: str, value: str, field: str = "key", at: str = "secret/data") -> None:
        self.secrets.setdefault(f"/v1/{at}/{name}", {})[field] = value

    def read(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.down:
            return 503, {"errors": ["Vault is sealed"]}
        if headers.get("x-vault-token") != self.token:
            return 403, {"errors": ["permission denied"]}
        if path not in self.secrets:
            return 404, {"errors": []}
        return 200, {"data": {"data": self.secrets[path], "metadata": {"version": 1}}}

    def login(self, path: str, form: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.down:
            return 503, {"errors": ["Vault is sealed"]}
        if path != "/v1/auth/approle/login" or (form.get("role_id"), form.get("secret_id")) != self.role:
            return 400, {"errors": ["invalid role or secret ID"]}
        return 200, {"auth": {"client_token": self.token, "lease_duration": self.lease_seconds, "renewable": True}}

    def renew(self, token: str) -> tuple[int, dict[str, Any]]:
        self.renewals += 1
        if self.down:
            return 503, {"errors": ["Vault is sealed"]}
        if not self.renewable or token != self.token:
            return 400, {"errors": ["lease is not renewable"]}
        return 200, {"auth": {"client_token": self.token, "lease_duration": self.lease_seconds, "renewable": True}}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
