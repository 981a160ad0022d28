"""Which calls to list, page by page: filters, and a cursor that costs the same however far one has come."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pointsman.core.errors import Malformed
from pointsman.core.outcome import CallRecord, Status

__all__ = ["SCANNED_MAX", "CallPage", "CallQuery", "bad_cursor", "cursor_time", "wants"]

SCANNED_MAX: Final = 50_000
"""Calls that are looked at for one page: where a filter lets few through, a page may be short and yet not the last."""


class CallQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls, from ``start`` to before ``end``. Filters hold together; those that are None do not count.

    Money is in picodollars. ``team_ids`` are any of them; ``key_tokens`` or a user may be given beside them, and then
    ``either`` says that one of the two has to hold. ``error_message`` need only occur, upper or lower ASCII case.
    """

    start: float | None = None
    end: float | None = None
    key_tokens: tuple[str, ...] | None = None
    user_id: str | None = None
    team_ids: tuple[str, ...] | None = None
    either: bool = False
    organization_id: str | None = None
    end_user: str | None = None
    key_alias: str | None = None
    status: Status | Literal["failed"] | None = None
    model: str | None = None
    model_group: str | None = None
    deployment_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    cost_min: int | None = None
    cost_max: int | None = None
    cursor: str | None = None
    limit: int = 1000
    offset: int = 0


class CallPage(msgspec.Struct, frozen=True):
    """Calls, the latest start first, and the cursor for those that follow; None: there are no more."""

    records: tuple[CallRecord, ...]
    cursor: str | None = None


def wants(query: CallQuery, record: CallRecord) -> bool:
    """Whether a call matches all but the cursor."""
    said = query.error_message
    return (
        (query.start is None or record.started_at >= query.start)
        and (query.end is None or record.started_at < query.end)
        and _is_theirs(query, record)
        and query.organization_id in {None, record.organization_id}
        and query.end_user in {None, record.end_user}
        and query.key_alias in {None, record.key_alias}
        and (query.status in {None, record.status} or (query.status == "failed" and record.status != "success"))
        and query.model in {None, record.model, record.model_group}
        and query.model_group in {None, record.model_group}
        and query.deployment_id in {None, record.deployment_id}
        and query.error_code in {None, record.error_code, str(record.http_status)}
        and (said is None or said.lower() in (record.error_message or "").lower())
        and (query.cost_min is None or record.cost >= query.cost_min)
        and (query.cost_max is None or record.cost <= query.cost_max)
    )


def _is_theirs(query: CallQuery, record: CallRecord) -> bool:
    of_key = query.key_tokens is None or record.key_token in query.key_tokens
    of_user = query.user_id in {None, record.user_id}
    of_team = query.team_ids is None or record.team_id in query.team_ids
    if query.either and query.team_ids is not None:
        return of_team or (of_key and of_user)
    return of_key and of_user and of_team


def bad_cursor() -> Malformed:
    """The refusal of a cursor that no page gave."""
    return Malformed("This cursor was not given by a page of calls.", hint="Begin without one.", param="cursor")


def cursor_time(moment: float) -> str:
    """A moment to the last bit, in characters that need not be escaped in a URL."""
    return float(moment).hex().replace("+", "")
