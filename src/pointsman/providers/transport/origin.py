"""Where an upstream is: scheme, host, port and base path of an ``api_base``."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pointsman.core.errors import Misconfigured

__all__ = ["Origin", "header_line"]

_HOST: Final = re.compile(r"[A-Za-z0-9._~\-\[\]:%]+")
_TARGET: Final = re.compile(r"[!-~]*")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token of RFC 9110, section 5.6.2."""
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
        path = parts.path.rstrip("/")
        if not _TARGET.fullmatch(path + parts.query):
            message = f"api_base {_shown(url)} has characters that a URL cannot have."
            raise Misconfigured(message, hint="Write spaces and letters beyond ASCII as %20 and the like.")
        return cls(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme], path, parts.query)

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
        Misconfigured: name or value would let it say more than one header, or none.
    """
    if _FORBIDDEN_IN_HEADER.search(value) or not _HEADER_NAME.fullmatch(name):
        message = f"The header {name!r} has a character in its name or value that headers cannot have."
        raise Misconfigured(message)
    return f"{name}: {value}\r\n".encode("latin-1", "replace")


def _shown(url: str) -> str:
    """The URL without user and password, for a message."""
    return repr(re.sub(r"//[^/@]*@", "//…@", url))
