"""What every kind of entry has in common here: who wrote it, when, and who is to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from pointsman.admin.keys.lookup import changed_by
from pointsman.admin.office import Office
from pointsman.admin.route import Visit
from pointsman.core.errors import Malformed, NotFound
from pointsman.stores.directory.kinds import Kind
from pointsman.stores.directory.ports import Changed, DirectoryQuery

__all__ = ["ENTRIES_MAX", "author", "demand_printable", "every", "existing", "replaced", "tell"]

T = TypeVar("T", bound=msgspec.Struct)

ENTRIES_MAX: Final = 10_000
"""Entries in one answer where LiteLLM knows no pages."""


def author(visit: Visit[Any, Any]) -> str:
    """Who makes a change, for the record: LiteLLM's header, the caller's user, or their key's alias."""
    return changed_by(visit, visit.caller.record.user_id or "master")


def tell(office: Office, kind: Kind[Any], identity: str) -> None:
    """Tell whoever remembers the entry that it is not what it was."""
    office.on_entry_change(Changed(kind.name, identity))


async def existing(office: Office, kind: Kind[T], identity: str, param: str, said: str) -> T:
    """The entry with this id.

    Raises:
        NotFound: there is none; ``said`` is LiteLLM's sentence for it.
    """
    record = await office.directory.get(kind, identity)
    if record is None:
        raise NotFound(said, param=param, code=f"{kind.name}_not_found")
    return record


async def every(office: Office, kind: Kind[T], *, search: str | None = None) -> tuple[T, ...]:
    """The entries of a kind by id, at most :data:`ENTRIES_MAX`."""
    query = DirectoryQuery(search=search, size=ENTRIES_MAX, sort_by="id", sort_order="asc")
    return (await office.directory.find(kind, query)).records


async def replaced(office: Office, kind: Kind[T], identity: str, change: Callable[[T], T]) -> tuple[T, T]:
    """An entry just before ``change`` and after it, whoever else changes it at the same time.

    Raises:
        NotFound, AliasTaken, Malformed: see :meth:`pointsman.stores.directory.ports.DirectoryStore.update`.
    """
    found: list[T] = []

    def changed(current: T) -> T:
        found[:] = [current]
        return change(current)

    after = await office.directory.update(kind, identity, changed)
    return found[0], after


def demand_printable(**texts: str | None) -> None:
    """Raise unless each can travel on into headers, metrics and logs.

    Raises:
        Malformed: ``param`` is the one that cannot.
    """
    for name, text in texts.items():
        if text is not None and (not text or not text.isprintable()):
            raise Malformed(f"{name} must not be empty or have control characters.", param=name)
