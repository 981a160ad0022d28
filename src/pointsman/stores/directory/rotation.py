"""Has everything that is stored encrypted encrypted anew with the first key, so that the others can be let go of.

Entry by entry, each in a transaction of its own: it may be stopped at any time and begun again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from pointsman.core.errors import NotFound
from pointsman.stores.directory.kinds import CREDENTIALS, MODELS, Kind
from pointsman.stores.directory.ports import DirectoryQuery, DirectoryStore
from pointsman.stores.directory.records import StoredCredential, StoredModel
from pointsman.stores.directory.sealing import resealed_credential, resealed_model
from pointsman.stores.encryption import Sealer, WrongSecretKey

__all__ = ["Rotated", "RotationReport", "rotate"]

T = TypeVar("T", bound=msgspec.Struct)

_PAGE: Final = 500


class Rotated(msgspec.Struct, kw_only=True):
    """Entries of one kind: encrypted with the first key, with another, anew just now, and with none that is here."""

    current: int = 0
    legacy: int = 0
    migrated: int = 0
    undecryptable: int = 0


class RotationReport(msgspec.Struct, kw_only=True):
    """What was found and done. ``key_id`` is the first key's; ``unreadable`` names what no key opens, with why."""

    key_id: str
    models: Rotated
    credentials: Rotated
    unreadable: list[str]

    @property
    def left(self) -> int:
        """How many entries still need another key than the first."""
        return sum(one.legacy - one.migrated for one in (self.models, self.credentials))

    @property
    def lost(self) -> int:
        """How many entries no key opens."""
        return self.models.undecryptable + self.credentials.undecryptable


class _Job(NamedTuple):
    kind: Kind[Any]
    reseal: Callable[[Sealer, Any], Any]


_JOBS: Final = (_Job(MODELS, resealed_model), _Job(CREDENTIALS, resealed_credential))


async def rotate(directory: DirectoryStore, sealer: Sealer, *, dry_run: bool) -> RotationReport:
    """Encrypt anew what is not encrypted with the first key; with ``dry_run`` only count it.

    What no key opens is left as it is.

    Raises:
        Misconfigured: the keys cannot be read.
        StorageUnavailable: the directory cannot be read or written; what was done up to there stays done.
    """
    sealer.refresh()
    keys = sealer.keys.keys
    report = RotationReport(key_id=keys[0].id if keys else "", models=Rotated(), credentials=Rotated(), unreadable=[])
    for job, counts in zip(_JOBS, (report.models, report.credentials), strict=True):
        await _rotate_kind(directory, sealer, job, counts, report.unreadable, dry_run=dry_run)
    return report


async def _rotate_kind(
    directory: DirectoryStore, sealer: Sealer, job: _Job, counts: Rotated, unreadable: list[str], *, dry_run: bool
) -> None:
    page = 1
    while True:
        query = DirectoryQuery(page=page, size=_PAGE, sort_by="id", sort_order="asc")
        records = (await directory.find(job.kind, query)).records
        for record in records:
            await _rotate_one(directory, sealer, job, record, counts, unreadable, dry_run=dry_run)
        if len(records) < _PAGE:
            return
        page += 1


async def _rotate_one(
    directory: DirectoryStore,
    sealer: Sealer,
    job: _Job,
    record: StoredModel | StoredCredential,
    counts: Rotated,
    unreadable: list[str],
    *,
    dry_run: bool,
) -> None:
    try:
        if job.reseal(sealer, record) is record:
            counts.current += 1
            return
    except WrongSecretKey as problem:
        counts.undecryptable += 1
        unreadable.append(problem.message)
        return
    counts.legacy += 1
    if dry_run:
        return
    try:
        await directory.update(job.kind, job.kind.identity(record), lambda one: job.reseal(sealer, one))
    except NotFound:
        counts.legacy -= 1  # deleted meanwhile
        return
    counts.migrated += 1
