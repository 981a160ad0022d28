"""Encryption of what must not lie in a database in plain text: upstreams' keys and the like.

A value is sealed with AES-256-GCM and bound to its place (of which object, and which field of it), so that one cannot
be moved to another place. Keys have ids, so that several are known at once while one follows the other.
"""

from __future__ import annotations

from pointsman.stores.encryption.envelope import Place, Sealer, WrongSecretKey, is_sealed, key_id_of
from pointsman.stores.encryption.keys import KEY_FILE, SecretKey, SecretKeys, add_file_key, read_secret_keys
from pointsman.stores.encryption.litellm_values import open_litellm_value

__all__ = [
    "KEY_FILE",
    "Place",
    "Sealer",
    "SecretKey",
    "SecretKeys",
    "WrongSecretKey",
    "add_file_key",
    "is_sealed",
    "key_id_of",
    "open_litellm_value",
    "read_secret_keys",
]
