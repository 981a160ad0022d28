"""Rows as files: JSON, one to a line, and CSV (RFC 4180) that a spreadsheet does not take for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Final

import msgspec

__all__ = ["as_csv", "as_lines"]

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_BLOCK_ROWS: Final = 200


async def as_lines(first: msgspec.Struct | None, rest: AsyncIterator[msgspec.Struct]) -> AsyncIterator[bytes]:
    """``application/x-ndjson`` of ``first`` and all that follow; nothing where there is no first."""
    if first is None:
        return
    block = [msgspec.json.encode(first)]
    async for row in rest:
        block.append(msgspec.json.encode(row))
        if len(block) >= _BLOCK_ROWS:
            yield b"\n".join(block) + b"\n"
            block.clear()
    if block:
        yield b"\n".join(block) + b"\n"


async def as_csv(first: msgspec.Struct | None, rest: AsyncIterator[msgspec.Struct]) -> AsyncIterator[bytes]:
    """``text/csv`` with a line of names; values that are objects are JSON in one field."""
    if first is None:
        return
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(first.__struct_fields__)
    writer.writerow(_cells(first))
    rows = 2
    async for row in rest:
        writer.writerow(_cells(row))
        rows += 1
        if rows >= _BLOCK_ROWS:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
            rows = 0
    yield text.getvalue().encode()


def _cells(row: msgspec.Struct) -> list[str]:
    return [_cell(value) for value in msgspec.structs.astuple(row)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = bytes(value).decode("utf-8", "replace") if isinstance(value, msgspec.Raw) else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
