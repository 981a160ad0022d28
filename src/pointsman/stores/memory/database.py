"""The state that the stores in memory share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.core.identity import KeyRecord, Owner
from pointsman.core.outcome import CallRecord
from pointsman.stores.activity import Cell, Counts, FailureGroup
from pointsman.stores.directory.ports import Account, Changed, Meter
from pointsman.stores.energy import EnergyGroup, EnergyTally
from pointsman.stores.ports import Removal
from pointsman.stores.records import saturated
from pointsman.stores.response_ports import ConversationRecord, KeptItem, ResponseRecord
from pointsman.stores.spend_news import SPENDING

__all__ = ["MemoryDatabase", "Period"]

_CALLS_MAX: Final = 50_000


class Period(msgspec.Struct):
    """A period of an account: what was spent before it, and when it ends."""

    baseline: int = 0
    duration: str | None = None
    reset_at: float | None = None


class MemoryDatabase:
    """Live keys, deleted keys, changes, calls, responses and conversations; the directory, and what accounts spent.

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
        self.activity: dict[Cell, Counts] = {}
        self.failures: dict[FailureGroup, int] = {}
        self.energy: dict[EnergyGroup, EnergyTally] = {}
        self.responses: dict[str, ResponseRecord] = {}
        self.events: dict[str, list[tuple[int, bytes]]] = {}
        self.named: dict[str, frozenset[str]] = {}
        self.conversations: dict[str, ConversationRecord] = {}
        self.items: dict[str, list[KeptItem]] = {}
        self.entries: dict[str, dict[str, msgspec.Struct]] = {}
        self.entry_changes: dict[Changed, int] = {}
        self.entry_version = 0
        self.spend_totals: dict[Account, int] = {}
        self.spend_periods: dict[Meter, Period] = {}

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

    def note_entry(self, changed: Changed) -> None:
        """Let others learn that this entry changed. The latest changes stand last."""
        self.entry_version += 1
        self.entry_changes.pop(changed, None)
        self.entry_changes[changed] = self.entry_version

    def charge_accounts(self, amounts: Mapping[Account, int]) -> None:
        """Raise the totals of accounts."""
        for account, amount in amounts.items():
            self.spend_totals[account] = saturated(self.spend_totals.get(account, 0) + amount)
            self.note_entry(Changed(SPENDING, f"{account.scope}/{account.identity}"))

    def sees(self, owner: Owner, holder: str) -> bool:
        """Whether ``owner`` may see what belongs to the key ``holder``: it is that key, or was put in its place."""
        seen: set[str] = set()
        while not owner.sees(holder):
            seen.add(holder)
            removed = self.removed.get(holder)
            successor = None if removed is None else removed[1].replaced_by
            if successor is None or successor in seen:
                return False
            holder = successor
        return True

    def append_items(self, conversation_id: str, items: Sequence[KeptItem], expires_at: float) -> None:
        """Add items to a conversation, if it exists."""
        record = self.conversations.get(conversation_id)
        if record is not None:
            self.items[conversation_id].extend(items)
            later = max(record.expires_at, expires_at)
            self.conversations[conversation_id] = msgspec.structs.replace(record, expires_at=later)
