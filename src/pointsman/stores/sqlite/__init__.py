"""Stores in one SQLite file, shared by any number of processes on one machine.

Reading order: ``database`` (the connection and its thread), ``migrate`` (how the schema comes about), ``keys``,
``ledger``, ``statements`` (their SQL), ``directory``, ``spend``, ``directory_statements``, ``responses``,
``conversations``, ``response_statements``, ``sign_in``, ``transaction``, ``failures`` (what SQLite's errors mean).
"""

from __future__ import annotations

from pointsman.stores.sqlite.audit import SqliteAuditStore
from pointsman.stores.sqlite.conversations import SqliteConversationStore
from pointsman.stores.sqlite.database import SqliteDatabase
from pointsman.stores.sqlite.directory import SqliteDirectoryStore
from pointsman.stores.sqlite.keys import SqliteKeyStore
from pointsman.stores.sqlite.ledger import SqliteLedgerStore
from pointsman.stores.sqlite.responses import SqliteResponseStore
from pointsman.stores.sqlite.sign_in import SqliteSignInStore
from pointsman.stores.sqlite.spend import SqliteSpendStore

__all__ = [
    "SqliteAuditStore",
    "SqliteConversationStore",
    "SqliteDatabase",
    "SqliteDirectoryStore",
    "SqliteKeyStore",
    "SqliteLedgerStore",
    "SqliteResponseStore",
    "SqliteSignInStore",
    "SqliteSpendStore",
]
