"""Headers by which a request says of its way, in LiteLLM's names: https://docs.litellm.ai/docs/proxy/request_headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pointsman.core.errors import Malformed
from pointsman.core.rules import RoutingRules

__all__ = ["routing_in"]

_TAGS: Final = b"x-litellm-tags"
_SESSION: Final = b"x-litellm-session-id"
_CHARACTERS_MAX: Final = 4096
_TAGS_MAX: Final = 64
_SESSION_CHARACTERS_MAX: Final = 256


def routing_in(headers: Iterable[tuple[bytes, bytes]]) -> RoutingRules | None:
    """What a request's headers say; None, as with most, if nothing.

    Raises:
        Malformed: there are too many tags.
    """
    tags: tuple[str, ...] = ()
    session: str | None = None
    for name, value in headers:
        if name == _TAGS:
            text = value.decode("latin-1")
            tags += tuple(tag for one in text.split(",") if (tag := one.strip()))
            if len(tags) > _TAGS_MAX or len(text) > _CHARACTERS_MAX:
                raise Malformed(f"The header x-litellm-tags has more than {_TAGS_MAX} tags.", param="x-litellm-tags")
        elif name == _SESSION:
            session = value.decode("latin-1").strip()[:_SESSION_CHARACTERS_MAX] or None
    return RoutingRules(tags=tags, session=session) if tags or session else None
