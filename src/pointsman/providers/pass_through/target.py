"""The path and query of a request that is passed on: never out of the provider's API, never with the caller's key."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from pointsman.core.errors import Malformed

__all__ = ["read_target"]

_TARGET: Final = re.compile(r"[!-~]*")
_DECODED_TIMES: Final = 3
_KEY_FIELDS: Final = frozenset({"key", "api_key", "api-key", "apikey", "access_token"})
"""Where a caller may have put a key of ours; Google's clients do."""


def read_target(rest: str) -> tuple[str, str]:
    """Path (without the first slash) and query of what stands behind ``/{provider}/``.

    Raises:
        Malformed: a segment that steps out, however it is encoded, an empty one, or a character no target can have.
    """
    path, _, query = rest.partition("?")
    if not _TARGET.fullmatch(rest) or "#" in rest:
        raise _refused("it has characters that a URL cannot have")
    plain = path
    for _ in range(_DECODED_TIMES):
        segments = plain.replace("\\", "/").split("/")
        if any(segment in (".", "..") for segment in segments):
            raise _refused("it has a segment . or ..")
        if "" in segments[:-1] or "\x00" in plain:
            raise _refused("it has an empty segment")
        plain = unquote(plain)
    return path, "&".join(field for field in query.split("&") if _name(field) not in _KEY_FIELDS)


def _name(field: str) -> str:
    return unquote(field.partition("=")[0].replace("+", " ")).strip().lower()


def _refused(why: str) -> Malformed:
    return Malformed(f"This path cannot be passed on: {why}.", code="bad_path")
