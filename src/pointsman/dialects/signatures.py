"""Signatures of reasoning inside the answers of a dialect other than the signer's own.

Who signed must be known when a signature comes back: a provider refuses a conversation with another's. A dialect's own
signatures stand in it as they are. Any other is sealed: base64 of a mark, the signer, and the signature, which every
dialect carries unread, Gemini's included, where signatures are bytes.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from pointsman.core.content import Thinking

__all__ = ["ANTHROPIC", "GEMINI", "OPENAI", "is_from", "seal", "unseal"]

ANTHROPIC: Final = "anthropic"
GEMINI: Final = "gemini"
OPENAI: Final = "openai"
"""The signers: whoever runs their models, a signature of theirs is valid."""

_MARK: Final = b"pointsman:1:"
_SEALED: Final = base64.b64encode(_MARK).decode()
_REDACTED: Final = "redacted"
_SHOWN: Final = "shown"


def seal(signature: str, signer: str | None, own: str, *, redacted: bool = False) -> str:
    """The signature for a client of a dialect whose own signer is ``own``.

    ``redacted``: it stands for reasoning whose text the provider keeps to itself. Of a signer that nobody knows it is
    assumed that it is ``own``.
    """
    if signer is None or signer == own:
        return signature
    told = f"{signer}:{_REDACTED if redacted else _SHOWN}:{signature}"
    return base64.b64encode(_MARK + told.encode("utf-8", "surrogatepass")).decode()


def unseal(part: Thinking, own: str) -> Thinking:
    """Reasoning as it was before it was sealed; its signer is ``own`` where it was not."""
    text = part.signature
    if not text:
        return part
    found = _opened(text.replace("-", "+").replace("_", "/")) if text.startswith(_SEALED) else None
    if found is None:
        return msgspec.structs.replace(part, signer=own)
    signer, kind, signature = found
    return Thinking(part.text, signature, redacted=kind == _REDACTED, signer=signer)


def is_from(part: Thinking, signer: str) -> bool:
    """Whether reasoning has a signature that this signer will know again."""
    return part.signature is not None and part.signer in {None, signer}


def _opened(text: str) -> tuple[str, str, str] | None:
    try:
        told = base64.b64decode(text, validate=True)[len(_MARK) :].decode("utf-8", "surrogatepass")
        signer, kind, signature = told.split(":", 2)
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return signer, kind, signature
