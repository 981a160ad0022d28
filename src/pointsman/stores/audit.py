"""The audit log: who tried to change what, when and from where, what it was before, and what became of it.

A change is written down before it is made and completed afterwards, so that none is ever made without its entry. One
that was begun and never completed (the process died in between) stays as ``unknown``: it may or may not have happened.
Whatever is complete is never changed again, and goes only by :meth:`AuditStore.sweep`, once it is too old.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

__all__ = [
    "AUDIT_SORTS",
    "AuditEntry",
    "AuditOutcome",
    "AuditPage",
    "AuditQuery",
    "AuditSort",
    "AuditStore",
    "NumberedEntry",
    "json_text",
]

AuditOutcome = Literal["done", "refused", "failed", "unknown"]
"""``refused``: we said no, so that nothing was changed; ``failed``: the gateway could not."""

AuditSort = Literal["updated_at", "changed_by", "changed_by_api_key", "action", "table_name", "object_id", "id"]
"""What the log can be ordered by, in LiteLLM's names; ``updated_at`` is the time of the change."""

AUDIT_SORTS: Final[tuple[AuditSort, ...]] = (
    "updated_at", "changed_by", "changed_by_api_key", "action", "table_name", "object_id", "id",
)  # fmt: skip

_ESCAPED: Final = frozenset('"\\/')


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of one object, or the attempt at one.

    ``changed_by`` is whom the caller says to act for, ``changed_by_api_key`` the digest of the key that was presented.
    ``before_value`` and ``updated_values`` are JSON objects in which secrets are masked already; None: there was, or
    is, nothing. ``route`` is method and path as they stand in the table of routes, ``peer`` the address of the caller.
    """

    id: str
    at: float
    changed_by: str = ""
    changed_by_api_key: str = ""
    action: str
    table_name: str = ""
    object_id: str = ""
    before_value: msgspec.Raw | None = None
    updated_values: msgspec.Raw | None = None
    route: str = ""
    call_id: str = ""
    peer: str = ""
    outcome: AuditOutcome = "unknown"
    status: int | None = None
    message: str | None = None


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to give. Filters hold together; None does not count. Pages count from 1.

    ``start`` and ``end`` are both included. ``object_team_id`` and ``object_key_hash`` look into the values, where they
    need only occur in ``team_id`` or ``token``; ``search`` is the entry's own id, or who or what it is about.
    """

    changed_by: str | None = None
    changed_by_api_key: str | None = None
    action: str | None = None
    table_name: str | None = None
    object_id: str | None = None
    outcome: str | None = None
    start: float | None = None
    end: float | None = None
    object_team_id: str | None = None
    object_key_hash: str | None = None
    search: str | None = None
    sort_by: AuditSort = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"
    page: int = 1
    page_size: int = 10


class AuditPage(msgspec.Struct, frozen=True):
    """One page of entries and the number of all that match."""

    entries: tuple[AuditEntry, ...]
    total: int


class NumberedEntry(msgspec.Struct, frozen=True):
    """An entry with its number in the log; numbers rise in the order in which entries were begun."""

    number: int
    entry: AuditEntry


class AuditStore(Protocol):
    """The log; what :mod:`pointsman.stores.ports` promises of all stores holds here too."""

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries; one whose id is there already is left as it is."""
        ...

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """Put the first entry in the place of the one that was begun under its id, and add the others.

        If that one is complete already nothing happens, so that this may be repeated.
        """
        ...

    async def get(self, identity: str) -> AuditEntry | None:
        """The entry with this id."""
        ...

    async def find(self, query: AuditQuery) -> AuditPage:
        """One page of the entries that match."""
        ...

    async def read(self, query: AuditQuery, after: int, limit: int = 1000) -> tuple[NumberedEntry, ...]:
        """Entries that match and have a number beyond ``after``, in their order; for reading the whole log.

        Order and page of the query do not count.
        """
        ...

    async def sweep(self, before: float, limit: int = 1000) -> bool:
        """Remove some of what is older than ``before``; whether there may be more."""
        ...


def json_text(text: str) -> str:
    """What stands in the JSON of an entry wherever ``text`` occurs in it; ``""``: that may be in more than one way."""
    return text if text.isascii() and not _ESCAPED.intersection(text) and text.isprintable() else ""
