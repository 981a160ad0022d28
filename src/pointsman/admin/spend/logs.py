"""``/spend/logs/v2`` and ``/spend/logs/ui``: calls by filters, page by page, and one call with what was said."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.named import named_calls
from pointsman.admin.spend.rows import SpendRow, spend_row
from pointsman.admin.spend.sight import LOGS_PERMISSIONS, Sight, seen_keys, sight_of
from pointsman.admin.timestamps import read_moment
from pointsman.core.errors import Malformed, NotFound, Unsupported
from pointsman.core.outcome import CallRecord
from pointsman.core.price import picodollars
from pointsman.stores.pages import CallQuery, wants
from pointsman.stores.ports import INTEGER_MAX, LedgerQuery

__all__ = ["CallFilters", "CallPageQuery", "CallPageReply", "CallText", "call_query", "call_text", "list_calls"]

_DAY_SECONDS: Final = 86_400.0
_COUNTED_MAX: Final = 10_000
"""Calls that are counted for ``total``; with more, ``total_is_capped`` says so, as in LiteLLM."""


class CallFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls. Filters hold together; times are UTC, a date as ``end_date`` counts to its end, money is in USD."""

    api_key: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    min_spend: float | None = None
    max_spend: float | None = None
    start_date: str | None = None
    end_date: str | None = None
    status_filter: Literal["success", "failure"] | None = None
    model: str | None = None
    model_id: str | None = None
    model_group: str | None = None
    key_alias: str | None = None
    end_user: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class CallPageQuery(CallFilters, frozen=True, kw_only=True):
    """The same, page by page: by number, or by the ``next_cursor`` of the page before, which costs less.

    Calls are not grouped into sessions, so that ``session_id`` is that of a call, and ``search`` a call by either of
    its ids. No call is answered from a cache, is one of an agent, of MCP or of a batch, or made with a client's token.
    """

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    cursor: str | None = None
    sort_by: str = "startTime"
    sort_order: Literal["asc", "desc"] = "desc"
    session_id: str | None = None
    search: str | None = None
    cache_hit_filter: Literal["hit", "miss"] | None = None
    span_type: Literal["llm", "agent", "mcp", "batch"] | None = None
    used_client_oauth_token: bool | None = None


class CallPageReply(msgspec.Struct, frozen=True):
    """Calls, the latest start first, and how many there are."""

    data: list[SpendRow]
    total: int
    page: int
    page_size: int
    total_pages: int
    total_is_capped: bool
    next_cursor: str | None


class CallText(msgspec.Struct, frozen=True):
    """What was asked and answered; empty objects where that is not kept."""

    messages: msgspec.Raw
    response: msgspec.Raw


async def list_calls(office: Office, visit: Visit[CallPageQuery, Nothing]) -> Answer:
    """Calls that match."""
    asked = visit.query
    if asked.sort_by != "startTime" or asked.sort_order != "desc":
        raise Unsupported(
            "Calls are only listed by startTime, the latest first.",
            hint="Leave out sort_by and sort_order, or take them from GET /spend/export and sort them there.",
            param="sort_by",
        )
    sight = await sight_of(office, visit.caller, *LOGS_PERMISSIONS)
    await flushed(office)
    operator = visit.caller.admin
    if asked.cache_hit_filter == "hit" or asked.span_type not in {None, "llm"} or asked.used_client_oauth_token:
        return Answer(CallPageReply([], 0, asked.page, asked.page_size, 0, total_is_capped=False, next_cursor=None))
    named = asked.request_id or asked.search or asked.session_id
    if named is not None:
        records = await _one(office, sight, named)
        rows = [spend_row(one, operator=operator) for one in records]
        return Answer(CallPageReply(rows, len(rows), 1, asked.page_size, 1, total_is_capped=False, next_cursor=None))
    query = await call_query(office, sight, asked)
    offset = 0 if asked.cursor is not None else (asked.page - 1) * asked.page_size
    page = await office.ledger.page(
        msgspec.structs.replace(query, cursor=asked.cursor, limit=asked.page_size, offset=offset)
    )
    total = await office.ledger.count(query, _COUNTED_MAX + 1)
    capped = total > _COUNTED_MAX
    total = min(total, _COUNTED_MAX)
    return Answer(
        CallPageReply(
            [spend_row(record, operator=operator) for record in page.records],
            total,
            asked.page,
            asked.page_size,
            -(-total // asked.page_size),
            total_is_capped=capped,
            next_cursor=page.cursor,
        )
    )


async def call_text(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """What was asked and answered in one call.

    Raises:
        NotFound: there is no such call, or it is not the caller's.
    """
    sight = await sight_of(office, visit.caller, *LOGS_PERMISSIONS)
    await flushed(office)
    records = await _one(office, sight, visit.path["request_id"])
    if not records:
        raise NotFound("This call is not in the ledger.", hint="GET /spend/logs/v2 lists calls.", param="request_id")
    row = spend_row(records[0], operator=visit.caller.admin)
    return Answer(CallText(row.messages, row.response))


async def call_query(office: Office, sight: Sight, asked: CallFilters) -> CallQuery:
    """What to ask the ledger, within what the caller may see: their own calls, and those of teams they administer.

    A key of a team sees those of its team alone.

    Raises:
        Malformed: a date or an amount is none.
        Forbidden: a key that is not the caller's.
    """
    sight, tokens = await seen_keys(office, sight, asked.api_key)
    query = CallQuery(
        start=None if asked.start_date is None else read_moment(asked.start_date, "start_date")[0].timestamp(),
        end=None if asked.end_date is None else _end(asked.end_date),
        key_tokens=tokens,
        user_id=asked.user_id,
        team_ids=None if asked.team_id is None else (asked.team_id,),
        organization_id=asked.organization_id,
        end_user=asked.end_user,
        key_alias=asked.key_alias,
        status="failed" if asked.status_filter == "failure" else asked.status_filter,
        model=asked.model,
        model_group=asked.model_group,
        deployment_id=asked.model_id,
        error_code=asked.error_code,
        error_message=asked.error_message,
        cost_min=_amount(asked.min_spend, "min_spend"),
        cost_max=_amount(asked.max_spend, "max_spend"),
    )
    return query if sight.all else _within(sight, query)


def _within(sight: Sight, query: CallQuery) -> CallQuery:
    query = msgspec.structs.replace(query, team_ids=sight.teams_within(query.team_ids))
    if sight.through or (query.team_ids and set(query.team_ids) <= sight.teams):
        return query
    if query.team_ids is None and query.key_tokens is None and query.user_id is None and sight.teams:
        own, teams = (sight.token,) if sight.user_id is None else None, tuple(sorted(sight.teams))
        return msgspec.structs.replace(query, team_ids=teams, either=True, user_id=sight.user_id, key_tokens=own)
    if sight.user_id is None:
        return msgspec.structs.replace(query, key_tokens=(sight.token,))
    return msgspec.structs.replace(query, user_id=sight.user_id)


async def _one(office: Office, sight: Sight, request_id: str) -> list[CallRecord]:
    found = await named_calls(office, LedgerQuery(call_id=request_id))
    return [record for record in found if sight.all or wants(_within(sight, CallQuery()), record)][:1]


def _end(text: str) -> float:
    moment, is_day = read_moment(text, "end_date")
    return moment.timestamp() + (_DAY_SECONDS if is_day else 0.0)


def _amount(usd: float | None, field: str) -> int | None:
    if usd is None:
        return None
    try:
        amount = picodollars(Decimal(str(usd)))
    except ValueError:
        amount = INTEGER_MAX + 1
    if abs(amount) > INTEGER_MAX:
        raise Malformed(f"{field} is no amount of money.", param=field)
    return amount
