"""A file is read back by a reader of its own, which knows Thrift's compact protocol and nothing of ours."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pointsman.wire.parquet import ParquetWriter

BOOLEAN, INT64, DOUBLE, BYTE_ARRAY = 0, 2, 5, 6
UTF8, DECIMAL, TIMESTAMP_MILLIS = 0, 5, 9

COLUMNS: list[tuple[str, type]] = [
    ("text", str), ("whole", int), ("share", float), ("yes", bool), ("when", datetime), ("usd", Decimal),
]  # fmt: skip
ROWS: list[tuple[object, ...]] = [
    ("", 0, 0.0, False, "1970-01-01T00:00:00.000Z", "0"),
    ("grün 漢 😀", -(2**63), -1.5, True, "2026-01-31T12:34:56.789Z", "0.000000000001"),
    ("x" * 300, 2**63 - 1, 1e300, True, "1969-12-31T23:59:59.999Z", "999999.999999999999"),
]


class Thrift:
    """Structs of the compact protocol, as what they have by the numbers of their fields."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data, self.place = data, place

    def struct(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        number = 0
        while head := self.byte():
            assert head >> 4, "steps are short here"
            number += head >> 4
            found[number] = self.value(head & 15)
        return found

    def value(self, kind: int) -> Any:
        if kind in {5, 6}:
            number = self.varint()
            return (number >> 1) ^ -(number & 1)
        if kind == 8:
            size = self.varint()
            self.place += size
            return self.data[self.place - size : self.place]
        if kind == 9:
            head = self.byte()
            count = self.varint() if head >> 4 == 15 else head >> 4
            return [self.value(head & 15) for _ in range(count)]
        assert kind == 12
        return self.struct()

    def varint(self) -> int:
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]


def values_of(kind: int, data: bytes, count: int) -> list[Any]:
    if kind == BOOLEAN:
        return [bool(data[index // 8] >> index % 8 & 1) for index in range(count)]
    if kind in {INT64, DOUBLE}:
        return list(struct.unpack(f"<{count}{'q' if kind == INT64 else 'd'}", data))
    found, place = [], 0
    for _ in range(count):
        (size,) = struct.unpack_from("<I", data, place)
        found.append(data[place + 4 : place + 4 + size].decode())
        place += 4 + size
    assert place == len(data)
    return found


def meant(value: Any, element: dict[int, Any]) -> Any:
    if element.get(6) == DECIMAL:
        return Decimal(value).scaleb(-element[7])
    if element.get(6) == TIMESTAMP_MILLIS:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    assert (element.get(6) == UTF8) == (element[1] == BYTE_ARRAY)
    return value


def read(file: bytes) -> list[tuple[Any, ...]]:
    assert file[:4] == file[-4:] == b"PAR1"
    (size,) = struct.unpack("<I", file[-8:-4])
    footer = Thrift(file[-8 - size : -8]).struct()
    root, *elements = footer[2]
    assert (footer[1], root[5], len(elements)) == (1, len(COLUMNS), len(COLUMNS))
    assert [element[4].decode() for element in elements] == [name for name, _ in COLUMNS]
    rows: list[tuple[Any, ...]] = []
    for group in footer[4]:
        columns = []
        for chunk, element in zip(group[1], elements, strict=True):
            about = chunk[3]
            assert (about[1], about[3], about[5]) == (element[1], [element[4]], group[3])
            page = Thrift(file, about[9])
            head = page.struct()
            data = file[page.place : page.place + head[3]]
            assert page.place + head[3] == about[9] + about[7], "the page is all of the chunk"
            columns.append([meant(value, element) for value in values_of(about[1], data, head[5][1])])
        rows += zip(*columns, strict=True)
    assert len(rows) == footer[3]
    return rows


def written(*groups: list[tuple[object, ...]]) -> bytes:
    writer = ParquetWriter(COLUMNS)
    return b"".join([writer.start(), *(writer.group(rows) for rows in groups), writer.end()])


@pytest.mark.parametrize("groups", [[], [ROWS], [ROWS[:1], ROWS[1:]], [ROWS * 40] * 20])
def test_what_is_written_is_read_back(groups: list[list[tuple[object, ...]]]) -> None:
    expected = [
        (*row[:4], datetime.fromisoformat(str(row[4])), Decimal(str(row[5]))) for rows in groups for row in rows
    ]
    assert read(written(*groups)) == expected


def test_halves_of_surrogate_pairs_break_no_file() -> None:
    assert read(written([("\ud800", *ROWS[0][1:])]))[0][0] == "?"
