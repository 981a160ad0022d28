"""Amounts of money as JSON shows them: dollars."""

from __future__ import annotations

from pointsman.core.price import dollars

__all__ = ["usd"]


def usd(amount: int | None) -> float | None:
    """Picodollars as dollars; None: there is no such amount."""
    return None if amount is None else dollars(amount)
