"""Which conversation a request belongs to, as far as it can be told, so that it stays where its cache is."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from pointsman.routing.wish import Wish

__all__ = ["conversation_of", "session_of"]

_SESSION_CHARACTERS_MAX: Final = 256
_PARSED_BYTES_MAX: Final = 64 * 1024
_HEAD_BYTES: Final = 4096
_FIRST_MESSAGES: Final = 4

_text: Final = msgspec.json.Decoder(str | None).decode
_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Message(msgspec.Struct):
    role: str | None = None


_message: Final = msgspec.json.Decoder(_Message).decode


def session_of(wish: Wish) -> str | None:
    """The session that the client names, or the cache that it wants to share (``prompt_cache_key``)."""
    session = wish.rules.session
    if session is None and "prompt_cache_key" in wish.fields:
        try:
            session = _text(wish.fields["prompt_cache_key"])
        except msgspec.DecodeError:
            return None
    return session[:_SESSION_CHARACTERS_MAX] if session else None


def conversation_of(wish: Wish) -> str | None:
    """A digest of what a conversation begins with, which stays as it goes on: the system prompt and the first question.

    Of a very long conversation it is the first bytes. None: the request is no conversation, or cannot be read.
    """
    fields = wish.fields
    raw = fields.get("messages") or fields.get("input") or fields.get("contents")
    if raw is None:
        return None
    digest = blake2b(digest_size=16)
    for name in ("system", "instructions", "systemInstruction", "system_instruction"):
        if name in fields:
            digest.update(bytes(fields[name])[:_HEAD_BYTES])
    text = bytes(raw)
    if len(text) > _PARSED_BYTES_MAX or not text.startswith(b"["):
        digest.update(text[:_HEAD_BYTES])
        return digest.hexdigest()
    try:
        for item in _items(text)[:_FIRST_MESSAGES]:
            digest.update(bytes(item)[:_HEAD_BYTES])
            if _message(item).role == "user":
                break
    except msgspec.DecodeError:
        return None
    return digest.hexdigest()
