"""Tells whoever listens (metrics, logs) that a call is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from pointsman.core.outcome import CallRecord

__all__ = ["Audience", "Listener"]


class Listener(Protocol):
    """Hears of every call exactly once, after it is in the ledger; must be quick and must not raise."""

    def call_ended(self, record: CallRecord) -> None:
        """The call's final record."""
        ...


class Audience(msgspec.Struct, frozen=True):
    """Who hears of every call, and who only of those that do not succeed."""

    every_call: Sequence[Listener] = ()
    failures: Sequence[Listener] = ()
