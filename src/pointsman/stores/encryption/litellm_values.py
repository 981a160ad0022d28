"""Opens what LiteLLM 1.109.1 has encrypted in its own database, so that it can be taken over.

Three forms, all under ``LITELLM_SALT_KEY`` or, where that was not set, the master key: ``v3:gcm:`` and ``v2:gcm:``
(AES-256-GCM: nonce, ciphertext and tag in base64url; keys by HKDF-SHA256 and by SHA-256), and without a mark NaCl's
secretbox in base64 (key by SHA-256). Source: LiteLLM's ``proxy/common_utils/encrypt_decrypt_utils.py``.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.core.secret import Secret
from pointsman.stores.encryption.xsalsa import open_secretbox

__all__ = ["open_litellm_value"]

_NONCE_BYTES: Final = 12
_HKDF_INFO: Final = b"litellm-at-rest-v3"


def open_litellm_value(text: str, salt: Secret) -> Secret | None:
    """What was encrypted; None: nothing was, or not under this key."""
    raw = salt.reveal().encode("utf-8", "surrogateescape")
    opened = _open(text, raw)
    try:
        return None if opened is None else Secret(opened.decode())
    except UnicodeDecodeError:
        return None


def _open(text: str, salt: bytes) -> bytes | None:
    for mark, derive in _GCM.items():
        if text.startswith(mark):
            data = _decoded(text.removeprefix(mark))
            return None if data is None else _open_gcm(derive(salt), data)
    data = _decoded(text)
    return None if data is None else open_secretbox(_by_sha256(salt), data)


def _open_gcm(key: bytes, data: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only where something is taken over
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    try:
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
    except (ValueError, InvalidTag):
        return None


def _decoded(text: str) -> bytes | None:
    try:
        raw = text.encode("ascii")
        return urlsafe_b64decode(raw) if b"-" in raw or b"_" in raw else b64decode(raw, validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None


def _by_sha256(salt: bytes) -> bytes:
    return hashlib.sha256(salt).digest()


def _by_hkdf(salt: bytes) -> bytes:
    extracted = hmac.digest(b"\0" * 32, salt, hashlib.sha256)
    return hmac.digest(extracted, _HKDF_INFO + b"\1", hashlib.sha256)


_GCM: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType({"v3:gcm:": _by_hkdf, "v2:gcm:": _by_sha256})
