"""Headers by which a request says who is to serve it: ``x-pointsman-prefer`` and ``x-pointsman-max-cost``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pointsman.core.errors import Malformed
from pointsman.core.price import DOLLARS_MAX, picodollars
from pointsman.core.rules import OwnDemands

__all__ = ["demands_in"]

_PREFER: Final = b"x-pointsman-prefer"
_MAX_COST: Final = b"x-pointsman-max-cost"
_PREFERENCES: Final = ("local", "cheap", "fast")


def demands_in(headers: Iterable[tuple[bytes, bytes]]) -> OwnDemands | None:
    """What a request's headers (lower-case names) say; None, as with most: nothing.

    Raises:
        Malformed: one of them says something else than it can.
    """
    prefer, max_cost = "", None
    for name, value in headers:
        if name == _PREFER:
            prefer = value.decode("latin-1").strip().lower()
            if prefer not in _PREFERENCES:
                raise Malformed(
                    f"x-pointsman-prefer must be one of: {', '.join(_PREFERENCES)}.", param=_PREFER.decode()
                )
        elif name == _MAX_COST:
            max_cost = _amount(value.decode("latin-1").strip())
    return OwnDemands(prefer, max_cost) if prefer or max_cost is not None else None


def _amount(text: str) -> int:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < DOLLARS_MAX:
        raise Malformed("x-pointsman-max-cost must be an amount in USD, such as 0.01.", param=_MAX_COST.decode())
    return picodollars(text)
