"""Thought signatures inside the ids of tool calls, for clients whose dialect has no other place for them.

Gemini signs the tool calls that it thought about, and from version 3 on refuses a conversation in which a signature is
missing (https://ai.google.dev/gemini-api/docs/thought-signatures). Every client gives a call's id back, so the
signature travels in it: ``thought-b12-AbCdEfGhIjKl-call_1`` holds twelve characters of signature and the id ``call_1``.
Base64 is carried in its URL-safe alphabet (``b``), anything else as the base64 of its text (``t``), so that the ids
suit those who only allow letters, digits, ``-`` and ``_``.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

__all__ = ["PLACEHOLDER_SIGNATURE", "may_be_signature", "pack_call_id", "unpack_call_id"]

PLACEHOLDER_SIGNATURE: Final = "skip_thought_signature_validator"
"""What Google documents for a call that no signature can be had for, as one that another model made."""

_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{2,}|[A-Za-z0-9_-]{2,})={0,2}")
_PACKED: Final = re.compile(r"thought-([bt])([1-9]\d{0,8})-")


def pack_call_id(call_id: str, signature: str | None) -> str:
    """An id that holds both; the id itself where there is no signature."""
    if not signature:
        return call_id
    if _is_padded(signature):
        kind, text = "b", signature.rstrip("=").replace("+", "-").replace("/", "_")
    else:
        raw = signature.encode("utf-8", "surrogatepass")
        kind, text = "t", base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return f"thought-{kind}{len(text)}-{text}-{call_id}"


def unpack_call_id(packed: str) -> tuple[str, str | None]:
    """The id and its signature; an id that holds none is given back as it is."""
    match = _PACKED.match(packed)
    if match is None:
        return packed, None
    end = match.end() + int(match[2])
    text = packed[match.end() : end]
    if packed[end : end + 1] != "-":
        return packed, None
    padded = text + "=" * (-len(text) % 4)
    if match[1] == "b":
        return packed[end + 1 :], padded.replace("-", "+").replace("_", "/")
    try:
        return packed[end + 1 :], base64.urlsafe_b64decode(padded).decode("utf-8", "surrogatepass")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return packed, None


def may_be_signature(text: str) -> bool:
    """Whether a text is base64, in either alphabet, as all of Gemini's signatures are; Google's SDK sends the other."""
    return _BASE64.fullmatch(text) is not None


def _is_padded(text: str) -> bool:
    """Whether a text is base64 exactly as an encoder writes it, so that it can be put together again."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except (binascii.Error, ValueError):
        return False
