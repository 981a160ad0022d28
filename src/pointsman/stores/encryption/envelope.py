"""Sealed values: ``pm1:KEY_ID:DATA``, where DATA is base64url of a nonce (12 bytes), the ciphertext and its tag (16).

The cipher is AES-256-GCM (NIST SP 800-38D); what it authenticates beside the text is the value's place.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Protocol

import msgspec

from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.stores.encryption.keys import SecretKeys

__all__ = ["Place", "ReadKeys", "Sealer", "WrongSecretKey", "is_sealed", "key_id_of"]

_START: Final = "pm1:"
_NONCE_BYTES: Final = 12


class WrongSecretKey(Misconfigured):
    """A stored secret was encrypted with a key that is not here, or was tampered with."""

    default_code = "wrong_secret_key"


class Place(msgspec.Struct, frozen=True):
    """Where a value is kept: the kind of object (``credential``), its id, and the field."""

    kind: str
    id: str
    field: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id!r}, {self.field}"

    @property
    def bound(self) -> bytes:
        """The place in bytes that no other place has."""
        return msgspec.json.encode((self.kind, self.id, self.field))


def is_sealed(text: str) -> bool:
    """Whether ``text`` is a sealed value. Nothing else that is stored begins like one."""
    return text.startswith(_START)


def key_id_of(text: str) -> str:
    """The id of the key that sealed it."""
    return text.removeprefix(_START).partition(":")[0]


class ReadKeys(Protocol):
    """Reads the keys; with ``make`` one is made where there is none."""

    def __call__(self, *, make: bool) -> SecretKeys:
        """All that there are.

        Raises:
            Misconfigured: they cannot be read.
        """
        ...


class Sealer:
    """Seals and opens values. Keys are read again where one is missing.

    So that a key which was added to the file while this process runs is found.
    """

    def __init__(self, read: ReadKeys) -> None:
        self._read = read
        self._keys: SecretKeys | None = None

    @property
    def keys(self) -> SecretKeys:
        """The keys as they were last read.

        Raises:
            Misconfigured: they cannot be read.
        """
        if self._keys is None:
            self._keys = self._read(make=False)
        return self._keys

    def refresh(self) -> None:
        """Read the keys anew.

        Raises:
            Misconfigured: they cannot be read.
        """
        self._keys = self._read(make=False)

    def seal(self, place: Place, value: Secret) -> str:
        """The value, encrypted with the first key for this place.

        Raises:
            Misconfigured: the keys cannot be read.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most starts need none

        if not self.keys.keys:
            self._keys = self._read(make=True)
        key = self.keys.first
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(key.material).encrypt(nonce, value.reveal().encode("utf-8", "surrogateescape"), place.bound)
        return f"{_START}{key.id}:{urlsafe_b64encode(nonce + sealed).decode('ascii')}"

    def open(self, place: Place, text: str) -> Secret:
        """The value that was sealed for this place.

        Raises:
            WrongSecretKey: its key is not here, or it is not what was sealed for this place.
            Misconfigured: the keys cannot be read.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        if not is_sealed(text):
            raise _broken(place)
        identity = key_id_of(text)
        if self.keys.find(identity) is None:
            self.refresh()
        key = self.keys.find(identity)
        if key is None:
            raise WrongSecretKey(
                f"The stored secret of {place} was encrypted with the key {identity}, which is not here.",
                hint="Give the former key too: after the present one in POINTSMAN_SECRET_KEY, or in secret.key.",
            )
        try:
            data = urlsafe_b64decode(text.removeprefix(_START).partition(":")[2])
            opened = AESGCM(key.material).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.bound)
        except (ValueError, InvalidTag):
            raise _broken(place) from None
        return Secret(opened.decode("utf-8", "surrogateescape"))

    def is_current(self, text: str) -> bool:
        """Whether the first key sealed it.

        Raises:
            Misconfigured: the keys cannot be read.
        """
        return is_sealed(text) and bool(self.keys.keys) and key_id_of(text) == self.keys.first.id


def _broken(place: Place) -> WrongSecretKey:
    return WrongSecretKey(
        f"The stored secret of {place} is not what was encrypted for this place.",
        hint="The database was changed by hand or is damaged; store the secret anew.",
    )
