"""Checks the signature of a token and its registered claims: the one place where a token becomes something to believe.

Sources: RFC 7515 section 5.2, RFC 7519 sections 4.1 and 7.2, RFC 8725 (what goes wrong with such tokens).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Misconfigured
from pointsman.wire.jose import PublicKey, UnsignedToken

__all__ = ["CLOCK_SKEW_SECONDS", "Expected", "believe", "demand_jose", "signed_claims"]

CLOCK_SKEW_SECONDS: Final = 30.0
_KEYS_TRIED_MAX: Final = 8
"""Keys that a token is tried with which names none."""


class Expected(msgspec.Struct, frozen=True):
    """What the registered claims must say. An empty ``audiences`` lets any audience pass, None as issuer any issuer."""

    issuer: str | None = None
    audiences: tuple[str, ...] = ()


class _Addressed(msgspec.Struct):
    """RFC 7519, section 4.1: from whom and for whom."""

    iss: str | None = None
    aud: str | tuple[str, ...] | None = None


class _Registered(_Addressed, kw_only=True):
    """The rest of it: in which seconds since the epoch."""

    exp: float
    nbf: float | None = None
    iat: float | None = None


class _Members(msgspec.Struct):
    """RFC 7517, sections 4.1 and 4.3, and RFC 7518, section 6, of public keys."""

    kty: str
    key_ops: list[str] | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None


_read_members: Final = msgspec.json.Decoder(_Members).decode
_read_addressed: Final = msgspec.json.Decoder(_Addressed).decode
_read_registered: Final = msgspec.json.Decoder(_Registered).decode
_read_claims: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def demand_jose() -> None:
    """Raise unless the library that checks signatures is there.

    Raises:
        Misconfigured: it is not installed.
    """
    try:
        import joserfc  # noqa: F401, PLC0415 - an optional extra
    except ImportError:
        raise Misconfigured(
            "Sign-in by OpenID Connect and signed tokens needs the package joserfc, which is not installed.",
            hint="Install it with: pip install 'pointsman[sso]'",
        ) from None


def believe(
    token: UnsignedToken, keys: Iterable[PublicKey], expected: Expected, *, now: float
) -> tuple[Mapping[str, msgspec.Raw], float]:
    """The claims of a token that is signed by one of ``keys`` and good at ``now`` (seconds since the epoch).

    Gives the claims, as the signature covers them, and the moment at which the token expires.

    Raises:
        ValueError: it is not to be believed; the message says why, without any of its contents.
        Misconfigured: see :func:`demand_jose`.
    """
    payload = _signed_payload(token, _candidates(token, keys))
    try:
        registered = _read_registered(payload)
        claims = _read_claims(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = "it has no moment at which it expires (`exp`), or its claims are none"
        raise ValueError(message) from None
    _demand_time(registered, now)
    if expected.issuer is not None and registered.iss != expected.issuer:
        message = "it comes from another issuer (`iss`) than is trusted"
        raise ValueError(message)
    said = (registered.aud,) if isinstance(registered.aud, str) else registered.aud or ()
    if expected.audiences and not set(said) & set(expected.audiences):
        message = "it is meant for another audience (`aud`)"
        raise ValueError(message)
    return claims, registered.exp


def signed_claims(token: UnsignedToken, keys: Iterable[PublicKey], expected: Expected) -> Mapping[str, msgspec.Raw]:
    """The claims of a token that is an answer of its issuer's, and so need not say until when it holds.

    Issuer and audience must be the expected ones where it tells them (OpenID Connect Core, section 5.3.2).

    Raises:
        ValueError: it is not to be believed.
        Misconfigured: see :func:`demand_jose`.
    """
    payload = _signed_payload(token, _candidates(token, keys))
    try:
        said = _read_addressed(payload)
        claims = _read_claims(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = "its claims are none"
        raise ValueError(message) from None
    if said.iss not in {None, expected.issuer}:
        message = "it comes from another issuer (`iss`) than was asked"
        raise ValueError(message)
    audiences = (said.aud,) if isinstance(said.aud, str) else said.aud
    if audiences is not None and not set(audiences) & set(expected.audiences):
        message = "it is meant for another audience (`aud`)"
        raise ValueError(message)
    return claims


def _demand_time(registered: _Registered, now: float) -> None:
    if registered.exp <= now - CLOCK_SKEW_SECONDS:
        message = "it has expired"
        raise ValueError(message)
    begins = max(registered.nbf or 0.0, registered.iat or 0.0)
    if begins > now + CLOCK_SKEW_SECONDS:
        message = "it is not valid yet"
        raise ValueError(message)


def _candidates(token: UnsignedToken, keys: Iterable[PublicKey]) -> Collection[PublicKey]:
    """The keys it may be signed with: the one it names, or of no name all that fit."""
    fitting = [key for key in keys if key.fits(token.algorithm)]
    if token.key_id is not None:
        named = [key for key in fitting if key.identity == token.key_id]
        # A set whose only key has no name is that key's owner's, whatever tokens call it.
        fitting = named or [key for key in fitting if key.identity is None]
    return fitting[:_KEYS_TRIED_MAX]


def _members(key: PublicKey) -> dict[str, str | list[str]]:
    """What of a key says what it is and may do; further members (RFC 7517, section 4) may be of any kind."""
    said = msgspec.structs.asdict(_read_members(key.numbers))
    return {name: value for name, value in said.items() if value is not None}


def _signed_payload(token: UnsignedToken, keys: Collection[PublicKey]) -> bytes:
    demand_jose()
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415 - an optional extra
    from joserfc.jwk import import_key  # noqa: PLC0415
    from joserfc.jws import JWSRegistry, deserialize_compact  # noqa: PLC0415

    if not keys:
        message = "its key is none of its issuer's"
        raise ValueError(message)
    registry = JWSRegistry(algorithms=[token.algorithm], strict_check_header=False)
    # The whole is bounded by whoever read it; within that, certificates in the head and groups may take what they need.
    registry.max_header_length = registry.max_payload_length = len(token.text)
    for key in keys:
        try:
            imported = import_key(_members(key))
            with warnings.catch_warnings():
                # That "EdDSA" has a better name by now (RFC 9864) is for whoever signs to know.
                warnings.simplefilter("ignore", SecurityWarning)
                signed = deserialize_compact(token.text, imported, [token.algorithm], registry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return bytes(signed.payload or b"")
    message = "its signature is wrong"
    raise ValueError(message)
