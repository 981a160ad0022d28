"""News told from worker to worker through files: for one, which deployments rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.assembly.news_files import NewsFiles
from pointsman.assembly.rest_news import RestNews
from pointsman.routing.rests import Rest
from tests.unit.policies.desk import FakeClock


class Ear:
    """Hears."""

    def __init__(self, board: NewsFiles) -> None:
        self.heard: list[Rest] = []
        self.board = board
        self.rests = RestNews(board)
        self.rests.join(self.hear)

    def hear(self, rest: Rest) -> None:
        self.heard.append(rest)

    def tell(self, deployment_id: str, seconds: float = 5.0) -> None:
        self.rests.tell(Rest(deployment_id, seconds), self.hear)


def workers(directory: Path, count: int = 3) -> tuple[FakeClock, list[Ear]]:
    clock = FakeClock()
    return clock, [Ear(NewsFiles(directory, worker, count, clock)) for worker in range(count)]


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


def test_old_news_is_no_news(tmp_path: Path) -> None:
    clock, (one, two, _) = workers(tmp_path)
    one.tell("a", 60.0)
    clock.now += 6
    look([two])
    assert two.heard == []


@pytest.mark.parametrize("torn", [b"{", b"\xff\n", b"[1]\n", b'{"at": 1, "topic": 1, "body": null}\n'])
def test_what_is_no_line_is_passed_over(tmp_path: Path, torn: bytes) -> None:
    _, (one, two, _) = workers(tmp_path)
    one.tell("a")
    with (tmp_path / "news-0.jsonl").open("ab") as file:
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
    assert (tmp_path / "news-0.jsonl").stat().st_size <= 256 * 1024
    assert two.heard[-1].deployment_id == "deployment-with-a-long-identity-5999"
    again = Ear(NewsFiles(tmp_path, 0, 3, clock))
    look([two])
    again.tell("a")
    look([two])
    assert two.heard[-1] == Rest("a", 5.0)


def test_a_worker_that_starts_does_not_hear_of_former_times(tmp_path: Path) -> None:
    clock, (one, _, _) = workers(tmp_path)
    one.tell("a")
    late = Ear(NewsFiles(tmp_path, 1, 3, clock))
    look([late])
    assert late.heard == []


def test_where_nothing_can_be_written_the_process_itself_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, (one, two, _) = workers(tmp_path)
    (tmp_path / "news-0.jsonl").mkdir()
    one.tell("a")
    one.tell("b")
    look([two])
    assert two.heard == [] and caplog.text.count("cannot be written") == 1
