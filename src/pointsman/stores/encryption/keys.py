"""Where the keys that encrypt stored secrets come from, and which of them encrypts.

The first key encrypts, all of them decrypt. In this order: those of ``POINTSMAN_SECRET_KEY`` (several are separated by
commas), ``LITELLM_SALT_KEY``, and those of the file ``secret.key`` in the data directory (one to a line). Where there
is none at all, one is made and kept in that file, for its owner alone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret

__all__ = ["KEY_CHARACTERS_MIN", "KEY_FILE", "SecretKey", "SecretKeys", "add_file_key", "read_secret_keys"]

KEY_FILE: Final = "secret.key"
KEY_CHARACTERS_MIN: Final = 16
"""Shorter ones can be guessed by who has the database."""

_PREFIX: Final = "psk-"
_KEY_BYTES: Final = 32
_FILE_BYTES_MAX: Final = 64 * 1024
_KEYS_MAX: Final = 64
_ENCRYPT: Final = b"pointsman stored secrets 1"
_NAME: Final = b"pointsman key id 1"


class SecretKey(msgspec.Struct, frozen=True):
    """One key: its ``id``, which tells nothing of it, and the 32 bytes that AES is given."""

    id: str
    material: bytes

    @classmethod
    def of(cls, text: Secret) -> SecretKey:
        """The key that an operator's text stands for."""
        raw = text.reveal().encode("utf-8", "surrogateescape")
        return cls(_derived(raw, _NAME)[:4].hex(), _derived(raw, _ENCRYPT))

    def __repr__(self) -> str:
        return f"SecretKey({self.id})"

    __str__ = __repr__


class SecretKeys(msgspec.Struct, frozen=True):
    """Every key that is known, the one that encrypts first. ``made``: it was made just now."""

    keys: tuple[SecretKey, ...]
    made: bool = False

    @property
    def first(self) -> SecretKey:
        """The key that encrypts."""
        return self.keys[0]

    def find(self, identity: str) -> SecretKey | None:
        """The key with this id."""
        return next((key for key in self.keys if key.id == identity), None)


def read_secret_keys(given: Secret | None, salt: Secret | None, directory: Path, *, make: bool = True) -> SecretKeys:
    """All keys: ``given`` as ``POINTSMAN_SECRET_KEY``, ``salt`` as ``LITELLM_SALT_KEY``, and those of the directory.

    Blocks while it reads the file. Where there is no key at all, one is made with ``make``, else there are none: who
    only reads what was encrypted has lost a key then, and is not helped by another.

    Raises:
        Misconfigured: a key is too short, or the file cannot be used or is open to others.
    """
    texts = [*_parts(given, "POINTSMAN_SECRET_KEY"), *([salt] if salt else [])]
    path = directory / KEY_FILE
    kept = _read(path)
    if not texts and not kept and make:
        return SecretKeys((SecretKey.of(add_file_key(directory)),), made=True)
    return SecretKeys(_each_once([*texts, *kept]))


def add_file_key(directory: Path) -> Secret:
    """Make a key, and put it before those in the directory's file.

    Raises:
        Misconfigured: the file cannot be read or written.
    """
    path = directory / KEY_FILE
    kept = _read(path)
    if len(kept) >= _KEYS_MAX:
        raise Misconfigured(f"{path} has {len(kept)} keys.", hint="Rotate, and take the old ones out.")
    made = Secret(_PREFIX + secrets.token_urlsafe(_KEY_BYTES))
    text = "".join(f"{key.reveal()}\n" for key in (made, *kept))
    fresh = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}.new")
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if kept:
            fresh.replace(path)
        else:
            _put(fresh, path)
    except OSError as error:
        message = f"The key that encrypts stored secrets cannot be kept in {path}: {error.strerror}."
        hint = "Make the folder writable, or set POINTSMAN_SECRET_KEY."
        raise Misconfigured(message, hint=hint) from None
    return next(iter(_read(path)), made)


def _put(fresh: Path, path: Path) -> None:
    """Give the file its name unless another process was first, whose key then counts."""
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink(missing_ok=True)


def _read(path: Path) -> list[Secret]:
    try:
        mode = path.stat().st_mode & 0o077
        text = path.read_bytes()[:_FILE_BYTES_MAX].decode("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The keys in {path} cannot be read: {error}.") from None
    if mode and os.name == "posix":
        raise Misconfigured(f"Others can read the keys in {path}.", hint=f"Run: chmod 600 {path}")
    lines = (line.strip() for line in text.splitlines())
    found = [_checked(line, str(path)) for line in lines if line and not line.startswith("#")]
    if not found:
        raise Misconfigured(
            f"There is no key in {path}.", hint="Put it back from a backup. Without it, stored secrets are lost."
        )
    return found


def _parts(given: Secret | None, name: str) -> list[Secret]:
    texts = [] if given is None else [part.strip() for part in given.reveal().split(",")]
    return [_checked(text, name) for text in texts if text]


def _checked(text: str, where: str) -> Secret:
    if len(text) < KEY_CHARACTERS_MIN:
        raise Misconfigured(
            f"A key in {where} has fewer than {KEY_CHARACTERS_MIN} characters, and so can be guessed.",
            hint="Make one with: openssl rand -base64 32",
        )
    return Secret(text)


def _each_once(texts: Iterable[Secret]) -> tuple[SecretKey, ...]:
    keys: dict[str, SecretKey] = {}
    for text in texts:
        key = SecretKey.of(text)
        keys.setdefault(key.id, key)
    return tuple(keys.values())


def _derived(text: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) without salt, of one block."""
    extracted = hmac.digest(b"\0" * 32, text, hashlib.sha256)
    return hmac.digest(extracted, purpose + b"\1", hashlib.sha256)
