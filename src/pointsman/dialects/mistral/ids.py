"""Ids of tool calls as Mistral takes them: nine letters and digits, no more and no fewer."""

from __future__ import annotations

import re
import string
from hashlib import sha256
from typing import Final

__all__ = ["fitting_id"]

_FITS: Final = re.compile(r"[a-zA-Z0-9]{9}")
_ALPHABET: Final = string.ascii_letters + string.digits
_LENGTH: Final = 9


def fitting_id(call_id: str) -> str:
    """An id that Mistral takes; the same for the same ``call_id``, so that results find their calls."""
    if _FITS.fullmatch(call_id):
        return call_id
    digest = sha256(call_id.encode("utf-8", "surrogatepass")).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_LENGTH])
