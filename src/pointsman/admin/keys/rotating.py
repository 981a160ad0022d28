"""What requests about keys have to do with their rotation: replacing them, and planning when that happens by itself."""

from __future__ import annotations

from pointsman.admin.office import Office
from pointsman.core.identity import KeyRecord
from pointsman.policies.rotation import KeyRotation, rotation_fields

__all__ = ["planned", "replanned", "rotation_of"]


def rotation_of(office: Office) -> KeyRotation:
    """Who replaces keys."""
    return KeyRotation(office.keys, office.directory, office.clock, office.on_key_change)


async def planned(office: Office, record: KeyRecord) -> None:
    """Have a new key replaced, if it is to be."""
    if rotation_fields(record).auto_rotate:
        await rotation_of(office).plan(record)


async def replanned(office: Office, record: KeyRecord) -> None:
    """Have a changed key replaced when it says now, or no more."""
    await rotation_of(office).plan(record)
