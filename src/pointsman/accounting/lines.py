"""Call records as lines of JSON: many at once, and one by one where one of them is odd."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.core.outcome import CallRecord

__all__ = ["Lines", "encode_records", "split_lines"]

_log: Final = logging.getLogger("pointsman.accounting")

_RECORD_BYTES_MAX: Final = 1024 * 1024
"""A longer record goes without its prompt and reply, and with its texts and tags cut to these bounds."""
_TEXT_CHARACTERS_MAX: Final = 4_096
_TAGS_MAX: Final = 64
_ENCODER: Final = msgspec.json.Encoder()
_UNENCODABLE: Final = (UnicodeEncodeError, OverflowError, TypeError, msgspec.EncodeError)


class Lines(msgspec.Struct, frozen=True):
    """Whole lines, their number, and whether they say exactly what the records say."""

    data: bytes
    count: int
    exact: bool


def encode_records(records: Sequence[CallRecord]) -> Lines:
    """One line for each record; a record that cannot be encoded even when it is trimmed has none."""
    try:
        data = _ENCODER.encode_lines(records)
    except _UNENCODABLE:
        pass
    else:
        if data.count(b"\n") == len(records) and _lengths_are_fine(data):
            return Lines(data, len(records), exact=True)
    lines = [line for record in records if (line := _line(record))]
    return Lines(b"".join(lines), len(lines), exact=False)


def split_lines(data: bytes) -> list[bytes]:
    """The lines in ``data``, each with its end."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def _lengths_are_fine(data: bytes) -> bool:
    return len(data) <= _RECORD_BYTES_MAX or max(map(len, data.split(b"\n"))) <= _RECORD_BYTES_MAX


def _line(record: CallRecord) -> bytes:
    try:
        return _encoded(record) or _encoded(_trimmed(msgspec.structs.replace(record, prompt=None, reply=None)))
    except _UNENCODABLE as error:
        _log.error("The record of the call %.64r is lost: it cannot be encoded (%s).", record.call_id, error)
        return b""


def _encoded(record: CallRecord) -> bytes:
    """The line of a record; nothing where it is too long."""
    try:
        line = _ENCODER.encode(record)
    except UnicodeEncodeError:
        line = _ENCODER.encode(_trimmed(record))
    if len(line) > _RECORD_BYTES_MAX:
        return b""
    if record.prompt is not None or record.reply is not None:
        # They are JSON as it came. Only between its tokens can there be an end of line, and there it says nothing.
        line = line.replace(b"\n", b" ")
    return line + b"\n"


def _trimmed(record: CallRecord) -> CallRecord:
    """The record with its texts cut to a bound, and without lone surrogates, which JSON cannot hold."""
    texts = {name: value for name, value in msgspec.structs.asdict(record).items() if isinstance(value, str)}
    tags = tuple(map(_trimmed_text, record.tags[:_TAGS_MAX]))
    return msgspec.structs.replace(record, **{name: _trimmed_text(value) for name, value in texts.items()}, tags=tags)


def _trimmed_text(text: str) -> str:
    return text[:_TEXT_CHARACTERS_MAX].encode("utf-8", "replace").decode()
