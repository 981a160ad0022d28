"""Calls added up by what serves them; see :mod:`pointsman.stores.performance`."""

from __future__ import annotations

from pointsman.stores.performance import (
    CALLS_MAX,
    PerformanceFound,
    PerformanceQuery,
    PerformanceRow,
    calls_of_a_day,
)
from pointsman.stores.postgres.performance_statements import (
    CALLS_OF_DAYS_ARE_MORE,
    CALLS_OF_KEY_ARE_MORE,
    KNOWN_TIMES,
    PERFORMANCE,
    PERFORMANCE_OF_KEY,
)
from pointsman.stores.postgres.session import Session
from pointsman.stores.postgres.statements import PLAN_ANEW
from pointsman.stores.postgres.text import kept, told_columns

__all__ = ["read_performance"]


async def read_performance(session: Session, query: PerformanceQuery) -> PerformanceFound:
    """The rows for what the ledger holds."""
    await session.execute(PLAN_ANEW)
    start, end = query.start, query.end
    token = None if query.key_token is None else kept(query.key_token)
    if token is None:
        ((start, end),) = await session.rows(KNOWN_TIMES, start, end)
    calls_max = CALLS_MAX if token is not None else calls_of_a_day(start, end)
    texts = tuple(None if text is None else kept(text) for text in (query.model_group, query.end_user))
    values = (start, end, calls_max, query.slow_seconds, *texts)
    if token is None:
        rows = await session.rows(PERFORMANCE, *values)
        more = await session.whole(CALLS_OF_DAYS_ARE_MORE, start, end, calls_max)
    else:
        rows = await session.rows(PERFORMANCE_OF_KEY, *values, token)
        more = await session.whole(CALLS_OF_KEY_ARE_MORE, start, end, calls_max, token)
    names = PerformanceRow.__struct_fields__
    found = [told_columns(dict(zip(names, row, strict=True))) for row in rows]
    return PerformanceFound(tuple(PerformanceRow(**row) for row in found), not more)
