"""Without keys, a web page open in a browser on this machine must not act in its user's name."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from pointsman.core.errors import Forbidden

__all__ = ["demand_no_foreign_page"]

_LOCAL_ENDINGS: Final = (".localhost", ".local", ".internal")


def demand_no_foreign_page(headers: Sequence[tuple[bytes, bytes]], *, local_pages: bool) -> None:
    """Raise where a page of another site asks (told by ``Origin``), or one whose name was made to point here.

    The latter (DNS rebinding) is told by ``Host``, which then is a public name. ``local_pages`` lets pages in that
    this machine itself serves, at whatever port, such as a chat program's.

    Raises:
        Forbidden: a foreign page, or a Host that is no local name.
    """
    found = {name: value.decode("latin-1") for name, value in headers if name in {b"origin", b"host"}}
    host = _authority(f"//{found.get(b'host', '')}")
    origin = None if b"origin" not in found else _authority(found[b"origin"])
    same = b"origin" not in found or origin == host
    ours = local_pages and origin is not None and _is_this_machine(origin[0])
    if host is None or not _is_local_name(host[0]) or not (same or ours):
        raise Forbidden(
            "Without keys, web pages of other sites are not answered, nor any request under a public name.",
            hint="Set a master key, or use http://127.0.0.1.",
            code="foreign_page",
        )


def _authority(url: str) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port
    except ValueError:
        return None


def _is_this_machine(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_local_name(name: str) -> bool:
    if "." not in name and ":" not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(_LOCAL_ENDINGS)
    return True
