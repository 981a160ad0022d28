"""An alert is sent once, whoever noticed it; who cannot be reached is tried again; nobody learns a secret."""

from __future__ import annotations

import logging

import msgspec
import pytest

from pointsman.core.errors import StorageUnavailable
from pointsman.core.price import picodollars
from pointsman.core.secret import Secret
from pointsman.policies.alerting import Crossing
from pointsman.stores.memory.database import MemoryDatabase
from pointsman.stores.memory.directory import MemoryDirectoryStore
from pointsman.telemetry.alerts.desk import AlertDesk
from pointsman.telemetry.alerts.events import BudgetEvent, event_of, text_of
from pointsman.telemetry.alerts.senders import AlertFailed, Slack, Webhook
from tests.unit.policies.desk import FakeClock

DAY = 86_400.0


class Hearer:
    """Takes what it is told, after so many failures."""

    name = "hearer"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.heard: list[tuple[BudgetEvent, str]] = []

    async def send(self, event: BudgetEvent, text: str) -> None:
        if self.failures:
            self.failures -= 1
            raise AlertFailed("nobody is there")
        self.heard.append((event, text))


def crossing(clock: FakeClock, **values: object) -> Crossing:
    usual: dict[str, object] = {
        "kind": "threshold_crossed", "percent": 80, "scope": "team", "identity": "t", "model": "", "name": "crew",
        "spent": picodollars(8), "budget": picodollars(10), "soft": None, "duration": "1d",
        "reset_at": clock.wall() + DAY / 2, "user_id": None, "team_id": "t", "organization_id": None,
    }  # fmt: skip
    return msgspec.convert({**usual, **values}, Crossing)


def desk(clock: FakeClock, database: MemoryDatabase, *hearers: Hearer) -> tuple[AlertDesk, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    found = AlertDesk(MemoryDirectoryStore(database), clock=clock, sleep=sleep)
    found.senders = hearers
    return found, slept


async def test_two_processes_send_one_alert_and_the_next_period_another() -> None:
    clock, database = FakeClock(), MemoryDatabase()
    first, second = Hearer(), Hearer()
    (one, _), (other, _) = desk(clock, database, first), desk(clock, database, second)
    for told in (one, other, one):
        await told.tell(crossing(clock))
    assert (len(first.heard), len(second.heard)) == (1, 0)
    await other.tell(crossing(clock, percent=95))
    await one.tell(crossing(clock, percent=95))
    await other.tell(crossing(clock, reset_at=clock.wall() + DAY))
    assert (len(first.heard), len(second.heard)) == (1, 2)


async def test_who_cannot_be_reached_is_tried_again_and_then_given_up(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    patient, deaf = Hearer(failures=2), Hearer(failures=99)
    told, slept = desk(clock, MemoryDatabase(), patient, deaf)
    with caplog.at_level(logging.ERROR):
        await told.tell(crossing(clock))
    assert len(patient.heard) == 1
    assert sorted(slept) == [1.0, 1.0, 5.0, 5.0, 30.0]
    assert "could not be sent (hearer): nobody is there" in caplog.text


async def test_an_alert_is_sent_although_the_storage_is_gone() -> None:
    clock, hearer = FakeClock(), Hearer()
    told, _ = desk(clock, MemoryDatabase(), hearer)

    async def gone(*_: object) -> None:
        raise StorageUnavailable("gone")

    told._directory.insert = gone  # type: ignore[method-assign,assignment]
    await told.tell(crossing(clock))
    assert len(hearer.heard) == 1


async def test_too_many_alerts_do_not_fill_the_memory() -> None:
    clock = FakeClock()
    told, _ = desk(clock, MemoryDatabase())
    for number in range(1_005):
        told.note(crossing(clock, identity=str(number)))
    assert told.lost == 5


async def test_a_budget_that_will_last_is_not_told_of() -> None:
    clock, hearer = FakeClock(), Hearer()
    told, _ = desk(clock, MemoryDatabase(), hearer)
    half = {"kind": "projected_limit_exceeded", "percent": 50, "spent": picodollars(5)}
    await told.tell(crossing(clock, **half, reset_at=clock.wall() + DAY / 10))
    assert hearer.heard == []
    await told.tell(crossing(clock, **half, reset_at=clock.wall() + DAY * 0.9))
    ((event, _),) = hearer.heard
    assert event.projected_spend == pytest.approx(50.0)
    assert event.projected_exceeded_date is not None


def test_an_event_has_litellms_shape() -> None:
    clock = FakeClock()
    found = msgspec.to_builtins(event_of(crossing(clock), clock.wall()))
    date = found.pop("projected_exceeded_date")
    assert isinstance(date, str)
    assert found == {
        "spend": 8.0, "max_budget": 10.0, "soft_budget": None, "token": None, "customer_id": None, "user_id": None,
        "team_id": "t", "team_alias": "crew", "organization_id": None, "user_email": None, "key_alias": None,
        "model": None, "projected_spend": 16.0, "event": "threshold_crossed", "event_group": "team",
        "event_message": "Team Budget: 80% Threshold Crossed",
    }  # fmt: skip


def test_a_name_can_neither_format_nor_call_anybody() -> None:
    clock = FakeClock()
    named = crossing(clock, name="`x` <!channel> & co")
    assert "<" not in text_of(named, event_of(named, clock.wall()), clock.wall()).replace("`", "")


async def test_webhooks_are_sent_json_and_a_bad_answer_is_a_failure() -> None:
    clock = FakeClock()
    sent: list[tuple[str, bytes]] = []
    status = 200

    async def post(url: str, body: bytes) -> int:
        sent.append((url, body))
        return status

    event = event_of(crossing(clock), clock.wall())
    await Webhook(post, Secret("https://a.example/hook")).send(event, "text")
    await Slack(post, Secret("https://hooks.slack.example/T/secret")).send(event, "text")
    assert msgspec.json.decode(sent[0][1])["event"] == "threshold_crossed"
    assert msgspec.json.decode(sent[1][1]) == {"text": "text"}
    status = 500
    with pytest.raises(AlertFailed) as failed:
        await Slack(post, Secret("https://hooks.slack.example/T/secret")).send(event, "text")
    assert "secret" not in str(failed.value)
