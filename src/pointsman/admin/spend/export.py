"""``GET /spend/export``: the ledger as a file, call by call, whatever its size.

Calls are read a thousand at a time through the index by which they are ordered and sent on as they come, so that an
export takes no more memory than a page. Rows are made in a thread, so that the gateway goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from pointsman.admin.keys.lookup import flushed
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.spend.export_rows import ExportRow, export_row
from pointsman.admin.spend.logs import CallFilters, call_query
from pointsman.admin.spend.sight import LOGS_PERMISSIONS, sight_of
from pointsman.core.outcome import CallRecord
from pointsman.stores.pages import CallQuery
from pointsman.wire.csv_lines import csv_line
from pointsman.wire.parquet import ParquetWriter

__all__ = ["ExportQuery", "export_calls"]

_PAGE: Final = 1000
_GROUP: Final = 10_000
"""Rows of a Parquet file that are held until they can be written column by column."""
_NAMES: Final = ExportRow.__struct_fields__
_PARQUET_KINDS: Final = {"start_time": datetime, "end_time": datetime, "spend_usd": Decimal}
"""What are texts elsewhere, and can be sorted and summed in Parquet."""


class ExportQuery(CallFilters, frozen=True, kw_only=True):
    """Which calls, and as what."""

    format: Literal["csv", "jsonl", "parquet"] = "csv"


async def export_calls(office: Office, visit: Visit[ExportQuery, Nothing]) -> Answer:
    """The calls that match, the latest start first."""
    asked = visit.query
    sight = await sight_of(office, visit.caller, *LOGS_PERMISSIONS)
    query = msgspec.structs.replace(await call_query(office, sight, asked), limit=_PAGE)
    await flushed(office)
    write, media_type = _FORMATS[asked.format]
    name = ("content-disposition", f'attachment; filename="spend.{asked.format}"')
    rows = _pages(office, query, operator=visit.caller.admin)
    return Answer(stream=write(rows), media_type=media_type, headers=(name,))


async def _pages(office: Office, query: CallQuery, *, operator: bool) -> AsyncIterator[list[ExportRow]]:
    while True:
        page = await office.ledger.page(query)
        if page.records:
            yield await asyncio.to_thread(_rows, page.records, operator=operator)
        if page.cursor is None:
            return
        query = msgspec.structs.replace(query, cursor=page.cursor)


def _rows(records: Sequence[CallRecord], *, operator: bool) -> list[ExportRow]:
    return [export_row(record, operator=operator) for record in records]


async def _csv(pages: AsyncIterator[list[ExportRow]]) -> AsyncIterator[bytes]:
    yield csv_line(_NAMES)
    async for rows in pages:
        yield await asyncio.to_thread(_csv_lines, rows)


def _csv_lines(rows: Sequence[ExportRow]) -> bytes:
    return b"".join([csv_line(msgspec.structs.astuple(row)) for row in rows])


async def _json_lines(pages: AsyncIterator[list[ExportRow]]) -> AsyncIterator[bytes]:
    encode = msgspec.json.Encoder().encode_lines
    async for rows in pages:
        yield encode(rows)


async def _parquet(pages: AsyncIterator[list[ExportRow]]) -> AsyncIterator[bytes]:
    kinds = {field.name: field.type for field in msgspec.structs.fields(ExportRow)} | _PARQUET_KINDS
    writer = ParquetWriter([(name, kinds[name]) for name in _NAMES])
    yield writer.start()
    waiting: list[Sequence[object]] = []
    async for rows in pages:
        waiting += [msgspec.structs.astuple(row) for row in rows]
        if len(waiting) >= _GROUP:
            yield await asyncio.to_thread(writer.group, waiting)
            waiting = []
    if waiting:
        yield await asyncio.to_thread(writer.group, waiting)
    yield writer.end()


_Write = Callable[[AsyncIterator[list[ExportRow]]], AsyncIterator[bytes]]
_FORMATS: Final[dict[str, tuple[_Write, str]]] = {
    "csv": (_csv, "text/csv; charset=utf-8"),
    "jsonl": (_json_lines, "application/x-ndjson"),
    "parquet": (_parquet, "application/vnd.apache.parquet"),
}
