"""What is looked at in every head that is parsed, whoever sent it and wherever it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from httptools import HttpRequestParser

from pointsman.core.errors import Malformed
from pointsman.wire.limits import HEADERS_MAX

__all__ = [
    "coding_objection",
    "head_objection",
    "is_preflight",
    "no_other_protocol",
    "offers_other_protocol",
    "too_large",
    "without_offer",
]

_OFFER: Final = frozenset({b"upgrade", b"http2-settings"})
"""The second is the settings of the protocol that is offered (RFC 7540, section 3.2.1)."""

_MARKED: Final = frozenset({b"host", b"transfer-encoding"})
_NO_CODINGS: Final = frozenset({b"", b"identity"})


def head_objection(headers: Sequence[tuple[bytes, bytes]], version: str) -> Malformed | None:
    """Why a head is refused; the names in ``headers`` are in lower case.

    RFC 9112: a request of HTTP/1.1 has one Host, and none has several (section 3.2), and nothing need be done with a
    transfer coding that is not understood (section 6.1).
    """
    if len(headers) > HEADERS_MAX:
        return Malformed("The request has too many headers.", status=431, code="headers_too_large")
    marked = [(name, value) for name, value in headers if name in _MARKED]
    hosts = sum(name == b"host" for name, _ in marked)
    if hosts > 1 or (not hosts and version == "1.1"):
        return Malformed("A request has the header Host, and has it once.", code="bad_request")
    if any(name != b"host" and value.strip().lower() != b"chunked" for name, value in marked):
        # The parser finds the end of the body all the same, but nobody would take the other codings off.
        return Malformed("The only Transfer-Encoding understood is chunked.", code="bad_http")
    return None


def coding_objection(coding: bytes) -> Malformed | None:
    """Why a body is refused that has this Content-Encoding (RFC 9110, section 8.4)."""
    if coding.strip().lower() in _NO_CODINGS:
        return None
    said = coding[:40].decode("ascii", "replace")
    hint = "Send it without Content-Encoding."
    return Malformed(f"Encoded bodies ({said}) are not read.", hint=hint, status=415, code="unsupported_encoding")


def is_preflight(method: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a browser asks beforehand what a page may do; the app answers it for all paths."""
    return method == b"OPTIONS" and any(name == b"access-control-request-method" for name, _ in headers)


def too_large(bytes_max: int) -> Malformed:
    """What a body that is longer than that is refused with."""
    return Malformed(f"The request body is longer than {bytes_max} bytes.", status=413, code="request_too_large")


def no_other_protocol(method: bytes) -> Malformed:
    """What a tunnel is refused with, and a protocol that is demanded."""
    if method == b"CONNECT":
        return Malformed("This is no proxy: CONNECT is not understood.", code="bad_request")
    hint = "Send the request without the header Upgrade."
    return Malformed("This connection cannot be upgraded.", hint=hint, code="bad_request")


def offers_other_protocol(parser: HttpRequestParser, upgrade: Callable[[], bytes | None]) -> bool:
    """Whether a request offers to go on in a protocol that is not spoken here; ``upgrade`` gives which.

    RFC 9110, section 7.8: the offer may be ignored. A tunnel, and a WebSocket, are demanded and not offered.
    """
    return parser.should_upgrade() and parser.get_method() != b"CONNECT" and upgrade() != b"websocket"


def without_offer(method: bytes, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of a request of HTTP/1.1 as if it had not offered another protocol."""
    kept = [b"%b: %b\r\n" % (name, value) for name, value in headers if name not in _OFFER]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, url, b"".join(kept))
