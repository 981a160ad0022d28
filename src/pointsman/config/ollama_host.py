"""Reads ``OLLAMA_HOST`` as Ollama itself does, so that one variable serves both programs.

Source: Ollama's ``envconfig.Host``. Without a scheme the port defaults to 11434, with one to that of the scheme.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

__all__ = ["OLLAMA_PORT", "ollama_address"]

OLLAMA_PORT: Final = 11434

_SCHEME_PORTS: Final = {"http": 80, "https": 443}
_PORT_MAX: Final = 65535
_HOST: Final = re.compile(r"[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.%A-Za-z0-9]+\]", re.ASCII)
_PATH: Final = re.compile(r"[\x21-\x7e]*")


def ollama_address(text: str) -> str | None:
    """The base address to call, e.g. ``http://127.0.0.1:11434``; None for an empty text.

    Takes ``host``, ``host:port``, ``:port`` and ``http(s)://host[:port][/path]``. An address that means "all
    interfaces" to a server means this machine to a client. An impossible port is replaced by the default one.

    Raises:
        ValueError: a scheme other than http and https, user and password, or no host name.
    """
    trimmed = text.strip().strip("\"'").strip()
    if not trimmed:
        return None
    scheme, separator, rest = trimmed.partition("://")
    if not separator:
        scheme, rest = ("https", "ollama.com:443") if trimmed == "ollama.com" else ("http", trimmed)
    scheme = scheme.lower()
    if scheme not in _SCHEME_PORTS:
        raise ValueError("an address of Ollama begins with http:// or https://")
    default_port = _SCHEME_PORTS[scheme] if separator else OLLAMA_PORT
    authority, _, path = rest.partition("/")
    host, port = _split(authority, default_port)
    if "@" in authority:
        raise ValueError("user and password do not belong in an address")
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path) or "?" in path or "#" in path:
        raise ValueError("this is not an address; write it as host:port or http://host:port")
    return f"{scheme}://{host}:{port}" + (f"/{path.rstrip('/')}" if path.rstrip("/") else "")


def _split(authority: str, default_port: int) -> tuple[str, int]:
    """Host, in brackets if it is an IPv6 address, and port."""
    bare = authority.strip("[]")
    if _is_ipv6(bare):
        return _reachable(bare), default_port
    host, _, port = authority.rpartition(":") if ":" in authority else (authority, "", "")
    return _reachable(host.strip("[]")), _port(port, default_port)


def _port(text: str, default: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        return default
    return int(text) if 0 < int(text) <= _PORT_MAX else default


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _reachable(host: str) -> str:
    if host in {"", "0.0.0.0"}:  # noqa: S104 - recognised, not bound to
        return "127.0.0.1"
    if not _is_ipv6(host):
        return host
    return "[::1]" if ipaddress.IPv6Address(host).is_unspecified else f"[{host}]"
