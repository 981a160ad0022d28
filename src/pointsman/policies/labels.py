"""What LiteLLM's clients put into ``metadata`` for the gateway: tags, and the session that a request belongs to.

``metadata`` is also a field of OpenAI's and Anthropic's APIs. Only what is LiteLLM's is taken out; the rest goes on to
the upstream as it is. https://docs.litellm.ai/docs/proxy/tag_routing; Claude Code names its session in ``user_id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["Labels", "labels_in", "session_in", "without_tags"]

_TAGS_MAX: Final = 64
_CHARACTERS_MAX: Final = 512
_SESSION: Final = "session"

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value: Final = msgspec.json.Decoder(list[str] | str).decode


class Labels(msgspec.Struct, frozen=True):
    """``session`` None: none is named."""

    tags: tuple[str, ...] = ()
    session: str | None = None


def labels_in(metadata: msgspec.Raw) -> Labels:
    """Those of a ``metadata`` field; what is of another form than LiteLLM's is no label."""
    fields = _fields(metadata)
    if not fields:
        return Labels()
    tags = _read(fields.get("tags"))
    user, session = session_in(fields.get("user_id")), session_in(fields.get("session_id"))
    if session is None and user is not None and _SESSION in user:
        session = user
    return Labels(
        tuple(tag for tag in tags[:_TAGS_MAX] if 0 < len(tag) <= _CHARACTERS_MAX) if isinstance(tags, list) else (),
        session,
    )


def session_in(field: msgspec.Raw | None) -> str | None:
    """The session that a field of its own names; None: none."""
    session = _read(field)
    return session[:_CHARACTERS_MAX] if isinstance(session, str) and session else None


def without_tags(metadata: msgspec.Raw) -> msgspec.Raw | None:
    """The field as an upstream may have it; None: nothing is left of it."""
    fields = _fields(metadata)
    if not fields or not isinstance(_read(fields.get("tags")), list):
        return metadata
    left = {name: raw for name, raw in fields.items() if name != "tags"}
    return msgspec.Raw(msgspec.json.encode(left)) if left else None


def _fields(metadata: msgspec.Raw) -> Mapping[str, msgspec.Raw]:
    try:
        return _map(metadata)
    except msgspec.DecodeError:
        return {}


def _read(raw: msgspec.Raw | None) -> list[str] | str | None:
    if raw is None:
        return None
    try:
        found: list[str] | str = _value(raw)
    except msgspec.DecodeError:
        return None
    return found
