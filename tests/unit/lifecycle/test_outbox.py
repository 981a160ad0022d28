"""Records are safe before answers are complete; a turn's records take one write; nothing waits for nobody."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.core.outcome import CallRecord
from pointsman.lifecycle.outbox import Outbox


class Scene:
    """A journal, a connection, a crowd and a loop, in one, with what happened in order."""

    def __init__(self, in_flight: int = 0) -> None:
        self.in_flight = in_flight
        self.happened: list[str] = []
        self.turns: list[Callable[[], None]] = []
        self.outbox = Outbox(self, self.turns.append, self)

    def append(self, record: CallRecord) -> None:
        self.happened.append(f"took {record.call_id}")

    def flush(self) -> None:
        self.happened.append("safe")

    def leave(self, data: bytes) -> None:
        self.happened.append(f"left {data.decode()}")

    def end(self, name: str, *, answered: bool = True) -> None:
        self.outbox.keep(CallRecord(name, "acompletion", "/chat/completions", 1.0))
        if answered:
            self.outbox.post(self, name.encode())
        self.outbox.gathered()

    def turn(self) -> None:
        turns, self.turns[:] = list(self.turns), []
        for turn in turns:
            turn()


def test_a_lone_answer_leaves_at_once_and_behind_its_record() -> None:
    scene = Scene()
    scene.end("a")
    assert scene.happened == ["took a", "safe", "left a"]
    assert scene.turns == []


def test_the_answers_of_a_busy_turn_leave_together_behind_one_write() -> None:
    scene = Scene(in_flight=3)
    for name in "abc":
        scene.end(name)
    assert scene.happened == ["took a", "took b", "took c"]
    assert len(scene.turns) == 1
    scene.turn()
    assert scene.happened[3:] == ["safe", "left a", "left b", "left c"]


def test_the_last_of_a_crowd_takes_the_waiting_along() -> None:
    scene = Scene(in_flight=1)
    scene.end("a")
    scene.in_flight = 0
    scene.end("b")
    assert scene.happened == ["took a", "took b", "safe", "left a", "left b"]
    scene.turn()
    assert "left" not in "".join(scene.happened[5:]), "nothing leaves twice"


def test_a_record_without_an_answer_is_made_safe_too() -> None:
    scene = Scene(in_flight=2)
    scene.end("gone", answered=False)
    scene.turn()
    assert scene.happened == ["took gone", "safe"]


def test_each_turn_asks_for_the_next_anew() -> None:
    scene = Scene(in_flight=2)
    scene.end("a")
    scene.turn()
    scene.end("b")
    assert len(scene.turns) == 1
    scene.turn()
    assert scene.happened == ["took a", "safe", "left a", "took b", "safe", "left b"]


def test_an_answer_that_ends_another_story_while_it_leaves_is_not_lost() -> None:
    scene = Scene(in_flight=1)

    class Closing:
        def leave(self, data: bytes) -> None:
            scene.happened.append(f"closed {data.decode()}")
            scene.end("next")

    scene.outbox.post(Closing(), b"a")
    scene.outbox.gathered()
    scene.turn()
    scene.turn()
    assert scene.happened == ["safe", "closed a", "took next", "safe", "left next"]
