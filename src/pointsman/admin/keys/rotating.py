"""What requests about keys have to do with their rotation: replacing them, and planning when that happens by itself."""

from __future__ import annotations

from typing import Final

from pointsman.admin.office import Office
from pointsman.core.identity import KeyRecord
from pointsman.policies.rotation import KeyRotation, rotation_fields

__all__ = ["planned", "replanned", "rotation_of"]

_ATTEMPTS: Final = 5


def rotation_of(office: Office) -> KeyRotation:
    """Who replaces keys."""
    return KeyRotation(office.keys, office.directory, office.clock, office.on_key_change)


async def planned(office: Office, record: KeyRecord) -> None:
    """Have a new key replaced, if it is to be."""
    if rotation_fields(record).auto_rotate:
        await rotation_of(office).plan(record)


async def replanned(office: Office, record: KeyRecord) -> None:
    """Have a changed key replaced when it says now, or no more.

    Of two who change it at once the later one may be the first to come here; so what was planned is compared.
    """
    rotation = rotation_of(office)
    for _ in range(_ATTEMPTS):
        await rotation.plan(record)
        current = await office.keys.get(record.token)
        if current is None or rotation_fields(current) == rotation_fields(record):
            return
        record = current
