"""What is looked at in every head that is parsed, whoever sent it and wherever it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from httptools import HttpRequestParser

from pointsman.core.errors import Malformed
from pointsman.wire.limits import HEADERS_MAX

__all__ = ["head_objection", "offers_other_protocol", "too_large", "without_offer"]

_OFFER: Final = frozenset({b"upgrade", b"http2-settings"})
"""The second is the settings of the protocol that is offered (RFC 7540, section 3.2.1)."""


def head_objection(headers: Sequence[tuple[bytes, bytes]], version: str) -> Malformed | None:
    """Why a head is refused; the names in ``headers`` are in lower case.

    RFC 9112, section 3.2: a request of HTTP/1.1 has one Host, and none has several.
    """
    if len(headers) > HEADERS_MAX:
        return Malformed("The request has too many headers.", status=431, code="headers_too_large")
    hosts = [name for name, _ in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return Malformed("A request has the header Host, and has it once.", code="bad_request")
    return None


def too_large(bytes_max: int) -> Malformed:
    """What a body that is longer than that is refused with."""
    return Malformed(f"The request body is longer than {bytes_max} bytes.", status=413, code="request_too_large")


def offers_other_protocol(parser: HttpRequestParser, upgrade: Callable[[], bytes | None]) -> bool:
    """Whether a request offers to go on in a protocol that is not spoken here; ``upgrade`` gives which.

    RFC 9110, section 7.8: the offer may be ignored. A tunnel, and a WebSocket, are demanded and not offered.
    """
    return parser.should_upgrade() and parser.get_method() != b"CONNECT" and upgrade() != b"websocket"


def without_offer(method: bytes, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of a request of HTTP/1.1 as if it had not offered another protocol."""
    kept = [b"%b: %b\r\n" % (name, value) for name, value in headers if name not in _OFFER]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, url, b"".join(kept))
