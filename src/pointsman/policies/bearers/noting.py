"""What signed tokens change in the directory (users and teams that are made, roles, memberships), written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import msgspec

from pointsman.core.clock import Clock, call_id
from pointsman.stores.audit import AuditEntry, AuditStore
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS, Kind
from pointsman.stores.directory.ports import DirectoryPage, DirectoryQuery, DirectoryStore
from pointsman.stores.directory.records import TeamMember

__all__ = ["Entries", "NotedDirectory"]

T = TypeVar("T", bound=msgspec.Struct)

_BY: Final = "jwt"
_TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {USERS.name: "LiteLLM_UserTable", TEAMS.name: "LiteLLM_TeamTable", TEAM_MEMBERS.name: "LiteLLM_TeamTable"}
)


class Entries(Protocol):
    """The part of a :class:`~pointsman.stores.directory.ports.DirectoryStore` that is needed for one token."""

    async def get(self, kind: Kind[T], identity: str) -> T | None:
        """See the store."""
        ...

    async def look_up(self, wanted: Sequence[tuple[Kind[Any], str]]) -> tuple[Any | None, ...]:
        """See the store."""
        ...

    async def find(self, kind: Kind[T], query: DirectoryQuery) -> DirectoryPage[T]:
        """See the store."""
        ...

    async def insert(self, kind: Kind[T], record: T) -> None:
        """See the store."""
        ...

    async def update(self, kind: Kind[T], identity: str, change: Callable[[T], T]) -> T:
        """See the store."""
        ...

    async def delete(self, kind: Kind[Any], identities: Sequence[str]) -> tuple[str, ...]:
        """See the store."""
        ...


class NotedDirectory:
    """The directory, each change of which has its entry in ``audit`` once it was made; None: there is no such log."""

    def __init__(self, directory: DirectoryStore, audit: AuditStore | None, clock: Clock) -> None:
        self._directory = directory
        self._audit = audit
        self._clock = clock

    async def get(self, kind: Kind[T], identity: str) -> T | None:
        """See the protocol."""
        return await self._directory.get(kind, identity)

    async def look_up(self, wanted: Sequence[tuple[Kind[Any], str]]) -> tuple[Any | None, ...]:
        """See the protocol."""
        return await self._directory.look_up(wanted)

    async def find(self, kind: Kind[T], query: DirectoryQuery) -> DirectoryPage[T]:
        """See the protocol."""
        return await self._directory.find(kind, query)

    async def insert(self, kind: Kind[T], record: T) -> None:
        """See the protocol."""
        await self._directory.insert(kind, record)
        await self._note("updated" if kind is TEAM_MEMBERS else "created", kind, None, record)

    async def update(self, kind: Kind[T], identity: str, change: Callable[[T], T]) -> T:
        """See the protocol."""
        before: list[T] = []

        def noted(kept: T) -> T:
            before[:] = [kept]
            return change(kept)

        after = await self._directory.update(kind, identity, noted)
        await self._note("updated", kind, before[0], after)
        return after

    async def delete(self, kind: Kind[Any], identities: Sequence[str]) -> tuple[str, ...]:
        """See the protocol."""
        found = await self._directory.look_up([(kind, identity) for identity in identities])
        gone = await self._directory.delete(kind, identities)
        for record in found:
            if record is not None and kind.identity(record) in gone:
                await self._note("updated" if kind is TEAM_MEMBERS else "deleted", kind, record, None)
        return gone

    async def _note(
        self, action: str, kind: Kind[Any], before: msgspec.Struct | None, after: msgspec.Struct | None
    ) -> None:
        if self._audit is None:
            return
        named: Any = before if after is None else after
        identity = named.team_id if isinstance(named, TeamMember) else kind.identity(named)
        entry = AuditEntry(
            id=call_id(),
            at=self._clock.wall(),
            changed_by=_BY,
            action=action,
            table_name=_TABLES.get(kind.name, "Pointsman_Other"),
            object_id=identity,
            before_value=_shown(before),
            updated_values=_shown(after),
            outcome="done",
        )
        await self._audit.append([entry])


def _shown(record: msgspec.Struct | None) -> msgspec.Raw | None:
    """The entry without its password."""
    if record is None:
        return None
    fields = {name: value for name, value in msgspec.structs.asdict(record).items() if name != "password"}
    return msgspec.Raw(msgspec.json.encode(fields))
