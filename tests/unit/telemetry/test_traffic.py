"""What several workers counted is shown as one."""

from __future__ import annotations

from pathlib import Path

from pointsman.core.outcome import CallRecord
from pointsman.core.usage import Usage
from pointsman.lifecycle.bulkheads import BulkheadCounts
from pointsman.lifecycle.tally import Tally
from pointsman.lifecycle.traffic import TrafficCounts
from pointsman.lifecycle.ways import RuleCounts
from pointsman.telemetry.traffic import TrafficBook


def counts(calls: int) -> TrafficCounts:
    tally = Tally()
    for _ in range(calls):
        tally.add(CallRecord("c", "o", "/r", 1.0, 1.2, 1.1, usage=Usage(3, 4), cost=5))
    model = RuleCounts(arms={"canary": tally}, asked=calls, second=1, shared=2)
    return TrafficCounts({"chat": model}, {"openai": BulkheadCounts(calls, 1, 2)})


def books(directory: Path, *own: TrafficCounts) -> list[TrafficBook]:
    made = []
    for worker, one in enumerate(own):
        book = TrafficBook(lambda one=one: one)  # type: ignore[misc]
        book.share(directory, worker, len(own))
        made.append(book)
    return made


def test_alone_a_process_shows_its_own() -> None:
    found = TrafficBook(lambda: counts(3)).gathered()
    assert found.models["chat"].arms["canary"].calls == 3 and found.bulkheads["openai"].in_flight == 3


def test_the_counts_of_all_workers_are_added_up(tmp_path: Path) -> None:
    first, second = books(tmp_path / "run", counts(3), counts(4))
    second.save()
    for _ in range(2):
        found = first.gathered()
        tally = found.models["chat"].arms["canary"]
        assert (tally.calls, tally.prompt_tokens, tally.cost, tally.latency.number) == (7, 21, 35, 7)
        assert (found.models["chat"].asked, found.models["chat"].second, found.models["chat"].shared) == (7, 2, 4)
        assert (found.bulkheads["openai"].in_flight, found.bulkheads["openai"].refused) == (7, 4)


def test_what_a_former_process_left_or_nobody_can_read_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / "traffic-0.msgpack").write_bytes(b"old")
    (tmp_path / "traffic-1.msgpack").write_bytes(b"broken")
    book = TrafficBook(lambda: counts(1))
    book.share(tmp_path, 0, 2)
    assert book.gathered().models["chat"].asked == 1 and not (tmp_path / "traffic-0.msgpack").exists()


def test_without_rules_nothing_is_written(tmp_path: Path) -> None:
    book = TrafficBook(TrafficCounts)
    book.share(tmp_path, 0, 2)
    book.save()
    assert list(tmp_path.iterdir()) == []
