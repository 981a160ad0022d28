"""Tells whoever listens (metrics, logs) that a call is over."""

from __future__ import annotations

from typing import Protocol

from pointsman.core.outcome import CallRecord

__all__ = ["Listener"]


class Listener(Protocol):
    """Hears of every call exactly once, after it is in the ledger; must be quick and must not raise."""

    def call_ended(self, record: CallRecord) -> None:
        """The call's final record."""
        ...
