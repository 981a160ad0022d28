"""AWS's binary event streams (``application/vnd.amazon.eventstream``): cuts messages out of bytes, and makes them.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html. A message is its length and that of its headers (four bytes
each, big endian), the CRC32 of these eight bytes, the headers, the payload, and the CRC32 of all before it. A header is
its name behind one byte of length, one byte for the type of its value, and the value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final
from zlib import crc32

import msgspec

from pointsman.core.errors import Broken
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["EventMessage", "EventStreamParser", "Header", "HeaderKind", "write_message"]

_PRELUDE: Final = struct.Struct(">III")
_LENGTHS: Final = struct.Struct(">II")
_SUM: Final = struct.Struct(">I")
_HEADER_BYTES_MAX: Final = 128 * 1024
"""All headers of one message, as the format bounds them."""

_NOT_ONE: Final = "The upstream sent something that is not an event stream of AWS"


class HeaderKind(IntEnum):
    """The type of a header's value; the numbers are those on the wire."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INTEGER = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    UUID = 9


_NUMBERS: Final = {
    HeaderKind.BYTE: struct.Struct(">b"),
    HeaderKind.SHORT: struct.Struct(">h"),
    HeaderKind.INTEGER: struct.Struct(">i"),
    HeaderKind.LONG: struct.Struct(">q"),
    HeaderKind.TIMESTAMP: struct.Struct(">q"),
}
_UUID_BYTES: Final = 16


class Header(msgspec.Struct, frozen=True):
    """One header. A timestamp is in milliseconds since the epoch, a UUID its 16 bytes."""

    name: str
    kind: HeaderKind
    value: bool | int | bytes | str


class EventMessage(msgspec.Struct, frozen=True):
    """One message, its sums checked."""

    headers: tuple[Header, ...]
    payload: bytes

    def text(self, name: str) -> str:
        """The first header of this name, if it is a string; else the empty one."""
        return next((one.value for one in self.headers if one.name == name and isinstance(one.value, str)), "")


class EventStreamParser:
    """Gives whole messages, whatever pieces the bytes come in. Work and memory are linear in the input."""

    __slots__ = ("_kept", "_max", "_needed", "_wrong")

    def __init__(self, message_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._max = message_bytes_max
        self._kept = bytearray()
        self._needed = _PRELUDE.size
        self._wrong = ""

    def feed(self, data: bytes) -> list[EventMessage]:
        """The messages that are complete with these bytes.

        Raises:
            Broken: the bytes are no event stream, damaged, or a message over its bound. Messages before that are given
                first, by an earlier call or by this one; then the next call raises.
        """
        self._demand_sound()
        kept = self._kept
        kept += data
        messages: list[EventMessage] = []
        start = 0
        try:
            while len(kept) - start >= self._needed:
                if self._needed == _PRELUDE.size:
                    self._needed = self._read_prelude(kept, start)
                else:
                    messages.append(_read_message(bytes(kept[start : start + self._needed])))
                    start += self._needed
                    self._needed = _PRELUDE.size
        except _DamagedError as damage:
            self._wrong = f"{_NOT_ONE}: {damage}."
        del kept[:start]
        if not messages:
            self._demand_sound()
        return messages

    def end(self) -> None:
        """The stream ended.

        Raises:
            Broken: in the middle of a message, or :meth:`feed` would raise.
        """
        self._demand_sound()
        if self._kept:
            raise Broken("The upstream cut its answer off in the middle of an event.")

    def _read_prelude(self, kept: bytearray, start: int) -> int:
        """The length of the message that begins here. What it says is only believed once its sum is right."""
        total, headers, checksum = _PRELUDE.unpack_from(kept, start)
        if crc32(kept[start : start + _LENGTHS.size]) != checksum:
            raise _DamagedError("the checksum of an event's lengths is wrong")
        if headers > _HEADER_BYTES_MAX or headers > total - _PRELUDE.size - _SUM.size:
            raise _DamagedError("the lengths of an event contradict each other")
        if total > self._max:
            raise _DamagedError(f"an event is longer than {self._max} bytes")
        return int(total)

    def _demand_sound(self) -> None:
        if self._wrong:
            raise Broken(self._wrong)


class _DamagedError(Exception):
    """What is wrong with the bytes; becomes the end of a sentence."""


def _read_message(raw: bytes) -> EventMessage:
    end = len(raw) - _SUM.size
    if crc32(raw[:end]) != _SUM.unpack_from(raw, end)[0]:
        raise _DamagedError("the checksum of an event is wrong")
    headers_end = _PRELUDE.size + _LENGTHS.unpack_from(raw)[1]
    return EventMessage(tuple(_read_headers(raw[_PRELUDE.size : headers_end])), raw[headers_end:end])


def _read_headers(raw: bytes) -> Iterable[Header]:
    at = 0
    try:
        while at < len(raw):
            name_end = at + 1 + raw[at]
            name = raw[at + 1 : name_end].decode()
            kind = HeaderKind(raw[name_end])
            value, at = _read_value(kind, raw, name_end + 1)
            yield Header(name, kind, value)
    except (IndexError, ValueError, struct.error):
        raise _DamagedError("the headers of an event cannot be read") from None


def _read_value(kind: HeaderKind, raw: bytes, at: int) -> tuple[bool | int | bytes | str, int]:
    """The value that begins at ``at``, and where it ends.

    Raises:
        ValueError, struct.error: the headers end before it does, or it is no UTF-8.
    """
    if kind in {HeaderKind.TRUE, HeaderKind.FALSE}:
        return kind is HeaderKind.TRUE, at
    number = _NUMBERS.get(kind)
    if number is not None:
        value: int = number.unpack_from(raw, at)[0]
        return value, at + number.size
    length = _UUID_BYTES
    if kind is not HeaderKind.UUID:
        length = int.from_bytes(raw[at : at + 2], "big")
        at += 2
    if at + length > len(raw):
        raise ValueError
    taken = raw[at : at + length]
    return taken.decode() if kind is HeaderKind.STRING else taken, at + length


def write_message(message: EventMessage) -> bytes:
    """A message on the wire. The values fit their kinds; a name has at most 255 bytes, a string 65,535."""
    headers = b"".join(_write_header(header) for header in message.headers)
    lengths = _LENGTHS.pack(_PRELUDE.size + len(headers) + len(message.payload) + _SUM.size, len(headers))
    whole = lengths + _SUM.pack(crc32(lengths)) + headers + message.payload
    return whole + _SUM.pack(crc32(whole))


def _write_header(header: Header) -> bytes:
    name = header.name.encode()
    head = bytes([len(name)]) + name + bytes([header.kind])
    number = _NUMBERS.get(header.kind)
    if number is not None:
        return head + number.pack(header.value)
    if isinstance(header.value, bool | int):
        return head
    value = header.value.encode() if isinstance(header.value, str) else header.value
    return head + (b"" if header.kind is HeaderKind.UUID else len(value).to_bytes(2, "big")) + value
