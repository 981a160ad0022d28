"""What the spool took is there, whatever happens to the process or the disk."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.accounting.segments import SegmentReader, claim, orphans
from pointsman.accounting.spool import Spool
from pointsman.core.errors import StorageUnavailable
from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage


def call(number: int = 1, **changes: Any) -> CallRecord:
    record = CallRecord(f"c{number}", "chat", "/v1/chat/completions", 1000.0, 1001.0, usage=Usage(3, 4), cost=number)
    return msgspec.structs.replace(record, **changes)


def put(spool: Spool, *records: CallRecord) -> None:
    """Append and flush."""
    for record in records:
        spool.append(record)
    spool.flush()


def read(spool: Spool) -> list[CallRecord]:
    """What is in the files of a spool now."""
    found: list[CallRecord] = []
    for segment in spool.segments():
        reader = SegmentReader(segment.path)
        position = 0
        while (batch := reader.read(position, sealed=segment.sealed)).end != position:
            found += batch.records
            position = batch.end
        reader.close()
    return found


def remembered(spool: Spool) -> list[CallRecord]:
    """What the mover would get next without reading."""
    batches = [segment.remembered(1_000_000) for segment in spool.segments()]
    return [record for batch in batches if batch is not None for record in batch.records]


def holds(spool: Spool) -> bool:
    """Whether records wait in memory."""
    return not spool.healthy


class SteppedClock:
    def __init__(self) -> None:
        self.now = 0.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class Disk:
    """Stands in for ``os.write``: takes ``room`` bytes, then says that it is full."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.truncates = True
        self.writes = 0
        self._write = os.write
        self._truncate = os.ftruncate

    def write(self, file: int, data: bytes) -> int:
        self.writes += 1
        if self.room is None:
            return self._write(file, data)
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(file, data[: self.room])
        self.room -= written
        return written

    def ftruncate(self, file: int, size: int) -> None:
        if not self.truncates:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._truncate(file, size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "write", disk.write)
    monkeypatch.setattr(os, "ftruncate", disk.ftruncate)
    return disk


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def spool(tmp_path: Path, clock: SteppedClock, disk: Disk) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool", "worker-0", clock=clock, segment_bytes=1000, held_bytes_max=2000)
    yield spool
    disk.room = None
    spool.close()


def test_a_record_is_on_the_disk_when_flush_returns(spool: Spool) -> None:
    records = [call(1), call(2, tags=("a",), end_user="Zoë\n\x00", first_token_at=1000.5)]
    for record in records:
        put(spool, record)
    assert read(spool) == records


def test_nothing_is_written_before_the_flush_and_then_all_by_one_write(spool: Spool, disk: Disk) -> None:
    for number in range(100):
        spool.append(call(number))
    assert (disk.writes, spool.unflushed, spool.appended) == (0, 100, 100)
    assert read(spool) == []
    spool.flush()
    assert (disk.writes, spool.unflushed) == (1, 0)
    assert [record.cost for record in read(spool)] == list(range(100))
    spool.flush()
    assert disk.writes == 1


def test_many_records_do_not_wait_for_the_flush(spool: Spool, disk: Disk) -> None:
    for number in range(255):
        spool.append(call(number))
    assert disk.writes == 0
    spool.append(call(255))
    assert (disk.writes, spool.unflushed) == (1, 0)
    assert len(read(spool)) == 256


def test_closing_flushes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w")
    spool.append(call(1))
    spool.close()
    assert [record.cost for record in read(spool)] == [1]


def test_a_record_that_cannot_be_encoded_spoils_no_other(
    spool: Spool, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    odd = call(2, end_user="a\udcffb", prompt=msgspec.Raw(b"[1,\n2]"))
    put(spool, call(1), odd, call(3, cost=object()), call(4))
    assert [(record.call_id, record.end_user) for record in read(spool)] == [("c1", None), ("c2", "a?b"), ("c4", None)]
    assert (disk.writes, spool.appended, spool.lost) == (1, 4, 1)
    assert "'c3' is lost" in caplog.text


@pytest.mark.parametrize("content", [b'{"a":\n\n[1,\r\n2]}', b'"x"', b"[]"])
def test_prompts_and_replies_keep_their_meaning_on_one_line(spool: Spool, content: bytes) -> None:
    put(spool, call(1, prompt=msgspec.Raw(content)))
    put(spool, call(2, reply=msgspec.Raw(content)))
    first, second = read(spool)
    assert first.prompt is not None
    assert second.reply is not None
    assert msgspec.json.decode(first.prompt) == msgspec.json.decode(second.reply) == msgspec.json.decode(content)
    assert (first.cost, first.reply, second.prompt) == (1, None, None)


def test_files_are_for_their_owner_only(spool: Spool) -> None:
    assert stat.S_IMODE(spool.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.directory.iterdir()} == {0o600}


def test_a_full_segment_is_followed_by_another(spool: Spool) -> None:
    for number in range(20):
        put(spool, call(number))
    segments = spool.segments()
    assert len(segments) > 2
    assert [segment.sealed for segment in segments] == [True] * (len(segments) - 1) + [False]
    assert all(1000 <= segment.size < 1300 for segment in segments[:-1])
    assert [segment.size for segment in segments] == [segment.path.stat().st_size for segment in segments]
    assert [record.cost for record in read(spool)] == list(range(20))


def test_a_finished_segment_goes_when_the_ledger_has_it_whole(spool: Spool) -> None:
    for number in range(20):
        put(spool, call(number))
    first, second = spool.segments()[:2]
    spool.moved(first, first.size - 1)
    assert first.path.exists()
    spool.moved(first, first.size)
    assert not first.path.exists()
    assert spool.segments()[0] is second


def test_a_segment_that_was_moved_before_it_was_full_goes_when_it_is(spool: Spool) -> None:
    (first,) = spool.segments()
    while not first.sealed:
        put(spool, call())
        spool.moved(first, first.size)
    assert not first.path.exists()


def test_closing_leaves_nothing_when_all_was_moved(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w")
    put(spool, call())
    (segment,) = spool.segments()
    spool.moved(segment, segment.size)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_closing_leaves_for_adoption_what_was_not_moved(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w")
    put(spool, call())
    spool.close()
    (orphan,) = orphans(tmp_path, "me")
    assert (orphan.name, len(orphan.paths)) == (spool.name, 1)


def test_the_next_flush_wakes_once(spool: Spool) -> None:
    woken: list[int] = []
    spool.on_append(lambda: woken.append(1))
    put(spool, call(1))
    put(spool, call(2))
    assert woken == [1]


@pytest.mark.parametrize("room", [0, 1, 50])
def test_a_disk_that_is_full_in_the_middle_of_a_record_loses_none(
    spool: Spool, disk: Disk, clock: SteppedClock, room: int
) -> None:
    put(spool, call(1))
    disk.room = room
    put(spool, call(2))
    put(spool, call(3))
    assert holds(spool)
    assert [record.cost for record in read(spool)] == [1]
    disk.room = None
    put(spool, call(4))
    assert holds(spool), "a full disk is not asked again at once"
    clock.now += 1.0
    put(spool, call(5))
    assert not holds(spool)
    assert [record.cost for record in read(spool)] == [1, 2, 3, 4, 5]
    assert (spool.appended, spool.lost) == (5, 0)
    (segment,) = spool.segments()
    assert segment.size == segment.path.stat().st_size


@pytest.mark.parametrize("truncates", [True, False])
@pytest.mark.parametrize("whole", [0, 1, 2])
def test_what_is_written_of_a_flush_before_the_disk_is_full_stays(
    spool: Spool, disk: Disk, clock: SteppedClock, whole: int, truncates: bool
) -> None:
    put(spool, call(1))
    (segment,) = spool.segments()
    line_bytes = segment.size
    disk.truncates = truncates
    disk.room = whole * line_bytes + 20
    put(spool, call(2), call(3), call(4))
    assert segment.size == (1 + whole) * line_bytes
    assert [record.cost for record in remembered(spool)] == [1, 2, 3, 4][: 1 + whole]
    disk.room = None
    clock.now += 1.0
    put(spool, call(5))
    assert not holds(spool)
    # Twice would be no harm to the ledger, but to those who are told what it has.
    assert [record.cost for record in read(spool)] == [1, 2, 3, 4, 5]
    assert segment.size == segment.path.stat().st_size


def test_what_was_written_is_remembered_until_it_is_moved(spool: Spool) -> None:
    (segment,) = spool.segments()
    put(spool, call(1), call(2))
    first = segment.size
    put(spool, call(3))
    assert remembered(spool) == [call(1), call(2), call(3)]
    batch = segment.remembered(1)
    assert batch is not None
    assert (len(batch.records), batch.end) == (2, first)
    spool.moved(segment, first)
    assert remembered(spool) == [call(3)]
    # Between two groups that are remembered there may be lines that must be read.
    put(spool, call(4, end_user="\udcff"))
    put(spool, call(5))
    spool.moved(segment, segment.recent[0].end)
    assert segment.remembered(10) is None
    assert segment.moved < segment.read_until < segment.size


def test_too_much_is_not_remembered_but_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w")
    for number in range(20_000):
        spool.append(call(number))
    assert len(remembered(spool)) == 20_000 - 20_000 % 256
    spool.flush()
    put(spool, call(20_000))
    assert remembered(spool) == []
    put(spool, call(20_001))
    assert remembered(spool) == []
    assert [segment.read_until < segment.size for segment in spool.segments()][-1]
    assert [record.cost for record in read(spool)] == list(range(20_002))
    spool.close()


def test_many_bytes_are_not_remembered(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w")
    large = msgspec.Raw(b'"' + b"x" * 900_000 + b'"')
    for number in range(20):
        put(spool, call(number, prompt=large))
    assert sum(len(segment.recent) for segment in spool.segments()) == 1
    spool.close()


def test_half_a_record_that_cannot_be_undone_spoils_no_other(spool: Spool, disk: Disk, clock: SteppedClock) -> None:
    put(spool, call(1))
    disk.truncates = False
    for room in (30, 20):
        disk.room = room
        put(spool, call(2))
        clock.now += 1.0
    disk.room = None
    put(spool, call(3))
    assert not holds(spool)
    assert [record.cost for record in read(spool)] == [1, 2, 2, 3]
    (segment,) = spool.segments()
    assert segment.size == segment.path.stat().st_size


def test_held_records_are_bounded_and_the_lost_ones_counted(spool: Spool, disk: Disk, clock: SteppedClock) -> None:
    disk.room = 0
    for number in range(30):
        put(spool, call(number))
    assert 0 < spool.lost < 30
    disk.room = None
    clock.now += 1.0
    spool.retry()
    assert not holds(spool)
    assert len(read(spool)) == spool.appended - spool.lost
    assert [record.cost for record in read(spool)] == list(range(30 - spool.lost))


def test_lines_that_are_taken_and_given_back_keep_their_place(spool: Spool, disk: Disk, clock: SteppedClock) -> None:
    disk.room = 0
    for number in range(4):
        put(spool, call(number))
    taken = spool.take_held(2)
    assert len(taken) == 2
    spool.give_back(taken)
    disk.room = None
    clock.now += 1.0
    spool.retry()
    assert [record.cost for record in read(spool)] == [0, 1, 2, 3]


def test_a_folder_that_takes_no_more_files_lets_the_old_one_grow(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        for number in range(10):
            put(spool, call(number))
    assert len(spool.segments()) == 1
    for number in range(10, 20):
        put(spool, call(number))
    assert len(spool.segments()) > 1
    assert [record.cost for record in read(spool)] == list(range(20))


def test_text_that_is_not_unicode_is_kept_as_far_as_it_is(spool: Spool) -> None:
    put(spool, call(1, end_user="a\udcffb", tags=("\ud800",)))
    (record,) = read(spool)
    assert (record.end_user, record.tags, record.cost) == ("a?b", ("?",), 1)


def test_a_huge_record_goes_without_what_makes_it_huge(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w")
    huge = b'"' + b"x" * 2_000_000 + b'"'
    put(spool, call(1, prompt=msgspec.Raw(huge), end_user="u" * 2_000_000, tags=("t" * 9_000,) * 900))
    (record,) = read(spool)
    assert (record.cost, record.prompt, len(record.end_user or ""), len(record.tags)) == (1, None, 4096, 64)
    assert spool.segments()[0].size < 300_000
    spool.close()


def test_a_folder_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(StorageUnavailable, match="cannot be written to") as failed:
        Spool(tmp_path / "spool", "w")
    assert failed.value.hint


@pytest.mark.parametrize("owner", ["", "a/b", "..", "a.b"])
def test_an_owner_is_no_path(tmp_path: Path, owner: str) -> None:
    with pytest.raises(ValueError, match="owner"):
        Spool(tmp_path, owner)


# -- whose files they are -------------------------------------------------------------------------------


def test_a_living_process_keeps_its_files(spool: Spool) -> None:
    put(spool, call())
    assert list(orphans(spool.directory, "me")) == []


def test_two_spools_of_one_owner_do_not_meet(tmp_path: Path) -> None:
    one, other = Spool(tmp_path, "w"), Spool(tmp_path, "w")
    put(one, call(1))
    put(other, call(2))
    assert [record.cost for record in read(one)] == [1]
    assert [record.cost for record in read(other)] == [2]
    one.close()
    other.close()


def test_an_orphan_belongs_to_one_adopter_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w")
    put(spool, call())
    spool.close()
    first = orphans(tmp_path, "me")
    assert next(first).name == spool.name
    assert list(orphans(tmp_path, "you")) == []
    first.close()
    assert [orphan.name for orphan in orphans(tmp_path, "you")] == [spool.name]


def test_the_lock_of_a_name_without_files_is_removed(tmp_path: Path) -> None:
    lock = claim(tmp_path, "gone")
    assert lock is not None
    assert claim(tmp_path, "gone") is None
    os.close(lock)
    assert [orphan.paths for orphan in orphans(tmp_path, "me")] == [()]
    assert list(tmp_path.iterdir()) == []


def test_files_without_a_lock_file_are_orphans_too(tmp_path: Path) -> None:
    (tmp_path / "w-1.000001.jsonl").write_bytes(b"")
    assert [orphan.name for orphan in orphans(tmp_path, "me")] == ["w-1"]


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("rejected.jsonl", "notes.txt", "a.1.jsonl", ".lock"):
        (tmp_path / name).write_text("{}\n")
    assert list(orphans(tmp_path, "me")) == []


def test_a_lock_on_a_deleted_file_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.flock

    def quicker_adopter(file: int, flags: int) -> None:
        (tmp_path / "w.lock").unlink()
        real(file, flags)

    monkeypatch.setattr(fcntl, "flock", quicker_adopter)
    assert claim(tmp_path, "w") is None


# -- reading ---------------------------------------------------------------------------------------------


def lines_of(*records: CallRecord) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def test_a_last_line_without_its_end_is_left_for_later_or_rejected(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    whole = lines_of(call(1))
    path.write_bytes(whole + b'{"call_id":"c2"')
    reader = SegmentReader(path)
    batch = reader.read(0, sealed=False)
    assert (batch.records, batch.end) == ([call(1)], len(whole))
    assert reader.read(batch.end, sealed=False).end == batch.end
    last = reader.read(batch.end, sealed=True)
    assert (last.records, last.rejected) == ([], [b'{"call_id":"c2"'])
    assert reader.read(last.end, sealed=True).end == last.end
    reader.close()


@pytest.mark.parametrize(
    "garbage", [b"{", b"\x00" * 5000, b"[]", b'{"call_id":1}', b"\xff\xfe", b"[" * 100_000, b'{"prompt":{}}']
)
def test_a_line_that_is_no_record_spoils_no_other(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines_of(call(1)) + garbage + b"\n\n" + lines_of(call(2)))
    reader = SegmentReader(path)
    batch = reader.read(0, sealed=True)
    assert (batch.records, batch.rejected) == ([call(1), call(2)], [garbage])
    reader.close()


def test_batches_are_bounded_and_follow_one_another(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    records = list(map(call, range(5000)))
    path.write_bytes(lines_of(*records))
    reader = SegmentReader(path)
    found: list[CallRecord] = []
    batches = position = 0
    while (batch := reader.read(position, sealed=True)).end != position:
        found += batch.records
        batches += 1
        position = batch.end
    assert found == records
    assert batches > 4
    reader.close()


def test_a_long_line_is_read_whole_and_an_endless_one_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    long = call(1, prompt=msgspec.Raw(b'"' + b"x" * 900_000 + b'"'))
    path.write_bytes(lines_of(long) + b"x" * 20_000_000 + b"\n" + lines_of(call(2)))
    reader = SegmentReader(path)
    found: list[CallRecord] = []
    largest = position = 0
    while (batch := reader.read(position, sealed=True)).end != position:
        found += batch.records
        largest = max(largest, *map(len, batch.rejected), 0)
        position = batch.end
    assert found == [long, call(2)]
    assert largest <= 8 * 1024 * 1024
    reader.close()


def said(spool: Spool) -> str:
    """What is told of its trouble."""
    return spool.trouble or ""


def test_what_the_disk_refuses_and_what_is_lost_is_told_for_the_readiness(
    spool: Spool, disk: Disk, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert said(spool) == ""
    disk.room = 0
    put(spool, call(1))
    assert "(No space left on device): 1 call records are held in memory." in said(spool)
    for number in range(20):
        put(spool, call(number))
    assert spool.lost
    assert f" {spool.lost} were lost since the start" in said(spool)
    assert caplog.text.count("call records are lost") == 1
    disk.room = None
    clock.now += 2
    spool.retry()
    assert said(spool) == ""
