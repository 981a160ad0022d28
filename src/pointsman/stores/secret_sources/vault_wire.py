"""One request to HashiCorp Vault and its answer: in bounded time, and to the active node where a cluster tells one.

A standby that cannot forward answers with 307 and the address of the active node. That is followed as Vault's own
clients do it, token and all, since who answers in Vault's place has been given the token already: but never from TLS to
plain text, to no other path than was asked for, and not round in circles. Behind TLS the other node has to show a
certificate that the same authority signed.

Sources: https://developer.hashicorp.com/vault/docs/concepts/ha#client-redirection and …/api-docs#http-status-codes.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import urljoin, urlsplit

from pointsman.config.secret_sources import SecretsUnavailable

__all__ = ["TIMEOUT_SECONDS", "VaultWire"]

TIMEOUT_SECONDS: Final = 5.0
"""For each node that is asked, until the last byte of its answer."""

_ANSWER_BYTES_MAX: Final = 1024 * 1024
_HOPS_MAX: Final = 2
_ELSEWHERE: Final = frozenset({307, 308})


class VaultWire:
    """Sends requests to ``address`` (scheme, host and port). ``trusting`` makes the TLS context when first needed."""

    def __init__(
        self, address: str, trusting: Callable[[], ssl.SSLContext], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._address = address
        self._trusting = trusting
        self._timeout = timeout_seconds
        self._tls: ssl.SSLContext | None = None

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of one answer; ``path`` begins with a slash.

        Raises:
            SecretsUnavailable: there is none in time, or nobody knows where from.
        """
        address = self._address
        for _ in range(_HOPS_MAX + 1):
            status, told, place = self._exchange(address, method, path, body, headers)
            if status not in _ELSEWHERE:
                return status, told
            address = self._active_node(address, path, place)
        raise SecretsUnavailable(f"Vault at {self._address} sends us round in circles: its nodes do not agree on one.")

    def _active_node(self, address: str, path: str, place: str | None) -> str:
        """The address of the node that a standby names.

        Raises:
            SecretsUnavailable: it is none to send a token to.
        """
        parts = urlsplit(urljoin(address + path, place or ""))
        try:
            port = parts.port
        except ValueError:
            port, parts = None, urlsplit("")
        same_path = parts.path == path and not parts.query
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or not same_path:
            raise SecretsUnavailable(
                f"Vault at {self._address} is a standby and names no active node that could be asked (status 307); "
                "set api_addr on its nodes, or HCP_VAULT_ADDR to an address that leads to the active one."
            )
        if parts.scheme == "http" and address.startswith("https:"):
            raise SecretsUnavailable(
                f"Vault at {self._address} is a standby whose active node is at an address without TLS, to which no "
                "token is sent; set api_addr on its nodes to https://."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}{f':{port}' if port is not None else ''}"

    def _exchange(
        self, address: str, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, str | None]:
        connection = self._connection(address)
        late = threading.Event()

        def give_up() -> None:
            # A time limit of the socket begins anew with every byte, so that who drips could keep us for ever.
            late.set()
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

        guard = threading.Timer(self._timeout, give_up)
        guard.daemon = True
        try:
            guard.start()
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            told = answer.read(_ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
            if late.is_set():
                reason = f"no answer within {self._timeout:g} s"
            raise SecretsUnavailable(f"Vault at {address} cannot be reached: {reason}.") from None
        finally:
            guard.cancel()
            connection.close()
        if late.is_set():
            raise SecretsUnavailable(f"Vault at {address} cannot be reached: no answer within {self._timeout:g} s.")
        return answer.status, told, answer.getheader("Location")

    def _connection(self, address: str) -> http.client.HTTPConnection:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=self._timeout)
        if self._tls is None:
            self._tls = self._trusting()
        return http.client.HTTPSConnection(host, parts.port, timeout=self._timeout, context=self._tls)
