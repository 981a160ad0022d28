"""JSON Web Signatures with RSA and SHA-256 (RFC 7515, RFC 7518 section 3.3), for service accounts."""

from __future__ import annotations

import base64

from pointsman.providers.tokens.credential import credentials_refused

__all__ = ["sign_rs256"]


def sign_rs256(header: bytes, claims: bytes, private_key: str) -> str:
    """The signed token.

    Args:
        header: The header as JSON.
        claims: The claims as JSON.
        private_key: An RSA key in PEM.

    Raises:
        Rejected: the key is none.
    """
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - most starts need none
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    try:
        key = serialization.load_pem_private_key(private_key.encode("ascii"), password=None)
    except (ValueError, TypeError, UnicodeEncodeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise credentials_refused(
            "The private_key of the service account is not an RSA key in PEM.",
            "Its line breaks must be \\n inside the JSON; download the key's file anew.",
        )
    signed = b".".join((_encode(header), _encode(claims)))
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return b".".join((signed, _encode(signature))).decode("ascii")


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
