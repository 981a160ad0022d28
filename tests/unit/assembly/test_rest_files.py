"""Which deployments rest, told from worker to worker through files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.assembly.rest_files import RestFiles
from pointsman.routing.rests import Rest
from tests.unit.policies.desk import FakeClock


class Ear:
    """Hears."""

    def __init__(self, board: RestFiles) -> None:
        self.heard: list[Rest] = []
        self.board = board
        board.join(self.hear)

    def hear(self, rest: Rest) -> None:
        self.heard.append(rest)

    def tell(self, deployment_id: str, seconds: float = 5.0) -> None:
        self.board.tell(Rest(deployment_id, seconds), self.hear)


def workers(directory: Path, count: int = 3) -> tuple[FakeClock, list[Ear]]:
    clock = FakeClock()
    return clock, [Ear(RestFiles(directory, worker, count, clock)) for worker in range(count)]


def look(ears: list[Ear]) -> None:
    for ear in ears:
        ear.board.look()


def test_what_one_tells_all_others_hear_once(tmp_path: Path) -> None:
    _, (one, two, three) = workers(tmp_path)
    one.tell("a")
    look([one, two, three])
    look([one, two, three])
    assert one.heard == [] and two.heard == three.heard == [Rest("a", 5.0)]
    two.tell("b")
    look([one, two, three])
    assert one.heard == [Rest("b", 5.0)] and two.heard == [Rest("a", 5.0)]


def test_a_rest_ends_for_all_at_the_same_moment(tmp_path: Path) -> None:
    clock, (one, two, _) = workers(tmp_path)
    one.tell("a", 5.0)
    clock.now += 2
    look([two])
    assert two.heard == [Rest("a", 3.0)]
    one.tell("b", 1.0)
    clock.now += 1
    look([two])
    assert len(two.heard) == 1, "it is over"


@pytest.mark.parametrize("torn", [b"{", b"\xff\n", b"[1]\n", b'{"deployment_id": 1}\n'])
def test_what_is_no_line_is_passed_over(tmp_path: Path, torn: bytes) -> None:
    _, (one, two, _) = workers(tmp_path)
    one.tell("a")
    with (tmp_path / "rests-0.jsonl").open("ab") as file:
        file.write(torn)
    look([two])
    assert two.heard == [Rest("a", 5.0)]


def test_a_file_that_grew_long_begins_anew_and_a_worker_that_starts_again_is_heard(tmp_path: Path) -> None:
    clock, (one, two, _) = workers(tmp_path)
    for number in range(6_000):
        one.tell(f"deployment-with-a-long-identity-{number}")
        if not number % 100:
            look([two])
    look([two])
    assert (tmp_path / "rests-0.jsonl").stat().st_size <= 256 * 1024
    assert two.heard[-1].deployment_id == "deployment-with-a-long-identity-5999"
    again = Ear(RestFiles(tmp_path, 0, 3, clock))
    look([two])
    again.tell("a")
    look([two])
    assert two.heard[-1] == Rest("a", 5.0)


def test_a_worker_that_starts_does_not_hear_of_former_times(tmp_path: Path) -> None:
    clock, (one, _, _) = workers(tmp_path)
    one.tell("a")
    late = Ear(RestFiles(tmp_path, 1, 3, clock))
    look([late])
    assert late.heard == []


def test_where_nothing_can_be_written_the_process_itself_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, (one, two, _) = workers(tmp_path)
    (tmp_path / "rests-0.jsonl").mkdir()
    one.tell("a")
    one.tell("b")
    look([two])
    assert two.heard == [] and caplog.text.count("cannot be written") == 1
