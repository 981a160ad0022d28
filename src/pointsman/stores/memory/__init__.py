"""Stores in the memory of one process: for tests, and for those who want nothing kept."""

from __future__ import annotations

from pointsman.stores.memory.audit import MemoryAuditStore
from pointsman.stores.memory.conversations import MemoryConversationStore
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.directory import MemoryDirectoryStore
from pointsman.stores.memory.keys import MemoryKeyStore
from pointsman.stores.memory.ledger import MemoryLedgerStore
from pointsman.stores.memory.responses import MemoryResponseStore
from pointsman.stores.memory.sign_in import MemorySignInStore
from pointsman.stores.memory.spend import MemorySpendStore

__all__ = [
    "MemoryAuditStore",
    "MemoryConversationStore",
    "MemoryDatabase",
    "MemoryDirectoryStore",
    "MemoryKeyStore",
    "MemoryLedgerStore",
    "MemoryResponseStore",
    "MemorySignInStore",
    "MemorySpendStore",
]
