"""Headers by which a request says of its way, in LiteLLM's names: https://docs.litellm.ai/docs/proxy/request_headers.

And two of ours: ``x-pointsman-prefer`` and ``x-pointsman-max-cost``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.price import DOLLARS_MAX, picodollars
from pointsman.core.rules import RoutingRules
from pointsman.policies.parameters import seconds_in

__all__ = ["routing_in"]

_TAGS: Final = b"x-litellm-tags"
_SESSION: Final = b"x-litellm-session-id"
_PREFER: Final = b"x-pointsman-prefer"
_MAX_COST: Final = b"x-pointsman-max-cost"
_PREFERENCES: Final = ("local", "cheap", "fast")
_RETRIES: Final = b"x-litellm-num-retries"
_RETRIES_MAX: Final = 16
_TIMEOUTS: Final = frozenset({b"x-litellm-timeout", b"x-litellm-stream-timeout"})
_CHARACTERS_MAX: Final = 4096
_TAGS_MAX: Final = 64
_SESSION_CHARACTERS_MAX: Final = 256


def routing_in(headers: Iterable[tuple[bytes, bytes]]) -> RoutingRules | None:
    """What a request's headers say; None, as with most, if nothing.

    Raises:
        Malformed: there are too many tags, or a header says something else than it can.
    """
    tags: tuple[str, ...] = ()
    session: str | None = None
    prefer, max_cost = "", None
    retries: bytes | None = None
    timeouts: dict[bytes, float | None] = {}
    for name, value in headers:
        if name == _TAGS:
            text = value.decode("latin-1")
            tags += tuple(tag for one in text.split(",") if (tag := one.strip()))
            if len(tags) > _TAGS_MAX or len(text) > _CHARACTERS_MAX:
                raise Malformed(f"The header x-litellm-tags has more than {_TAGS_MAX} tags.", param="x-litellm-tags")
        elif name == _SESSION:
            session = value.decode("latin-1").strip()[:_SESSION_CHARACTERS_MAX] or None
        elif name == _RETRIES:
            retries = value if retries is None else retries
        elif name in _TIMEOUTS:
            timeouts.setdefault(name, seconds_in(msgspec.Raw(value)))
        elif name == _PREFER:
            prefer = _preference(value.decode("latin-1").strip().lower())
        elif name == _MAX_COST:
            max_cost = _amount(value.decode("latin-1").strip())
    num_retries, timeouts = _count(retries), {name: given for name, given in timeouts.items() if given}
    if not (tags or session or prefer or timeouts) and max_cost is None and num_retries is None:
        return None
    return RoutingRules(
        num_retries=num_retries,
        tags=tags,
        session=session,
        prefer=prefer,
        max_cost=max_cost,
        timeout=timeouts.get(b"x-litellm-timeout"),
        stream_timeout=timeouts.get(b"x-litellm-stream-timeout"),
    )


def _count(said: bytes | None) -> int | None:
    """A number of retries; what is none, or too long for one, is passed over."""
    return None if said is None or not said.isdigit() or len(said) > 2 else min(int(said), _RETRIES_MAX)


def _preference(text: str) -> str:
    if text not in _PREFERENCES:
        raise Malformed(f"x-pointsman-prefer must be one of: {', '.join(_PREFERENCES)}.", param="x-pointsman-prefer")
    return text


def _amount(text: str) -> int:
    """Picodollars."""
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < DOLLARS_MAX:
        raise Malformed("x-pointsman-max-cost must be an amount in USD, such as 0.01.", param="x-pointsman-max-cost")
    return picodollars(amount)
