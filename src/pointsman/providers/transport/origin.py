"""Where an upstream is: scheme, host, port and base path of an ``api_base``."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from pointsman.core.errors import Misconfigured

__all__ = ["Origin", "header_line"]

_HOST: Final = re.compile(r"[A-Za-z0-9._~\-\[\]:%]+")
_FORBIDDEN_IN_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origin(msgspec.Struct, frozen=True):
    """A base URL taken apart. ``path`` has no slash at its end; ``authority`` is the Host header."""

    scheme: str
    host: str
    port: int
    path: str = ""
    query: str = ""

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Take ``http://host:port/base`` apart.

        Raises:
            Misconfigured: not an http or https URL with a host.
        """
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError as error:
            message = f"api_base {_shown(url)} is not a URL: {error}."
            raise Misconfigured(message) from None
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not _HOST.fullmatch(parts.hostname):
            message = f"api_base {_shown(url)} is not an http:// or https:// URL with a host."
            raise Misconfigured(message, hint="Write it like http://127.0.0.1:8000/v1.")
        return cls(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme], _clean_path(parts), parts.query)

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """``host:port`` as the Host header wants it, the default port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL without credentials or query."""
        return f"{self.scheme}://{self.authority}{self.path}"


def header_line(name: str, value: str) -> bytes:
    """One header line for the wire.

    Raises:
        Misconfigured: a control character in name or value would let it say more than one header.
    """
    if _FORBIDDEN_IN_HEADER.search(name + value) or not name:
        message = f"The header {name!r} has a control character in its name or value."
        raise Misconfigured(message)
    return f"{name}: {value}\r\n".encode("latin-1", "replace")


def _clean_path(parts: SplitResult) -> str:
    path = parts.path.rstrip("/")
    return path if re.fullmatch(r"[!-~]*", path) else ""


def _shown(url: str) -> str:
    """The URL without user and password, for a message."""
    return repr(re.sub(r"//[^/@]*@", "//…@", url))
