"""The answer to a request that is refused before its story begins."""

from __future__ import annotations

import msgspec

from pointsman.core.clock import call_id
from pointsman.core.errors import GatewayError
from pointsman.core.exchange import InferenceRoute

__all__ = ["refusal"]


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
    head = b"content-type: application/json\r\nx-litellm-call-id: %b\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    return start + head % (identity.encode(), len(body)) + body
