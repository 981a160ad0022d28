"""Signature Version 4: the headers by which AWS knows who sends a request.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Pure: the time is
given, and nothing is sent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from pointsman.core.secret import Secret

__all__ = ["AwsKeys", "SigningScope", "UnsignedRequest", "signature_headers"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_END: Final = "aws4_request"
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_SLASH: Final = frozenset(b"/")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_SPACES: Final = re.compile(r"\s+")


class AwsKeys(msgspec.Struct, frozen=True):
    """What a request is signed with; ``session_token`` goes with keys that expire."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None


class SigningScope(msgspec.Struct, frozen=True):
    """Where a signature is good: ``us-east-1`` and ``bedrock``."""

    region: str
    service: str


class UnsignedRequest(msgspec.Struct, frozen=True):
    """A request as it is sent: its path and query already percent-encoded, its headers with ``Host``."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    query: str = ""
    body: bytes = b""


def signature_headers(
    request: UnsignedRequest, keys: AwsKeys, scope: SigningScope, at: float
) -> tuple[tuple[str, Secret], ...]:
    """The headers to add. Every header of ``request`` is signed, so none of them may change on the way.

    Args:
        request: What is to be sent.
        keys: Whose it is.
        scope: Where it goes.
        at: Now, in seconds since the epoch. AWS refuses what is more than five minutes away from its own time.
    """
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    added = [("X-Amz-Date", moment)]
    if keys.session_token is not None:
        added.append(("X-Amz-Security-Token", keys.session_token.reveal()))
    headers = _canonical_headers([*request.headers, *added])
    names = ";".join(name for name, _ in headers)
    canonical = "\n".join(
        [
            request.method,
            _canonical_path(request.path),
            _canonical_query(request.query),
            *(f"{name}:{value}" for name, value in headers),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    place = f"{moment[:8]}/{scope.region}/{scope.service}/{_END}"
    text = "\n".join([_ALGORITHM, moment, place, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(_signing_key(keys, scope, moment[:8]), text.encode(), hashlib.sha256).hexdigest()
    credential = f"{keys.access_key_id}/{place}"
    authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return tuple((name, Secret(value)) for name, value in [*added, ("Authorization", authorization)])


def _signing_key(keys: AwsKeys, scope: SigningScope, day: str) -> bytes:
    key = f"AWS4{keys.secret_access_key.reveal()}".encode()
    for part in (day, scope.region, scope.service, _END):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Lower case and in order; the values of one name together."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(_SPACES.sub(" ", value.strip()))
    return [(name, ",".join(values[name])) for name in sorted(values)]


def _canonical_path(path: str) -> str:
    """The path with its dots resolved, and encoded once more than it is sent: all services but S3 want it so."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    tail = "/" if parts and path.endswith("/") else ""
    return _encoded(f"/{'/'.join(parts)}{tail}".encode(), _UNRESERVED | _SLASH)


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    encoded = sorted((_encoded(_decoded(name)), _encoded(_decoded(value))) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _decoded(text: str) -> bytes:
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())


def _encoded(raw: bytes, kept: frozenset[int] = _UNRESERVED) -> str:
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in raw)
