"""``GET /health/history`` and ``/health/latest``: what checks found, in LiteLLM's shape."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Final, Literal

import msgspec

from pointsman.admin.health.deployments import told_error, visible_and_wild
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso
from pointsman.core.errors import StorageUnavailable
from pointsman.core.upstream import Deployment
from pointsman.providers.health import HealthEntry, Verdict
from pointsman.stores.directory.kinds import HEALTH_HISTORIES
from pointsman.stores.directory.ports import DirectoryQuery
from pointsman.stores.directory.records import HealthHistory, HealthLine

__all__ = ["CheckRow", "HistoryQuery", "HistoryReply", "LatestReply", "history", "latest"]


_DEPLOYMENTS_MAX: Final = 1000
"""Of more, those are told of of whom there is something newer."""


class HistoryQuery(msgspec.Struct, frozen=True):
    """``model`` is a group's name; both filters hold together."""

    model: str | None = None
    status_filter: Literal["healthy", "unhealthy"] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class CheckRow(msgspec.Struct, frozen=True):
    """One line of LiteLLM's ``LiteLLM_HealthCheckTable``."""

    health_check_id: str
    model_name: str
    model_id: str
    status: Literal["healthy", "unhealthy"]
    healthy_count: int
    unhealthy_count: int
    error_message: str | None
    response_time_ms: float
    details: None
    checked_by: str | None
    checked_at: str
    created_at: str


class HistoryReply(msgspec.Struct, frozen=True):
    """The newest first; ``total_records`` is how many are in this answer, as in LiteLLM."""

    health_checks: tuple[CheckRow, ...]
    total_records: int
    limit: int
    offset: int


class LatestReply(msgspec.Struct, frozen=True):
    """The last check of each deployment, by its id."""

    latest_health_checks: Mapping[str, CheckRow]
    total_models: int


async def history(office: Office, visit: Visit[HistoryQuery, Nothing]) -> Answer:
    """When deployments became well and ill; that nothing changed is noted once an hour.

    It is what all processes have stored, before this one began, too, and what this one has not stored yet.
    """
    query, admin = visit.query, visit.caller.admin
    seen = _seen(office, visit)
    entries = (
        entry
        for entry in await _entries(office, query.model)
        if (admin or entry.model_id in seen)
        and query.model in {None, entry.model_name}
        and query.status_filter in {None, entry.status}
    )
    page = islice(entries, query.offset, query.offset + query.limit)
    rows = tuple(_row(entry, seen.get(entry.model_id), admin=admin) for entry in page)
    return Answer(HistoryReply(rows, len(rows), query.limit, query.offset))


async def latest(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """The state of each deployment when it was last looked at, by whichever process; nothing is asked for this."""
    book, admin = office.health.book, visit.caller.admin
    newest: dict[str, HealthEntry] = {}
    for entry in await _entries(office, None):
        newest.setdefault(entry.model_id, entry)
    rows = {}
    for name, deployment in _seen(office, visit).items():
        found = [entry for entry in (book.latest(name), newest.get(name)) if entry is not None]
        if found:
            rows[name] = _row(max(found, key=lambda entry: entry.verdict.at), deployment, admin=admin)
    return Answer(LatestReply(rows, len(rows)))


async def _entries(office: Office, model: str | None) -> list[HealthEntry]:
    """All lines, of one model if that is given, the newest first; without the storage those in memory."""
    found = {entry.id: entry for entry in office.health.book.history()}
    try:
        query = DirectoryQuery(parent=model, sort_by="updated_at", size=_DEPLOYMENTS_MAX)
        stored = (await office.directory.find(HEALTH_HISTORIES, query)).records
    except StorageUnavailable:
        stored = ()
    found |= {line.id: _entry(one, line) for one in stored for line in one.lines}
    return sorted(found.values(), key=lambda entry: entry.verdict.at, reverse=True)


def _entry(history: HealthHistory, line: HealthLine) -> HealthEntry:
    verdict = Verdict(
        deployment_id=history.deployment_id,
        healthy=line.healthy,
        source="checked",
        at=line.at,
        seconds=line.seconds,
        error=line.error,
    )
    status: Literal["healthy", "unhealthy"] = "healthy" if line.healthy else "unhealthy"
    return HealthEntry(line.id, history.model_name, history.deployment_id, status, verdict, line.checked_by)


def _seen(office: Office, visit: Visit[HistoryQuery, Nothing] | Visit[Nothing, Nothing]) -> dict[str, Deployment]:
    return {one.id: one for one in visible_and_wild(office, visit.caller)}


def _row(entry: HealthEntry, deployment: Deployment | None, *, admin: bool) -> CheckRow:
    verdict = entry.verdict
    error = verdict.error if deployment is None else told_error(deployment, verdict, admin=admin)
    return CheckRow(
        health_check_id=entry.id,
        model_name=entry.model_name,
        model_id=entry.model_id,
        status=entry.status,
        healthy_count=int(verdict.healthy),
        unhealthy_count=int(not verdict.healthy),
        error_message=error,
        response_time_ms=round(verdict.seconds * 1000.0, 3),
        details=None,
        checked_by=entry.checked_by if admin else None,
        checked_at=iso(verdict.at),
        created_at=iso(verdict.at),
    )
