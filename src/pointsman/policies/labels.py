"""What LiteLLM's clients put into ``metadata`` for the gateway: tags, and the session that a request belongs to.

``metadata`` is also a field of OpenAI's and Anthropic's APIs. Only what is LiteLLM's is taken out; the rest goes on to
the upstream as it is. https://docs.litellm.ai/docs/proxy/tag_routing; Claude Code names its session in ``user_id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["Labels", "end_user_in", "is_yes", "labels_in", "session_in", "without_tags"]

_TAGS_MAX: Final = 64
_CHARACTERS_MAX: Final = 512
_SESSION: Final = "session"
_TRUE: Final = frozenset({"true", "1", "yes"})

_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value: Final = msgspec.json.Decoder(list[str] | str).decode
_yes_or_text: Final = msgspec.json.Decoder(bool | str).decode
_person: Final = msgspec.json.Decoder(str | int | float).decode
_END_USERS: Final = (
    ("user", None), ("litellm_metadata", "user"), ("metadata", "user_id"), ("safety_identifier", None),
)  # fmt: skip


class Labels(msgspec.Struct, frozen=True):
    """``session`` None: none is named. ``batch``: it can wait, as our own label says."""

    tags: tuple[str, ...] = ()
    session: str | None = None
    batch: bool = False


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
        _says_yes(fields.get("batch")),
    )


def session_in(field: msgspec.Raw | None) -> str | None:
    """The session that a field of its own names; None: none."""
    session = _read(field)
    return session[:_CHARACTERS_MAX] if isinstance(session, str) and session else None


def end_user_in(fields: Mapping[str, msgspec.Raw]) -> str | None:
    """The end user that a body names elsewhere than in its dialect's own field, in LiteLLM's order; None: nobody."""
    for name, inner in _END_USERS:
        raw = fields.get(name)
        if raw is not None:
            said = _name(raw if inner is None else _fields(raw).get(inner))
            if said:
                return said
    return None


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


def _name(raw: msgspec.Raw | None) -> str:
    """A text or a number as an id; empty if it is something else, as with LiteLLM."""
    try:
        return "" if raw is None else str(_person(raw)).strip()
    except msgspec.DecodeError:
        return ""


def is_yes(value: bool | str | None) -> bool:  # noqa: FBT001 - what JSON says
    """Whether a label says yes; in OpenAI's API the values of ``metadata`` are texts."""
    return value.lower() in _TRUE if isinstance(value, str) else bool(value)


def _says_yes(raw: msgspec.Raw | None) -> bool:
    try:
        return raw is not None and is_yes(_yes_or_text(raw))
    except msgspec.DecodeError:
        return False


def _read(raw: msgspec.Raw | None) -> list[str] | str | None:
    if raw is None:
        return None
    try:
        found: list[str] | str = _value(raw)
    except msgspec.DecodeError:
        return None
    return found
