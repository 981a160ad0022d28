"""The files of a spool: what they are called, whose they are, and how call records are read from them.

A spool is a folder. Each process that writes there has a name of its own for its life, holds a lock on
``NAME.lock`` (``flock``, which ends with the process however it ends) and writes ``NAME.000001.jsonl`` and so on: one
call record to a line, as JSON. What cannot be read is set aside in ``rejected.jsonl``.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from pointsman.core.outcome import CallRecord

__all__ = [
    "Batch",
    "Orphan",
    "Recent",
    "Segment",
    "SegmentReader",
    "claim",
    "left_behind",
    "lock_path",
    "orphans",
    "read_lines",
    "segment_path",
]

_SEGMENT: Final = re.compile(r"(?P<name>[\w-]+)\.\d{6,}\.jsonl")
_LOCK: Final = re.compile(r"(?P<name>[\w-]+)\.lock")
_MODE: Final = 0o600
_CHUNK_BYTES: Final = 128 * 1024
"""Some 250 records; decoding them holds the event loop for less than a millisecond."""
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_LINE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Longer than any line the spool writes; more without an end of line is damage."""


class Recent(msgspec.Struct, frozen=True):
    """Records that this process still has in memory, and from where to where they are in their file."""

    start: int
    end: int
    records: list[CallRecord]


class Segment:
    """One file of this process's spool. ``size`` and ``moved`` are bytes written and bytes the ledger has.

    ``recent`` are parts of the file that need not be read, in their order; there may be others between them.
    """

    __slots__ = ("moved", "path", "recent", "sealed", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.moved = 0
        self.sealed = False
        self.recent: deque[Recent] = deque()

    def remembered(self, count: int) -> Batch | None:
        """What comes next, from memory: some ``count`` records or fewer; None where they have to be read."""
        records: list[CallRecord] = []
        end = self.moved
        for recent in self.recent:
            if recent.start != end:
                break
            records += recent.records
            end = recent.end
            if len(records) >= count:
                break
        return Batch(records, [], end) if records else None

    @property
    def read_until(self) -> int:
        """Where reading may end, since what comes then is in memory."""
        return self.recent[0].start if self.recent else self.size


class Batch(msgspec.Struct):
    """Records read, lines that could not be read, and where the next batch begins."""

    records: list[CallRecord]
    rejected: list[bytes]
    end: int


class Orphan(msgspec.Struct, frozen=True):
    """What a process left that is no more, oldest first; ours while its lock is held."""

    name: str
    paths: tuple[Path, ...]


class SegmentReader:
    """Reads call records from one file, from any place and while it grows."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._decoder = msgspec.json.Decoder(CallRecord)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def read(self, offset: int, *, sealed: bool, until: int | None = None) -> Batch:
        """The records from ``offset`` on, some hundreds at most; none: that is all there is now.

        A last line without its end is left for later, or, where nothing more will be written (``sealed``), rejected.
        ``until`` is the end of a line behind which nothing is wanted, though some may come.
        """
        size = _CHUNK_BYTES if until is None else min(_CHUNK_BYTES, until - offset)
        while True:
            chunk = os.pread(self._file, size, offset)
            end = chunk.rfind(b"\n") + 1
            if end:
                return read_lines(self._decoder, chunk[:end], offset)
            if len(chunk) < size and not sealed:
                return Batch([], [], offset)
            if len(chunk) < size or size >= _LINE_BYTES_MAX:
                return Batch([], [chunk] if chunk else [], offset + len(chunk))
            size *= 2


def read_lines(decoder: msgspec.json.Decoder[CallRecord], lines: bytes, offset: int) -> Batch:
    """The records in whole ``lines``, of which the first begins at ``offset``."""
    end = offset + len(lines)
    try:
        return Batch(decoder.decode_lines(lines), [], end)
    except _UNREADABLE:
        pass
    records: list[CallRecord] = []
    rejected: list[bytes] = []
    for line in lines.split(b"\n"):
        try:
            if line:
                records.append(_read_line(decoder, line))
        except _UNREADABLE:
            rejected.append(line)
    return Batch(records, rejected, end)


def _read_line(decoder: msgspec.json.Decoder[CallRecord], line: bytes) -> CallRecord:
    try:
        return decoder.decode(line)
    except msgspec.ValidationError:
        # msgspec does not decode to a union with Raw, so the two fields that are one are put in by hand.
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        prompt, reply = fields.pop("prompt", None), fields.pop("reply", None)
        record = decoder.decode(msgspec.json.encode(fields))
        record.prompt, record.reply = prompt, reply
        return record


def segment_path(directory: Path, name: str, number: int) -> Path:
    """Where the ``number``-th segment of the process called ``name`` is."""
    return directory / f"{name}.{number:06d}.jsonl"


def claim(directory: Path, name: str) -> int | None:
    """Take the lock of ``name`` and give its file descriptor; None if another process holds it.

    Raises:
        OSError: the lock file cannot be made or locked.
    """
    lock = os.open(lock_path(directory, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    ours = False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before may have deleted the file, and then this is a lock on nothing.
        ours = os.fstat(lock).st_nlink > 0
    except BlockingIOError:
        return None
    finally:
        if not ours:
            os.close(lock)
    return lock if ours else None


@contextmanager
def _claimed(directory: Path, name: str) -> Iterator[bool]:
    lock = claim(directory, name)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


@contextmanager
def _adopted(directory: Path, name: str) -> Iterator[Orphan | None]:
    with _claimed(directory, name) as ours:
        if not ours:
            yield None
            return
        # Listed under the lock: what was there before may have been moved by another process meanwhile.
        yield Orphan(name, tuple(sorted(directory.glob(f"{name}.*.jsonl"))))
        if not any(directory.glob(f"{name}.*.jsonl")):
            lock_path(directory, name).unlink(missing_ok=True)


def orphans(directory: Path, own_name: str) -> Generator[Orphan]:
    """The leftovers of processes that are no more; each is locked until the next is asked for.

    The lock file goes when nothing is left of a name.

    Raises:
        OSError: the folder cannot be read.
    """
    matches = [_SEGMENT.fullmatch(path.name) or _LOCK.fullmatch(path.name) for path in directory.iterdir()]
    for name in sorted({match["name"] for match in matches if match} - {own_name}):
        with _adopted(directory, name) as orphan:
            if orphan is not None:
                yield orphan


def left_behind(directory: Path, own_name: str) -> tuple[str, ...]:
    """The names of processes that are no more and left something.

    Raises:
        OSError: the folder cannot be read.
    """
    with closing(orphans(directory, own_name)) as found:
        return tuple(orphan.name for orphan in found)


def lock_path(directory: Path, name: str) -> Path:
    """The file that the process with this name holds a lock on."""
    return directory / f"{name}.lock"
