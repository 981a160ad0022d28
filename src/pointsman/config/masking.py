"""Which values are secret, by the name of their field and by what they look like; and what is shown in their place.

For whatever is told to people: lists of models and credentials, and the audit log. When in doubt a value is masked.
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Mapping
from typing import Final

from pointsman.config.sections import LiteLLMParams

__all__ = ["MASK", "is_secret_field", "is_secret_param", "looks_secret", "mask", "masked"]

MASK: Final = "****"
_SHOWN: Final = 2
_LONG: Final = 16
_DEPTH_MAX: Final = 32

_SECRET_NAME: Final = re.compile(
    r"secret|passw|credential|private_?key|api_?key|access_?key|authorization|cookie|bearer|signature|webhook"
    r"|(?:^|[_-])(?:token|auth|key|salt|pin|otp|dsn)$|_tokens?_secret|connection_?string|database_?url|redis_?url",
    re.IGNORECASE,
)
_PLAIN_NAMES: Final = frozenset({
    "changed_by_api_key", "credential_info", "credential_name", "custom_key", "deleted_keys", "key_alias", "key_name",
    "litellm_credential_name", "password_login", "public_key",
})  # fmt: skip
_MAPS_OF_SECRETS: Final = frozenset({"credential_values", "default_headers", "extra_headers", "headers"})

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SHAPES: Final = re.compile(
    r"\b(?:sk|pk|rk|psk|xai|gsk|hf|nvapi|pplx|r8|key)[-_][A-Za-z0-9_-]{8,}"  # keys of providers, and ours
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bAIza[0-9A-Za-z_-]{20,}|\bya29\.[0-9A-Za-z_-]+"
    r"|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bxox[abprs]-[0-9A-Za-z-]{8,}|\bhv[sbr]\.[A-Za-z0-9_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # a signed token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:Bearer|Basic) +[A-Za-z0-9+/=_.~-]{8,}"
    r"|\b[a-z][a-z0-9+.-]*://[^\s/@:]*:[^\s/@]+@"  # a password in an address
    r"|[?&](?:key|api[-_]?key|token|sig|signature|access_token)=[^&\s]+",
    re.IGNORECASE,
)
_DENSE: Final = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{32,40}")


def is_secret_field(name: str) -> bool:
    """Whether what a field of this name holds is a secret, whatever it looks like."""
    return name not in _PLAIN_NAMES and _SECRET_NAME.search(name) is not None


def is_secret_param(name: str, value: object) -> bool:
    """Whether a field of ``litellm_params`` has something secret in it, so that it must be stored encrypted."""
    return name in _secret_params() or is_secret_field(name) or masked(value, name) != value


def looks_secret(text: str) -> bool:
    """Whether a text looks like a key, a token or the like, or has one in it."""
    if _SHAPES.search(text) is not None:
        return True
    return any(_is_dense(found[0]) for found in _DENSE.finditer(text))


def mask(text: str) -> str:
    """What is shown in place of a secret: of a long one its ends, by which it can be told from another."""
    return text[:_SHOWN] + MASK + text[-_SHOWN:] if len(text) >= _LONG else MASK


def masked(value: object, name: str = "", *, secret: bool = False, depth: int = 0) -> object:
    """A value of JSON with every secret in it masked; ``name`` is its field, ``secret``: all of it is secret.

    Digests (64 hexadecimal digits) are shown: the log tells by them which key it speaks of.
    """
    if depth > _DEPTH_MAX:
        return MASK
    secret = secret or name in _MAPS_OF_SECRETS
    if isinstance(value, Mapping):
        return {str(key): masked(one, str(key), secret=secret, depth=depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one, name, secret=secret, depth=depth + 1) for one in value]
    if not isinstance(value, str) or not value:
        return MASK if secret and isinstance(value, int | float) and not isinstance(value, bool) else value
    if is_secret_field(name) and "passw" in name.lower():
        return MASK  # people choose them, so that their ends tell a lot, and that one looks like a digest nothing
    if secret or is_secret_field(name):
        return value if not secret and _DIGEST.fullmatch(value) else mask(value)
    return mask(value) if looks_secret(value) else value


@functools.cache
def _secret_params() -> frozenset[str]:
    """The fields of ``litellm_params`` that are read as secrets."""
    hints = typing.get_type_hints(LiteLLMParams, include_extras=True)
    return frozenset(name for name, hint in hints.items() if "Secret" in str(hint))


def _is_dense(word: str) -> bool:
    """Whether a long word is like one that was drawn at random: digits, and letters of both cases."""
    if _IDENTIFIER.fullmatch(word.lower()):
        return False
    kinds = (str.isdigit, str.isupper, str.islower)
    return all(any(kind(character) for character in word) for kind in kinds)
