"""Signed tokens and public keys as texts: JSON Web Tokens in their compact form, and sets of JSON Web Keys.

Sources: RFC 7515 (signatures), RFC 7517 (keys), RFC 7518 section 3.1 (algorithms), RFC 7519 (tokens), RFC 8037
(Ed25519).
Nothing here says whether a token is good: that takes its signature.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = [
    "ALGORITHMS",
    "TOKEN_BYTES_MAX",
    "PublicKey",
    "UnsignedToken",
    "is_encrypted",
    "looks_like_jwt",
    "read_key_set",
    "read_token",
]

TOKEN_BYTES_MAX: Final = 16 * 1024
KEYS_MAX: Final = 256
"""Keys of one set that are looked at; the services of this world have about five."""

ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""What signatures may be made with, and the kind and curve of key that each needs.

Only such as have a public key: with ``none`` anybody could sign, and with an HMAC anybody who knows the public key.
"""


class PublicKey(msgspec.Struct, frozen=True, rename={"identity": "kid", "kind": "kty", "curve": "crv"}):
    """One key of a set. ``numbers`` is the whole of it, as JSON."""

    kind: str
    identity: str | None = None
    curve: str | None = None
    alg: str | None = None
    use: str | None = None
    numbers: msgspec.Raw = msgspec.Raw(b"{}")

    def fits(self, algorithm: str) -> bool:
        """Whether signatures of this algorithm may be checked with it."""
        kind, curve = ALGORITHMS.get(algorithm, ("", None))
        return (
            self.kind == kind
            and (curve is None or self.curve == curve)
            and self.alg in {None, algorithm}
            and self.use in {None, "sig"}
        )


class _Head(msgspec.Struct):
    alg: str
    kid: str | None = None
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class UnsignedToken(msgspec.Struct, frozen=True):
    """What a token says before anybody checked its signature: its algorithm, its key's name, and claims as raw JSON."""

    text: str
    algorithm: str
    key_id: str | None
    claims: Mapping[str, msgspec.Raw]


class _KeySet(msgspec.Struct):
    keys: tuple[msgspec.Raw, ...]


_read_head: Final = msgspec.json.Decoder(_Head).decode
_read_claims: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_set: Final = msgspec.json.Decoder(_KeySet).decode
_read_key: Final = msgspec.json.Decoder(PublicKey).decode


def is_encrypted(text: bytes) -> bool:
    """Whether it has the form of an encrypted token (RFC 7516, section 7.1): a JSON object in base64, five parts."""
    return text.startswith(b"eyJ") and text.count(b".") == 4


def looks_like_jwt(text: bytes) -> bool:
    """Whether it has the form of a signed token: a JSON object in base64, and three parts."""
    return text.startswith(b"eyJ") and text.count(b".") == 2


def read_token(text: bytes, bytes_max: int = TOKEN_BYTES_MAX) -> UnsignedToken:
    """Take a compact token apart.

    Raises:
        ValueError: it is none, is signed in a way that proves nothing, or demands what we do not know.
    """
    if len(text) > bytes_max:
        message = f"it has more than {bytes_max} bytes"
        raise ValueError(message)
    if is_encrypted(text):
        message = "it is encrypted, which is not supported; register this client for signed ones"
        raise ValueError(message)
    head_text, _, rest = text.partition(b".")
    claims_text, _, _signature = rest.partition(b".")
    try:
        head = _read_head(_decoded(head_text))
        claims = _read_claims(_decoded(claims_text))
        shown = text.decode("ascii")
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as wrong:
        message = "it cannot be read"
        raise ValueError(message) from wrong
    if head.alg not in ALGORITHMS:
        message = f"it is signed with {head.alg[:16]!r}, which is not accepted"
        raise ValueError(message)
    if head.crit is not msgspec.UNSET:
        # RFC 7515, section 4.1.11: what is marked as critical and not understood makes the whole token invalid.
        message = "it demands extensions that are not understood"
        raise ValueError(message)
    return UnsignedToken(shown, head.alg, head.kid, claims)


def read_key_set(body: bytes) -> tuple[PublicKey, ...]:
    """The keys of a set; those of kinds that nobody here knows are left out.

    Raises:
        ValueError: it is no set of keys.
    """
    try:
        found = _read_set(body).keys
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        message = "it is no set of keys (an object with the list `keys`)"
        raise ValueError(message) from wrong
    keys = []
    for one in found[:KEYS_MAX]:
        try:
            key = msgspec.structs.replace(_read_key(one), numbers=one)
        except msgspec.MsgspecError:
            continue
        if any(key.fits(algorithm) for algorithm in ALGORITHMS):
            keys.append(key)
    return tuple(keys)


def _decoded(part: bytes) -> bytes:
    """Base64 of URLs without padding (RFC 7515, section 2), and nothing but its letters."""
    if b"=" in part:
        message = "padding"
        raise binascii.Error(message)
    return b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
