"""Writing Parquet files of flat rows, group by group, so that a file of any size needs the memory of one group.

Source: https://parquet.apache.org/docs/file-format/ and https://github.com/apache/parquet-format (``parquet.thrift``).
Each column of a group is one data page, plain and not compressed, and no value is missing. The footer is written in
Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

__all__ = ["ParquetWriter"]

_MAGIC: Final = b"PAR1"
_TYPES: Final = {bool: 0, int: 2, float: 5, str: 6, datetime: 2, Decimal: 2}
"""BOOLEAN, INT64, DOUBLE, BYTE_ARRAY."""
_MEANINGS: Final = {str: 0, Decimal: 5, datetime: 9}
"""UTF8, DECIMAL, TIMESTAMP_MILLIS: what the bytes are to be taken for."""
_DECIMAL_SCALE: Final = 12
_DECIMAL_PRECISION: Final = 18
"""All that 64 bits hold."""
_REQUIRED: Final = 0
_PLAIN: Final = 0
_RLE: Final = 3
_UNCOMPRESSED: Final = 0
_DATA_PAGE: Final = 0

# Kinds of the compact protocol.
_I32: Final = 5
_I64: Final = 6
_BINARY: Final = 8
_LIST: Final = 9
_STRUCT: Final = 12

_Field: TypeAlias = tuple[int, int, bytes]
"""Number, kind and encoded value."""


class ParquetWriter:
    """One file, in the order :meth:`start`, any number of :meth:`group`, :meth:`end`; each gives the next bytes of it.

    ``columns`` are names with their types: bool, int (of 64 bits), float, str, datetime or Decimal. Values of datetime
    are given as texts in ISO 8601, those of Decimal as texts with at most twelve digits after the point.
    """

    def __init__(self, columns: Sequence[tuple[str, type]]) -> None:
        self._columns = [(name, kind, _TYPES[kind]) for name, kind in columns]
        self._position = 0
        self._rows = 0
        self._groups: list[bytes] = []

    def start(self) -> bytes:
        """The head of the file."""
        self._position = len(_MAGIC)
        return _MAGIC

    def group(self, rows: Sequence[Sequence[object]]) -> bytes:
        """Some rows, each with a value for every column."""
        written: list[bytes] = []
        chunks: list[bytes] = []
        start = self._position
        for (name, kind, number), values in zip(self._columns, zip(*rows, strict=True), strict=True):
            data = _plain(kind, values)
            page = _page_header(len(values), len(data)) + data
            chunks.append(_column_chunk(name, number, len(values), len(page), self._position))
            written.append(page)
            self._position += len(page)
        self._rows += len(rows)
        self._groups.append(
            _struct([
                (1, _LIST, _list(_STRUCT, chunks)),
                (2, _I64, _integer(self._position - start)),
                (3, _I64, _integer(len(rows))),
            ])
        )  # fmt: skip
        return b"".join(written)

    def end(self) -> bytes:
        """The footer, by which readers find everything."""
        root = _struct([(4, _BINARY, _binary(b"schema")), (5, _I32, _integer(len(self._columns)))])
        schema = [root, *(_schema_element(name, kind, number) for name, kind, number in self._columns)]
        footer = _struct([
            (1, _I32, _integer(1)),
            (2, _LIST, _list(_STRUCT, schema)),
            (3, _I64, _integer(self._rows)),
            (4, _LIST, _list(_STRUCT, self._groups)),
            (6, _BINARY, _binary(b"pointsman")),
        ])  # fmt: skip
        return footer + struct.pack("<I", len(footer)) + _MAGIC


def _plain(kind: type, values: Sequence[object]) -> bytes:
    if kind is bool:
        bits = sum(1 << index for index, value in enumerate(values) if value)
        return bits.to_bytes((len(values) + 7) // 8, "little")
    if kind is int:
        return struct.pack(f"<{len(values)}q", *values)
    if kind is float:
        return struct.pack(f"<{len(values)}d", *values)
    if kind is datetime:
        return _plain(int, [round(datetime.fromisoformat(str(value)).timestamp() * 1000) for value in values])
    if kind is Decimal:
        return _plain(int, [int(Decimal(str(value)).scaleb(_DECIMAL_SCALE)) for value in values])
    texts = [str(value).encode("utf-8", "replace") for value in values]
    return b"".join([struct.pack("<I", len(text)) + text for text in texts])


def _schema_element(name: str, kind: type, number: int) -> bytes:
    fields = [(1, _I32, _integer(number)), (3, _I32, _integer(_REQUIRED)), (4, _BINARY, _binary(name.encode()))]
    if kind in _MEANINGS:
        fields.append((6, _I32, _integer(_MEANINGS[kind])))
    if kind is Decimal:
        fields += [(7, _I32, _integer(_DECIMAL_SCALE)), (8, _I32, _integer(_DECIMAL_PRECISION))]
    return _struct(fields)


def _page_header(values: int, size: int) -> bytes:
    data_page = _struct([
        (1, _I32, _integer(values)),
        (2, _I32, _integer(_PLAIN)),
        (3, _I32, _integer(_RLE)),
        (4, _I32, _integer(_RLE)),
    ])  # fmt: skip
    return _struct([
        (1, _I32, _integer(_DATA_PAGE)),
        (2, _I32, _integer(size)),
        (3, _I32, _integer(size)),
        (5, _STRUCT, data_page),
    ])  # fmt: skip


def _column_chunk(name: str, number: int, values: int, size: int, position: int) -> bytes:
    metadata = _struct([
        (1, _I32, _integer(number)),
        (2, _LIST, _list(_I32, [_integer(_PLAIN)])),
        (3, _LIST, _list(_BINARY, [_binary(name.encode())])),
        (4, _I32, _integer(_UNCOMPRESSED)),
        (5, _I64, _integer(values)),
        (6, _I64, _integer(size)),
        (7, _I64, _integer(size)),
        (9, _I64, _integer(position)),
    ])  # fmt: skip
    return _struct([(2, _I64, _integer(position)), (3, _STRUCT, metadata)])


# -- Thrift's compact protocol -----------------------------------------------------------------------------


def _struct(fields: Iterable[_Field]) -> bytes:
    """Fields in rising order, each led by the step of its number and its kind."""
    written = bytearray()
    before = 0
    for number, kind, value in fields:
        written.append((number - before) << 4 | kind)
        written += value
        before = number
    written.append(0)
    return bytes(written)


def _list(kind: int, items: Sequence[bytes]) -> bytes:
    count = len(items)
    head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _varint(count)
    return head + b"".join(items)


def _integer(number: int) -> bytes:
    """A number that is not negative, zigzagged."""
    return _varint(number << 1)


def _binary(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
