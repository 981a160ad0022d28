"""``/audit``, ``/audit/{id}`` and ``/audit/export``.

The fields of the first two are those of LiteLLM's enterprise package (``AuditLogResponse``, paginated alike); those of
ours stand beside them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pointsman.admin.audit.export import as_csv, as_lines
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso, read_moment
from pointsman.core.errors import NotFound
from pointsman.stores.audit import AuditEntry, AuditQuery, AuditSort

__all__ = [
    "AuditExportQuery",
    "AuditLog",
    "AuditLogPage",
    "AuditLogQuery",
    "audit_log",
    "audit_log_entry",
    "export_audit_log",
]


class _Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries; filters hold together. Dates and times are in ISO 8601."""

    changed_by: str | None = None
    changed_by_api_key: str | None = None
    action: str | None = None
    table_name: str | None = None
    object_id: str | None = None
    outcome: Literal["done", "refused", "failed", "unknown"] | None = None
    start_date: str | None = None
    end_date: str | None = None
    object_team_id: str | None = None
    object_key_hash: str | None = None
    search: str | None = None


class AuditLogQuery(_Filters, frozen=True, kw_only=True):
    """One page of those entries."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 10
    sort_by: AuditSort = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"


class AuditExportQuery(_Filters, frozen=True, kw_only=True):
    """All of those entries, the oldest first."""

    format: Literal["csv", "jsonl"] = "jsonl"


class AuditLog(msgspec.Struct, frozen=True, kw_only=True):
    """One change or attempt. ``outcome`` unknown: it was begun, and nobody knows how it ended."""

    id: str
    updated_at: str
    changed_by: str
    changed_by_api_key: str
    action: str
    table_name: str
    object_id: str
    before_value: msgspec.Raw | None
    updated_values: msgspec.Raw | None
    route: str
    call_id: str
    ip_address: str
    outcome: str
    status: int | None
    message: str | None


class AuditLogPage(msgspec.Struct, frozen=True):
    """One page of the log."""

    audit_logs: tuple[AuditLog, ...]
    total: int
    page: int
    page_size: int
    total_pages: int


async def audit_log(office: Office, visit: Visit[AuditLogQuery, Nothing]) -> Answer:
    """The log, the latest first."""
    wanted = visit.query
    query = msgspec.structs.replace(
        _query(wanted),
        sort_by=wanted.sort_by,
        sort_order=wanted.sort_order,
        page=wanted.page,
        page_size=wanted.page_size,
    )
    found = await office.audit.find(query)
    pages = -(-found.total // wanted.page_size)
    entries = tuple(_shown(entry) for entry in found.entries)
    return Answer(AuditLogPage(entries, found.total, wanted.page, wanted.page_size, pages))


async def audit_log_entry(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """One entry."""
    entry = await office.audit.get(visit.path["id"])
    if entry is None:
        raise NotFound("The audit log has no entry with this id.", hint="GET /audit has all.", param="id")
    return Answer(_shown(entry))


async def export_audit_log(office: Office, visit: Visit[AuditExportQuery, Nothing]) -> Answer:
    """The log as a file, the oldest first: JSON, one entry a line, or CSV."""
    entries = _entries(office, _query(visit.query))
    # Whether it can be read at all is to be known before the answer begins.
    first = await anext(entries, None)
    name = ("content-disposition", f'attachment; filename="audit.{visit.query.format}"')
    if visit.query.format == "csv":
        return Answer(stream=as_csv(first, entries), media_type="text/csv; charset=utf-8", headers=(name,))
    return Answer(stream=as_lines(first, entries), media_type="application/x-ndjson", headers=(name,))


async def _entries(office: Office, query: AuditQuery) -> AsyncIterator[AuditLog]:
    after = 0
    while found := await office.audit.read(query, after):
        for one in found:
            yield _shown(one.entry)
        after = found[-1].number


def _query(wanted: _Filters) -> AuditQuery:
    return AuditQuery(
        changed_by=wanted.changed_by,
        changed_by_api_key=wanted.changed_by_api_key,
        action=wanted.action,
        table_name=wanted.table_name,
        object_id=wanted.object_id,
        outcome=wanted.outcome,
        start=_moment(wanted.start_date, "start_date"),
        end=_moment(wanted.end_date, "end_date", to_the_end=True),
        object_team_id=wanted.object_team_id,
        object_key_hash=wanted.object_key_hash,
        search=wanted.search,
    )


def _moment(text: str | None, field: str, *, to_the_end: bool = False) -> float | None:
    if text is None:
        return None
    moment, is_day = read_moment(text, field)
    if is_day and to_the_end:
        moment += timedelta(days=1, microseconds=-1)
    return moment.timestamp()


def _shown(entry: AuditEntry) -> AuditLog:
    return AuditLog(
        id=entry.id,
        updated_at=iso(entry.at),
        changed_by=entry.changed_by,
        changed_by_api_key=entry.changed_by_api_key,
        action=entry.action,
        table_name=entry.table_name,
        object_id=entry.object_id,
        before_value=entry.before_value,
        updated_values=entry.updated_values,
        route=entry.route,
        call_id=entry.call_id,
        ip_address=entry.peer,
        outcome=entry.outcome,
        status=entry.status,
        message=entry.message,
    )
