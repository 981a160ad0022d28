"""Where call records wait for the ledger: written before the answer is finished, many by one ``write()``.

What ``write()`` took is in the kernel's hands, so a killed process loses nothing that ``flush`` returned from; only
a power cut does. When the disk refuses, records are held in memory, up to a bound, and written when it takes them.
When the file is removed under it, what is in it is written to another one (:meth:`Spool.look`).
What was written is remembered for a while, so that the mover seldom has to read it.
"""

from __future__ import annotations

import logging
import os
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pointsman.accounting.lines import Lines, encode_records, split_lines
from pointsman.accounting.segments import Recent, Segment, claim, lock_path, segment_path
from pointsman.core.clock import SYSTEM_CLOCK, Clock, short_id
from pointsman.core.errors import StorageUnavailable
from pointsman.core.outcome import CallRecord

__all__ = ["Spool"]

_log: Final = logging.getLogger("pointsman.accounting")

_MODE: Final = 0o600
_SEGMENT_BYTES: Final = 4 * 1024 * 1024
_HELD_BYTES_MAX: Final = 64 * 1024 * 1024
_UNFLUSHED_MAX: Final = 256
_REMEMBERED_RECORDS_MAX: Final = 20_000
_REMEMBERED_BYTES_MAX: Final = 16 * 1024 * 1024
"""As lines; in memory they take some three times as much."""
_RETRY_SECONDS: Final = 1.0
_CLAIMS_MAX: Final = 8
_COPIED_BYTES: Final = 256 * 1024


class Spool:
    """This process's part of the spool in ``directory``; ``owner`` (letters, digits, - and _) tells people whose.

    Belongs to one thread. ``appended`` counts all records that were taken, ``lost`` those of them that could be
    neither written nor held.

    Raises:
        StorageUnavailable: the folder cannot be made or written to.
        ValueError: ``owner`` has other characters.
    """

    def __init__(
        self,
        directory: Path,
        owner: str,
        *,
        clock: Clock = SYSTEM_CLOCK,
        segment_bytes: int = _SEGMENT_BYTES,
        held_bytes_max: int = _HELD_BYTES_MAX,
    ) -> None:
        if not re.fullmatch(r"[\w-]+", owner):
            message = f"a spool's owner is letters, digits, - and _, not {owner!r}"
            raise ValueError(message)
        self.directory = directory
        self._owner = owner
        self.appended = 0
        self.lost = 0
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._held_bytes_max = held_bytes_max
        self._unflushed: list[CallRecord] = []
        self._remembered_records = 0
        self._remembered_bytes = 0
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._retry_at = 0.0
        self._failing = False
        self._reason: str | None = None
        self._homeless: str | None = None
        self._full = False
        self._torn_bytes = 0
        self._wake: Callable[[], None] | None = None
        self._segments: deque[Segment] = deque()
        self._number = 0
        self._file: int
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.name, self._lock = _fresh_name(directory, owner)
            self._begin_segment()
        except OSError as error:
            raise StorageUnavailable(
                f"The spool {directory} cannot be written to ({error.strerror}).",
                hint="Check that the folder belongs to the user who runs the gateway and that its disk has room.",
            ) from error

    # -- writing ---------------------------------------------------------------------------------------

    def append(self, record: CallRecord) -> None:
        """Take a record, which must not be changed any more. It is safe when :meth:`flush` has returned.

        That is left to the caller, who knows how many records belong to one turn of the event loop and when the
        first answer leaves; but no more than 256 wait for it.
        """
        self.appended += 1
        unflushed = self._unflushed
        unflushed.append(record)
        if len(unflushed) >= _UNFLUSHED_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what was taken, by one ``write()``. Never raises for want of a disk; see :attr:`healthy`."""
        records = self._unflushed
        if not records:
            return
        self._unflushed = []
        lines = encode_records(records)
        self.lost += len(records) - lines.count
        if self._held:
            self._hold(lines.data)
            self.retry()
        else:
            self._write_or_hold(records, lines)
        wake = self._wake
        if wake is not None:
            self._wake = None
            wake()

    def retry(self) -> None:
        """Write what is held, unless that failed a moment ago."""
        now = self._clock.monotonic()
        if not self._held or now < self._retry_at:
            return
        while self._held:
            if not self._write(self._held[0]):
                self._retry_at = now + _RETRY_SECONDS
                return
            self._held_bytes -= len(self._held.popleft())
        if self._current.size >= self._limit:
            self._rotate()

    def _write_or_hold(self, records: list[CallRecord], lines: Lines) -> None:
        segment, data = self._current, lines.data
        start = segment.size
        written = self._write(data)
        if written < len(data):
            self._hold(data[written:])
            records = records[: data.count(b"\n", 0, written)]
        if lines.exact and records:
            self._remember(segment, Recent(start, segment.size, records))
        if segment.size >= self._limit:
            self._rotate()

    def _write(self, lines: bytes) -> int:
        """Write lines, and give the number of bytes in those that are in the file as a whole."""
        data = b"\n" + lines if self._torn_bytes else lines
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self._tell(error.strerror)
            return 0
        if written < len(data):
            self._tell("only part of what there was to write was written")
            return self._mend(data, written, len(data) - len(lines))
        self._current.size += self._torn_bytes + written
        self._torn_bytes = 0
        if self._failing:
            self._failing = self._full = False
            _log.warning("The spool %s can be written to again.", self.directory)
        return len(lines)

    def _mend(self, data: bytes, written: int, mark_bytes: int) -> int:
        """Undo what was written of a torn line, or end that line with the next write; see :meth:`_write`.

        ``data`` begins with ``mark_bytes`` that end the line torn before.
        """
        whole = max(data.rfind(b"\n", 0, written) + 1, mark_bytes)
        if whole > mark_bytes:
            self._current.size += self._torn_bytes + whole
            self._torn_bytes = 0
            written -= whole
        try:
            os.ftruncate(self._file, self._current.size)
            self._torn_bytes = 0
        except OSError:
            self._torn_bytes += written
        return whole - mark_bytes

    def _tell(self, reason: str | None) -> None:
        self._reason = reason
        if not self._failing:
            self._failing = True
            _log.error("The spool %s cannot be written to (%s); records are held in memory.", self.directory, reason)

    def _hold(self, lines: bytes) -> None:
        if not self._held:
            self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
        for line in split_lines(lines):
            if self._held_bytes + len(line) > self._held_bytes_max:
                if not self._full:
                    self._full = True
                    _log.error("The spool %s holds as much in memory as it may: call records are lost.", self.directory)
                self.lost += 1
            else:
                self._held.append(line)
                self._held_bytes += len(line)

    # -- memory of what was written --------------------------------------------------------------------

    def _remember(self, segment: Segment, recent: Recent) -> None:
        segment.recent.append(recent)
        self._remembered_records += len(recent.records)
        self._remembered_bytes += recent.end - recent.start
        if self._remembered_records > _REMEMBERED_RECORDS_MAX or self._remembered_bytes > _REMEMBERED_BYTES_MAX:
            # The ledger is away or slow. All of it is in the files, and is read from there when the time comes.
            for each in self._segments:
                self._forget(each, each.size)

    def _forget(self, segment: Segment, end: int) -> None:
        """Forget what begins before ``end``."""
        while segment.recent and segment.recent[0].start < end:
            recent = segment.recent.popleft()
            self._remembered_records -= len(recent.records)
            self._remembered_bytes -= recent.end - recent.start

    # -- segments --------------------------------------------------------------------------------------

    @property
    def _current(self) -> Segment:
        return self._segments[-1]

    def look(self) -> None:
        """Go on in another file where the present one is gone from its folder, with what the ledger has not got of it.

        Never raises for want of a folder; see :attr:`trouble`.
        """
        try:
            if not self._current.path.exists():
                self._move_house()
        except OSError as error:
            if self._homeless is None:
                _log.error("The spool %s cannot be looked at or made again (%s).", self.directory, error.strerror)
            self._homeless = error.strerror or "unknown error"
        else:
            self._homeless = None

    def _move_house(self) -> None:
        """What is open can still be read, though it has no name any more."""
        old, file, lock, name = self._current, self._file, self._lock, self.name
        _log.error("%s is gone; call records are written to another file from now on.", old.path)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not lock_path(self.directory, name).exists():
            # Somebody who looks for what dead processes left would take ours for that.
            name, lock = _fresh_name(self.directory, self._owner)
        path = segment_path(self.directory, name, self._number + 1)
        fresh = _made(path)
        try:
            _copy(file, old.moved, old.size, fresh)
        except OSError:
            os.close(fresh)
            path.unlink(missing_ok=True)
            if lock != self._lock:
                os.close(lock)
            raise
        segment = Segment(path)
        segment.size = old.size - old.moved
        for one in old.recent:
            segment.recent.append(Recent(one.start - old.moved, one.end - old.moved, one.records))
        self._segments[-1] = segment
        os.close(file)
        if lock != self._lock:
            os.close(self._lock)
        self.name, self._lock, self._file = name, lock, fresh
        self._number += 1
        self._limit = self._segment_bytes
        self._torn_bytes = 0

    def _begin_segment(self) -> None:
        path = segment_path(self.directory, self.name, self._number + 1)
        self._file = _made(path)
        self._number += 1
        self._segments.append(Segment(path))
        self._limit = self._segment_bytes
        self._torn_bytes = 0

    def _rotate(self) -> None:
        old, file = self._current, self._file
        try:
            self._begin_segment()
        except OSError as error:
            _log.warning("The spool %s cannot begin another file (%s); going on with this.", old.path, error.strerror)
            self._limit += self._segment_bytes
            return
        os.close(file)
        old.sealed = True
        if old.moved >= old.size:
            self._discard(old)

    def _discard(self, segment: Segment) -> None:
        self._forget(segment, segment.size)
        self._segments.remove(segment)
        segment.path.unlink(missing_ok=True)

    # -- for the mover -----------------------------------------------------------------------------------

    @property
    def unflushed(self) -> int:
        """How many records wait for :meth:`flush`."""
        return len(self._unflushed)

    @property
    def healthy(self) -> bool:
        """Whether the disk took all that it was to take; else it waits in memory."""
        return not self._held

    @property
    def trouble(self) -> str | None:
        """What is wrong with the disk, and what became of the records, in a sentence; None: nothing."""
        if self._homeless is not None:
            said = f"The spool {self.directory} is gone and cannot be made again ({self._homeless})"
            return f"{said}: what it has of calls would be lost if the gateway ended now."
        if not self._held:
            return None
        lost = f" {self.lost} were lost since the start, as no more may be held." if self._full else ""
        said = f"The spool {self.directory} cannot be written to ({self._reason})"
        return f"{said}: {len(self._held)} call records are held in memory.{lost}"

    def segments(self) -> tuple[Segment, ...]:
        """The files of this process, oldest first; the last one is being written."""
        return tuple(self._segments)

    def moved(self, segment: Segment, end: int) -> None:
        """The ledger has this segment up to ``end``; a finished one that it has whole is deleted."""
        segment.moved = end
        self._forget(segment, end)
        if segment.sealed and end >= segment.size:
            self._discard(segment)

    def take_held(self, count: int) -> list[bytes]:
        """Take out at most ``count`` lines that are held, to bring them to the ledger past the disk."""
        lines = [self._held.popleft() for _ in range(min(count, len(self._held)))]
        self._held_bytes -= sum(map(len, lines))
        return lines

    def give_back(self, lines: list[bytes]) -> None:
        """Hold lines again that were taken."""
        self._held.extendleft(reversed(lines))
        self._held_bytes += sum(map(len, lines))

    def on_append(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, at the next flush that has records."""
        self._wake = wake

    def close(self) -> None:
        """Write what was taken and let go; what is not moved yet, the next process adopts."""
        self.flush()
        self._retry_at = 0.0
        self.retry()
        if self._held:
            self.lost += len(self._held)
            _log.error("%d call records are lost: the spool %s refused them.", len(self._held), self.directory)
        os.close(self._file)
        for segment in self.segments():
            if segment.moved >= segment.size:
                self._discard(segment)
        if not self._segments:
            (self.directory / f"{self.name}.lock").unlink(missing_ok=True)
        os.close(self._lock)


def _made(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, _MODE)


def _copy(source: int, start: int, end: int, target: int) -> None:
    """Append the bytes of one open file from ``start`` to ``end`` to another.

    Raises:
        OSError: not all of them could be.
    """
    while start < end:
        chunk = os.pread(source, min(_COPIED_BYTES, end - start), start)
        if not chunk:
            raise OSError(None, "the file that is gone is shorter than it was")
        start += os.write(target, chunk)


def _fresh_name(directory: Path, owner: str) -> tuple[str, int]:
    """A name that nobody had before, and the file descriptor of its lock."""
    for _ in range(_CLAIMS_MAX):
        name = short_id(f"{owner}-")
        # Another process that looks for orphans may be quicker to lock what was just made, and then delete it.
        lock = claim(directory, name)
        if lock is not None:
            return name, lock
    message = "its lock files are taken by others again and again"
    raise OSError(None, message)
