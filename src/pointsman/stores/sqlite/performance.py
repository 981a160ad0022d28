"""Calls added up by what serves them; see :mod:`pointsman.stores.performance`."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from pointsman.stores.performance import (
    CALLS_MAX,
    DeploymentUse,
    PerformanceFound,
    PerformanceQuery,
    PerformanceRow,
    calls_of_a_day,
)
from pointsman.stores.sqlite.performance_statements import (
    CALLS_OF_DAYS_ARE_MORE,
    CALLS_OF_KEY_ARE_MORE,
    KNOWN_TIMES,
    PERFORMANCE,
    PERFORMANCE_OF_KEY,
    USE_OF_DEPLOYMENTS,
)

__all__ = ["read_performance", "read_use"]


def read_performance(connection: apsw.Connection, query: PerformanceQuery) -> PerformanceFound:
    """The rows for what the ledger holds."""
    values: dict[str, Any] = msgspec.structs.asdict(query)
    if query.key_token is None:
        times: tuple[Any, ...] = connection.execute(KNOWN_TIMES, values).fetchall()[0]
        values |= {"start": float(times[0]), "end": float(times[1])}
        values["calls_max"] = calls_of_a_day(values["start"], values["end"])
        statement, more = PERFORMANCE, CALLS_OF_DAYS_ARE_MORE
    else:
        values["calls_max"] = CALLS_MAX
        statement, more = PERFORMANCE_OF_KEY, CALLS_OF_KEY_ARE_MORE
    names = PerformanceRow.__struct_fields__
    found = [dict(zip(names, row, strict=True)) for row in connection.execute(statement, values)]
    is_whole = not connection.execute(more, values).get
    return PerformanceFound(tuple(PerformanceRow(**row) for row in found), is_whole)


def read_use(connection: apsw.Connection, start: float, end: float) -> tuple[DeploymentUse, ...]:
    """What each deployment was sent within the span."""
    return tuple(DeploymentUse(*row) for row in connection.execute(USE_OF_DEPLOYMENTS, (start, end)))
