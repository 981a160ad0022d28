"""Stores in a PostgreSQL database, shared by any number of processes on any number of machines.

What calls came to by day is added to and read in ``activity``; ``pages`` lists calls and lets old ones go.

Needs the extra ``postgres`` (asyncpg). Reading order: ``address`` (the URL), ``database`` and ``lanes`` (connections,
and who waits for them), ``session`` (one of them), ``migrate`` (how the schema comes about), ``keys``, ``ledger``,
``filing``, ``statements`` (their SQL), ``directory``, ``spend``, ``audit``, ``responses``, ``conversations``,
``sign_in``, ``presence`` (which processes there are), ``text``, ``failures`` (what PostgreSQL's errors mean).
"""

from __future__ import annotations

from pointsman.stores.postgres.address import PostgresAddress, postgres_address
from pointsman.stores.postgres.audit import PostgresAuditStore
from pointsman.stores.postgres.conversations import PostgresConversationStore
from pointsman.stores.postgres.database import PostgresDatabase
from pointsman.stores.postgres.directory import PostgresDirectoryStore
from pointsman.stores.postgres.keys import PostgresKeyStore
from pointsman.stores.postgres.ledger import PostgresLedgerStore
from pointsman.stores.postgres.presence import BEAT_SECONDS, SILENT_SECONDS_MAX, PostgresPresence
from pointsman.stores.postgres.responses import PostgresResponseStore
from pointsman.stores.postgres.sign_in import PostgresSignInStore
from pointsman.stores.postgres.spend import PostgresSpendStore

__all__ = [
    "BEAT_SECONDS",
    "SILENT_SECONDS_MAX",
    "PostgresAddress",
    "PostgresAuditStore",
    "PostgresConversationStore",
    "PostgresDatabase",
    "PostgresDirectoryStore",
    "PostgresKeyStore",
    "PostgresLedgerStore",
    "PostgresPresence",
    "PostgresResponseStore",
    "PostgresSignInStore",
    "PostgresSpendStore",
    "postgres_address",
]
