"""Who listens hears of each call once, after it is recorded; some hear of those only that did not succeed."""

from __future__ import annotations

import pytest

from pointsman.core.exchange import ClientGone
from pointsman.core.outcome import CallRecord
from pointsman.lifecycle.announce import Audience
from pointsman.lifecycle.house import House
from tests.unit.lifecycle.house_script import Stage, chat_body
from tests.unit.lifecycle.openai_words import GOOD


class Listens:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.heard: list[str] = []

    def call_ended(self, record: CallRecord) -> None:
        assert record in self._stage.books.records, "told before it was recorded"
        self.heard.append(record.status)


@pytest.mark.parametrize(
    ("ending", "every", "failures"),
    [
        ("good", ["success"], []),
        ("refused by us", ["failure"], ["failure"]),
        ("refused by the upstream", ["failure"], ["failure"]),
        ("left by the client", ["cancelled"], ["cancelled"]),
    ],
)
def test_all_hear_of_a_call_that_fails_and_not_all_of_one_that_succeeds(
    ending: str, every: list[str], failures: list[str]
) -> None:
    stage = Stage()
    always, seldom = Listens(stage), Listens(stage)
    old = stage.house
    stage.house = House(
        keyring=old.keyring,
        admission=old.admission,
        router=old.router,
        lanes=old.lanes,
        sender=old.sender,
        outbox=old.outbox,
        audience=Audience([always], [seldom]),
        clock=old.clock,
        manners=old.manners,
    )
    story, _ = stage.tell(chat_body(model="nosuch" if ending == "refused by us" else "public"))
    if ending == "left by the client":
        story.interrupt(ClientGone())
    elif not story.over:
        stage.flight.answer(GOOD, 200 if ending == "good" else 400)
    assert story.over
    assert (always.heard, seldom.heard) == (every, failures)
