"""Signature Version 4: the headers, or the query, by which AWS knows who sends a request.

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

__all__ = ["AwsKeys", "SigningScope", "UnsignedRequest", "presigned_query", "signature_headers"]

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
    names, signature = _signature(request, [*request.headers, *added], request.query, keys, scope, moment)
    credential = f"{keys.access_key_id}/{_place(scope, moment)}"
    authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return tuple((name, Secret(value)) for name, value in [*added, ("Authorization", authorization)])


def presigned_query(request: UnsignedRequest, keys: AwsKeys, scope: SigningScope, at: float, seconds: int) -> Secret:
    """The query, that of ``request`` included, which is good for so many ``seconds`` from ``at`` on."""
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    said = [
        ("X-Amz-Algorithm", _ALGORITHM),
        ("X-Amz-Credential", f"{keys.access_key_id}/{_place(scope, moment)}"),
        ("X-Amz-Date", moment),
        ("X-Amz-Expires", str(seconds)),
        ("X-Amz-SignedHeaders", ";".join(name for name, _ in _canonical_headers(request.headers))),
    ]
    if keys.session_token is not None:
        said.append(("X-Amz-Security-Token", keys.session_token.reveal()))
    query = "&".join([request.query, *(f"{name}={_encoded(value.encode())}" for name, value in said)])
    _, signature = _signature(request, request.headers, query, keys, scope, moment)
    return Secret(f"{query}&X-Amz-Signature={signature}")


def _signature(
    request: UnsignedRequest,
    headers: Iterable[tuple[str, str]],
    query: str,
    keys: AwsKeys,
    scope: SigningScope,
    moment: str,
) -> tuple[str, str]:
    """The names of the headers that are signed, and the signature."""
    canonical_headers = _canonical_headers(headers)
    names = ";".join(name for name, _ in canonical_headers)
    canonical = "\n".join(
        [
            request.method,
            _canonical_path(request.path),
            _canonical_query(query),
            *(f"{name}:{value}" for name, value in canonical_headers),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    text = "\n".join([_ALGORITHM, moment, _place(scope, moment), hashlib.sha256(canonical.encode()).hexdigest()])
    key = _signing_key(keys, scope, moment[:8])
    return names, hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _place(scope: SigningScope, moment: str) -> str:
    return f"{moment[:8]}/{scope.region}/{scope.service}/{_END}"


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
