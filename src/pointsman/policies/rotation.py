"""A new key in the place of an old one: at once, with a time in which both work, or by itself now and then.

While both work, the old one is another way to say the new one: the same limits, and what it spends is the new one's.
Of two processes that replace the same key, one does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.core.clock import Clock
from pointsman.core.errors import Malformed, NotFound
from pointsman.core.identity import KeyRecord
from pointsman.policies.durations import ends_at
from pointsman.stores.directory.kinds import PLANNED_ROTATIONS, RETIRED_KEYS
from pointsman.stores.directory.ports import DirectoryQuery, DirectoryStore, EntryExists, Write
from pointsman.stores.directory.records import PlannedRotation, RetiredKey
from pointsman.stores.ports import Conflict, KeyStore

__all__ = ["KeyRotation", "RetiredKeys", "RotationFields", "rotation_fields", "with_rotation"]

_STALE_SECONDS: Final = 60.0
_HOPS_MAX: Final = 8
_PAGE: Final = 100


class RotationFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a key's record keeps of its rotation, under LiteLLM's names; moments in seconds since the epoch."""

    auto_rotate: bool = False
    rotation_interval: str | None = None
    rotation_count: int = 0
    last_rotation_at: float | None = None
    key_rotation_at: float | None = None


class RetiredKeys:
    """Finds the key that came in the place of another which may still be used."""

    def __init__(self, directory: DirectoryStore, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def successor(self, token: str) -> RetiredKey | None:
        """Which key this one stands for, and until when; over several replacements, the shortest time counts.

        Raises:
            StorageUnavailable: nobody can say.
        """
        found = await self._directory.get(RETIRED_KEYS, token)
        if found is None or found.until <= self._clock.wall():
            return None
        for _ in range(_HOPS_MAX):
            following = await self._directory.get(RETIRED_KEYS, found.successor)
            if following is None:
                return found
            until = min(found.until, following.until)
            found = RetiredKey(token=token, successor=following.successor, until=until)
            if until <= self._clock.wall():
                return None
        return None


class KeyRotation:
    """Replaces keys in the stores; ``on_change`` is told of each key that is new, or (None) gone."""

    def __init__(
        self,
        keys: KeyStore,
        directory: DirectoryStore,
        clock: Clock,
        on_change: Callable[[str, KeyRecord | None], None],
    ) -> None:
        self._keys = keys
        self._directory = directory
        self._clock = clock
        self._on_change = on_change

    async def replace(self, old: KeyRecord, renew: Callable[[KeyRecord], KeyRecord], until: float | None) -> KeyRecord:
        """Put what ``renew`` makes of the key in its place; it works on until then; None: it ends at once.

        ``renew`` is asked again for the key as it is when it is replaced, so that what others changed meanwhile is not
        lost; the new token is always the same.

        Raises:
            NotFound: the old key is no more.
            Conflict: somebody else replaces it at this moment, or ``new`` is there already.
            Malformed, StorageUnavailable: see :meth:`pointsman.stores.ports.KeyStore.rotate`.
        """
        now, token = self._clock.wall(), renew(old).token
        if until is not None:
            await self._retire(RetiredKey(token=old.token, successor=token, until=until))
        try:
            record = await self._keys.rotate(old.token, lambda current: _counted(renew(current), now))
        except (NotFound, Conflict):
            if until is not None:
                await self._directory.delete(RETIRED_KEYS, (old.token,))
            raise
        await self._directory.delete(PLANNED_ROTATIONS, (old.token,))
        await self.plan(record)
        self._on_change(old.token, None)
        self._on_change(record.token, record)
        return record

    async def plan(self, record: KeyRecord) -> None:
        """Have the key replaced when its record says so, or no more."""
        fields = rotation_fields(record)
        if not fields.auto_rotate or fields.key_rotation_at is None or fields.rotation_interval is None:
            await self._directory.delete(PLANNED_ROTATIONS, (record.token,))
            return
        plan = PlannedRotation(token=record.token, due_at=fields.key_rotation_at, interval=fields.rotation_interval)
        await self._directory.write((Write(PLANNED_ROTATIONS, plan.token, plan),))

    async def claim_due(self) -> KeyRecord | None:
        """A key that is to be replaced now, which nobody else is given then; None: there is none.

        Raises:
            StorageUnavailable: nobody can say.
        """
        now = self._clock.wall()
        query = DirectoryQuery(size=_PAGE, sort_by="alias", sort_order="asc")
        page = await self._directory.find(PLANNED_ROTATIONS, query)
        for plan in page.records:
            if plan.due_at > now:
                return None
            record = await self._keys.get(plan.token)
            if record is None or not rotation_fields(record).auto_rotate:
                await self._directory.delete(PLANNED_ROTATIONS, (plan.token,))
            elif await self._claim(plan, now):
                return record
        return None

    async def sweep(self) -> int:
        """Forget old keys whose time is over, a page of them; gives how many."""
        now = self._clock.wall()
        query = DirectoryQuery(size=_PAGE, sort_by="alias", sort_order="asc")
        page = await self._directory.find(RETIRED_KEYS, query)
        return len(await self._directory.delete(RETIRED_KEYS, [one.token for one in page.records if one.until <= now]))

    async def _retire(self, retired: RetiredKey) -> None:
        now = self._clock.wall()
        retired = msgspec.structs.replace(retired, created_at=now, updated_at=now)
        try:
            await self._directory.insert(RETIRED_KEYS, retired)
        except EntryExists:
            before = await self._directory.get(RETIRED_KEYS, retired.token)
            # The key is still there, so whoever was about to replace it did not come to it.
            if before is not None and before.created_at > now - _STALE_SECONDS:
                raise Conflict(
                    "This key is being replaced at this moment.",
                    hint="Look at GET /key/list; if it is still there in a minute, try again.",
                    code="key_being_replaced",
                    param="key",
                    status=409,
                ) from None
            await self._directory.write((Write(RETIRED_KEYS, retired.token, retired),))

    async def _claim(self, plan: PlannedRotation, now: float) -> bool:
        """Move the plan on by the time that a replacement may take, unless somebody else has."""
        moved = msgspec.structs.replace(plan, due_at=now + _STALE_SECONDS)

        def change(found: PlannedRotation) -> PlannedRotation:
            return moved if found.due_at == plan.due_at else found

        try:
            return await self._directory.update(PLANNED_ROTATIONS, plan.token, change) == moved
        except NotFound:
            return False


_decode: Final = msgspec.json.Decoder(RotationFields, strict=False).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def rotation_fields(record: KeyRecord) -> RotationFields:
    """What the key's record says of its rotation."""
    return _decode(record.extra)


def with_rotation(extra: msgspec.Raw, now: float) -> msgspec.Raw:
    """What a key keeps as JSON, with the moment of its next rotation beginning to count now.

    Raises:
        Malformed: the interval is no duration; ``param`` is ``rotation_interval``.
    """
    fields = _decode(extra)
    due_at = None
    if fields.auto_rotate and fields.rotation_interval is None:
        raise Malformed("auto_rotate needs a rotation_interval.", hint="For example 30d.", param="rotation_interval")
    if fields.auto_rotate and fields.rotation_interval is not None:
        due_at = ends_at(fields.rotation_interval, now, "rotation_interval")
    return _merged(extra, msgspec.structs.replace(fields, key_rotation_at=due_at))


def _counted(record: KeyRecord, now: float) -> KeyRecord:
    """A new key that says how often, and when last, it was replaced."""
    fields = rotation_fields(record)
    fields = msgspec.structs.replace(fields, rotation_count=fields.rotation_count + 1, last_rotation_at=now)
    extra = _merged(record.extra, fields)
    return msgspec.structs.replace(record, extra=with_rotation(extra, now) if fields.auto_rotate else extra)


def _merged(extra: msgspec.Raw, fields: RotationFields) -> msgspec.Raw:
    others = {name: raw for name, raw in _decode_object(extra).items() if name not in fields.__struct_fields__}
    return msgspec.Raw(msgspec.json.encode({**others, **msgspec.to_builtins(fields)}))
