"""The state that the stores in memory share."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from pointsman.core.identity import KeyRecord
from pointsman.core.outcome import CallRecord
from pointsman.stores.ports import Removal
from pointsman.stores.records import Group, Tally

__all__ = ["MemoryDatabase"]

_CALLS_MAX: Final = 50_000


class MemoryDatabase:
    """Live keys, deleted keys, changes and calls.

    The sums stay complete, but only the latest ``calls_max`` calls are kept, so that memory is bounded. A call that
    was let go of is no longer known, and would count again if it were appended again.
    """

    def __init__(self, calls_max: int = _CALLS_MAX) -> None:
        self.calls_max = calls_max
        self.keys: dict[str, KeyRecord] = {}
        self.removed: dict[str, tuple[KeyRecord, Removal]] = {}
        self.version = 0
        self.changes: dict[str, int] = {}
        self.calls: OrderedDict[str, CallRecord] = OrderedDict()
        self.daily: dict[Group, Tally] = {}

    def put(self, record: KeyRecord) -> None:
        """Make this the live record of its token."""
        self.keys[record.token] = record
        self.note_change(record.token)

    def remove(self, token: str, removal: Removal) -> None:
        """Move a live key to the history."""
        self.removed[token] = (self.keys.pop(token), removal)
        self.note_change(token)

    def note_change(self, token: str) -> None:
        """Let others learn that this key changed. The latest changes stand last."""
        self.version += 1
        self.changes.pop(token, None)
        self.changes[token] = self.version
