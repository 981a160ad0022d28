"""The answer to a request that is refused before its story begins."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.clock import call_id
from pointsman.core.errors import GatewayError
from pointsman.core.exchange import InferenceRoute

__all__ = ["refusal"]

_METHOD_NOT_ALLOWED: Final = 405


def refusal(error: GatewayError, route: InferenceRoute | None, start: bytes) -> bytes:
    """A whole HTTP response that closes the connection, in the route's dialect where there is a route.

    ``start`` is the status line and headers that every answer has.
    """
    identity = call_id()
    if route is not None:
        body = route.dialect.write_error(error, identity)
    else:
        shape = {"message": error.told(), "type": error.kind, "param": error.param, "code": error.code}
        body = msgspec.json.encode({"error": shape})
    allowed = b""
    if route is not None and error.status == _METHOD_NOT_ALLOWED:
        allowed = b"allow: %b\r\n" % b", ".join(sorted(route.methods))  # RFC 9110, section 15.5.6
    head = (
        b"content-type: application/json\r\nx-litellm-call-id: %b\r\n%bconnection: close\r\ncontent-length: %d\r\n\r\n"
    )
    return start + head % (identity.encode(), allowed, len(body)) + body
