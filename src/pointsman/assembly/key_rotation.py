"""Keys with ``auto_rotate`` are replaced when they are due, and what is over of old ones is forgotten.

Nobody asked for the new key just then, so it is laid down in a file that only the gateway's own account can read, from
where whoever looks after the key's clients fetches it while the old one still works; the log says where and until when.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from pointsman.admin.keys.replies import full_row
from pointsman.config.masking import masked
from pointsman.core.clock import Clock, call_id, fresh_token
from pointsman.core.errors import GatewayError, Misconfigured, StorageUnavailable
from pointsman.core.identity import KeyRecord, token_of
from pointsman.policies.rotation import KeyRotation
from pointsman.stores.audit import AuditEntry, AuditOutcome, AuditStore

__all__ = ["KeyRotationTask"]

_LOOK_SECONDS: Final = 60.0
_OVERLAP_SECONDS: Final = 24 * 3_600.0
_AT_ONCE_MAX: Final = 100
_ROTATION: Final = "rotation"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", re.ASCII)
_log: Final = logging.getLogger("pointsman.keys")


class KeyRotationTask:
    """Looks once a minute. ``directory`` is where new keys are laid down; ``audit`` has an entry of each rotation."""

    def __init__(self, rotation: KeyRotation, audit: AuditStore, directory: Path, clock: Clock) -> None:
        self._rotation = rotation
        self._audit = audit
        self._directory = directory
        self._clock = clock

    async def run(self) -> None:
        """Replace keys that are due; runs until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except StorageUnavailable as error:
                _log.warning("Keys could not be looked through for rotation: %s", error.message)

    async def look(self) -> int:
        """Replace what is due now, and give how many keys that were.

        Raises:
            StorageUnavailable: nobody can say.
        """
        done = 0
        for _ in range(_AT_ONCE_MAX):
            due = await self._rotation.claim_due()
            if due is None:
                break
            done += await self._replace(due)
        while await self._rotation.sweep():
            pass
        return done

    async def _replace(self, old: KeyRecord) -> bool:
        key = fresh_token()
        now = self._clock.wall()
        named = old.key_alias or old.key_name
        entry = _entry(old, now)
        try:
            # As with every change: what cannot be written down is not done.
            await self._audit.append([entry])
        except StorageUnavailable as away:
            _log.error("The key %s is due for rotation and stays. %s", named, away.told())
            return False
        try:
            path = await asyncio.to_thread(_lay_down, self._directory, _file_name(old), key)
        except OSError as error:
            problem = Misconfigured(f"{self._directory} cannot be written: {error.strerror}.")
            _log.error("The key %s is due for rotation and stays. %s", named, problem.told())
            await self._ended(msgspec.structs.replace(entry, outcome="failed", message=problem.message))
            return False
        try:
            record = await self._rotation.replace(old, _renewal(key, now), now + _OVERLAP_SECONDS)
        except GatewayError as refused:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            _log.error("The key %s is due for rotation and stays. %s", named, refused.told())
            outcome: AuditOutcome = "unknown" if isinstance(refused, StorageUnavailable) else "failed"
            await self._ended(msgspec.structs.replace(entry, outcome=outcome, message=refused.message))
            return False
        await self._ended(msgspec.structs.replace(entry, outcome="done", updated_values=_shown(record)))
        hours = round(_OVERLAP_SECONDS / 3_600)
        _log.warning("The key %s was rotated. The new one is in %s; the old one works for %d h.", named, path, hours)
        return True

    async def _ended(self, entry: AuditEntry) -> None:
        try:
            await self._audit.complete([entry])
        except StorageUnavailable as problem:
            _log.warning("How a rotation ended could not be written down: %s", problem.message)


def _renewal(key: str, now: float) -> Callable[[KeyRecord], KeyRecord]:
    return lambda old: msgspec.structs.replace(
        old, token=token_of(key), key_name=f"sk-...{key[-4:]}", updated_at=now, created_by=_ROTATION
    )


def _entry(old: KeyRecord, now: float) -> AuditEntry:
    return AuditEntry(
        id=call_id(),
        at=now,
        changed_by=_ROTATION,
        action="rotated",
        table_name="LiteLLM_VerificationToken",
        object_id=old.token,
        before_value=_shown(old),
    )


def _shown(record: KeyRecord) -> msgspec.Raw:
    """The row of a key as the management API shows it; the key itself is not in it."""
    return msgspec.Raw(msgspec.json.encode(masked(msgspec.json.decode(msgspec.json.encode(full_row(record))))))


def _file_name(old: KeyRecord) -> str:
    """The alias, where that can be a file's name; else what is stored of the old key."""
    alias = old.key_alias or ""
    return f"{alias if _PLAIN.fullmatch(alias) else old.token[:16]}.key"


def _lay_down(directory: Path, name: str, key: str) -> Path:
    """Write the key into a file for the owner alone, in the place of what was there."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, fresh = directory / name, directory / f".{name}.{token_of(key)[:8]}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key.encode() + b"\n")
    finally:
        os.close(descriptor)
    fresh.replace(path)
    return path
