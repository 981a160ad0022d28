"""Times of a week."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pointsman.routing.schedule import weekly_time

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: object = UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("07:30", {0, 1, 2, 3, 4, 5, 6}),
        ("7:30 daily", {0, 1, 2, 3, 4, 5, 6}),
        ("07:30 mon-fri", {0, 1, 2, 3, 4}),
        ("07:30 sat,sun", {5, 6}),
        ("07:30 fri-mon,wed", {4, 5, 6, 0, 2}),
        ("07:30 tue", {1}),
    ],
)
def test_days(text: str, days: set[int]) -> None:
    read = weekly_time(text)
    assert (read.at.hour, read.at.minute, set(read.days)) == (7, 30, days)


# 2026-11-26 is a Thursday.
@pytest.mark.parametrize(
    ("text", "now", "latest"),
    [
        ("07:30 mon-fri", "2026-11-26T07:30", "2026-11-26T07:30"),
        ("07:30 mon-fri", "2026-11-26T07:29", "2026-11-25T07:30"),
        ("07:30 mon-fri", "2026-11-29T12:00", "2026-11-27T07:30"),
        ("07:30 mon-fri", "2026-11-30T07:00", "2026-11-27T07:30"),
        ("23:00 thu", "2026-11-26T22:59", "2026-11-19T23:00"),
    ],
)
def test_when_it_was_last(text: str, now: str, latest: str) -> None:
    assert weekly_time(text).latest(at(now), UTC) == at(latest)


def test_it_is_the_time_of_the_zone() -> None:
    assert weekly_time("07:30").latest(at("2026-11-26T06:40"), BERLIN) == at("2026-11-26T06:30")
    # Before and behind the change of the clocks on 2026-03-29.
    assert weekly_time("07:30").latest(at("2026-03-28T12:00"), BERLIN) == at("2026-03-28T06:30")
    assert weekly_time("07:30").latest(at("2026-03-29T12:00"), BERLIN) == at("2026-03-29T05:30")


def test_a_time_that_the_clocks_leave_out_still_comes() -> None:
    assert weekly_time("02:30").latest(at("2026-03-29T12:00"), BERLIN) == at("2026-03-29T01:30")
