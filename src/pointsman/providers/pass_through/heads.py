"""Which headers travel on: what describes the request does, what belongs to a connection or opens a door does not.

Hop-by-hop fields: RFC 9110, section 7.6.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pointsman.core.secret import Secret

__all__ = ["forwarded_headers", "returned_lines"]

_HOP: Final = frozenset({
    b"connection", b"content-length", b"expect", b"host", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
    b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
})  # fmt: skip
_CALLERS: Final = frozenset({
    b"accept-encoding", b"authorization", b"cdn-loop", b"content-type", b"cookie", b"forwarded", b"openai-organization",
    b"openai-project", b"origin", b"referer", b"true-client-ip", b"via", b"x-amz-security-token",
    b"x-goog-user-project", b"x-real-ip",
})  # fmt: skip
"""Who the caller is, where it sits, and whom the operator's account would bill."""
_REWRITING: Final = frozenset({
    b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url",
})  # fmt: skip
"""What some servers take for the true path or method, which then would not be those that were allowed."""
_CALLERS_PREFIXES: Final = (b"access-control-", b"cf-", b"sec-", b"x-forwarded-", b"x-litellm-", b"x-pointsman-")
_OPERATORS: Final = frozenset({
    b"alt-svc", b"clear-site-data", b"date", b"location", b"openai-organization", b"openai-project", b"server",
    b"set-cookie", b"strict-transport-security", b"via", b"www-authenticate", b"x-goog-upload-url",
})  # fmt: skip
"""What would tell whose account it is, set state for our own origin, or lead around the gateway."""
_OPERATORS_PREFIXES: Final = (
    b"access-control-", b"anthropic-organization-", b"anthropic-ratelimit-", b"cf-", b"x-litellm-", b"x-pointsman-",
    b"x-ratelimit-",
)  # fmt: skip


def forwarded_headers(
    headers: Sequence[tuple[bytes, bytes]], key: bytes, credentials: frozenset[bytes]
) -> tuple[tuple[str, Secret], ...]:
    """What of a request's headers (lower-case names) goes on. ``credentials`` are where our keys may stand.

    Nothing that holds the caller's ``key`` goes, under whatever name; nor what ``Connection`` names.
    """
    dropped = _HOP | _CALLERS | _REWRITING | credentials | _named(headers)
    kept = {
        name: value
        for name, value in headers
        if name not in dropped and not name.startswith(_CALLERS_PREFIXES) and not (key and key in value)
    }
    kept.setdefault(b"accept", b"*/*")
    return tuple((name.decode("latin-1"), Secret(value.decode("latin-1"))) for name, value in kept.items())


def returned_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The header lines of a provider's answer that a client may see."""
    dropped = _HOP | _OPERATORS | _named(headers)
    return b"".join(
        b"%b: %b\r\n" % (name, value)
        for name, value in headers
        if name not in dropped and not name.startswith(_OPERATORS_PREFIXES)
    )


def _named(headers: Sequence[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The fields that ``Connection`` makes hop-by-hop."""
    return frozenset(
        token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")
    )
