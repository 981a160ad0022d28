"""``/credentials/migrate-encryption``: has stored secrets encrypted anew, after a key was put before the others."""

from __future__ import annotations

import msgspec

from pointsman.admin.change import Change
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.stored import demand_stores
from pointsman.stores.directory.rotation import Rotated, RotationReport, rotate

__all__ = ["MigrationLocations", "MigrationQuery", "MigrationReply", "MigrationReport", "check_keys", "rotate_keys"]


class MigrationQuery(msgspec.Struct, frozen=True):
    """``dry_run``: only count."""

    dry_run: bool = False


class MigrationLocations(msgspec.Struct, frozen=True):
    """What was found where."""

    model_table: Rotated
    credentials_table: Rotated


class MigrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """``residual_legacy``: entries that still need another key than the first, whose id is ``key_id``."""

    residual_legacy: int
    total_migrated: int
    total_undecryptable: int
    key_id: str
    locations: MigrationLocations
    unreadable: tuple[str, ...]


class MigrationReply(msgspec.Struct, frozen=True):
    """What was done."""

    status: str
    report: MigrationReport


async def rotate_keys(office: Office, visit: Visit[MigrationQuery, Nothing]) -> Answer:
    """Encrypt anew what is not encrypted with the first key."""
    desk = await demand_stores(office)
    report = await rotate(office.directory, desk.sealer, dry_run=visit.query.dry_run)
    if not visit.query.dry_run:
        visit.changes.append(
            Change(action="rotated", table_name="LiteLLM_CredentialsTable", object_id=report.key_id, after=report)
        )
    return Answer(_reply(report))


async def check_keys(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """How much still needs another key than the first."""
    desk = await demand_stores(office)
    return Answer(_reply(await rotate(office.directory, desk.sealer, dry_run=True)))


def _reply(report: RotationReport) -> MigrationReply:
    return MigrationReply(
        "success",
        MigrationReport(
            residual_legacy=report.left,
            total_migrated=report.models.migrated + report.credentials.migrated,
            total_undecryptable=report.lost,
            key_id=report.key_id,
            locations=MigrationLocations(report.models, report.credentials),
            unreadable=tuple(report.unreadable),
        ),
    )
