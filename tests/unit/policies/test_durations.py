"""Durations, and the edges of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.policies.durations import ResetClock, approximate_seconds, ends_at, next_reset


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def told(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:19]


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("30s", 30), ("1s", 1), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("1w", 604_800), ("2w", 1_209_600)],
)
def test_a_life_is_counted_from_its_beginning(duration: str, seconds: int) -> None:
    assert ends_at(duration, 1_700_000_000.5, "duration") == 1_700_000_000.5 + seconds
    assert approximate_seconds(duration, "duration") == seconds


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-01-15 10:30:00", "1mo", "2026-02-15T10:30:00"),
        ("2026-01-31 23:59:59", "1mo", "2026-02-28T23:59:59"),
        ("2028-01-31 00:00:00", "1mo", "2028-02-29T00:00:00"),
        ("2026-03-31 00:00:00", "1mo", "2026-04-30T00:00:00"),
        ("2026-12-31 12:00:00", "1mo", "2027-01-31T12:00:00"),
        ("2026-12-01 00:00:00", "12mo", "2027-12-01T00:00:00"),
        ("2028-02-29 00:00:00", "12mo", "2029-02-28T00:00:00"),
        ("2026-11-30 00:00:00", "3mo", "2027-02-28T00:00:00"),
    ],
)
def test_a_month_is_a_month_of_the_calendar(start: str, duration: str, end: str) -> None:
    assert told(ends_at(duration, moment(start), "duration")) == end


@pytest.mark.parametrize(
    ("now", "duration", "reset"),
    [
        ("2026-11-24 00:00:00", "1d", "2026-11-25T00:00:00"),
        ("2026-11-24 23:59:59", "1d", "2026-11-25T00:00:00"),
        ("2026-12-31 13:00:00", "1d", "2027-01-01T00:00:00"),
        ("2028-02-28 13:00:00", "1d", "2028-02-29T00:00:00"),
        ("2026-11-24 08:00:00", "7d", "2026-11-30T00:00:00"),
        ("2026-11-29 23:59:59", "1w", "2026-11-30T00:00:00"),
        ("2026-11-30 00:00:00", "1w", "2026-12-07T00:00:00"),
        ("2026-11-24 08:00:00", "1mo", "2026-12-01T00:00:00"),
        ("2026-11-24 08:00:00", "30d", "2026-12-01T00:00:00"),
        ("2026-12-31 23:59:59", "1mo", "2027-01-01T00:00:00"),
        ("2026-01-31 10:00:00", "1mo", "2026-02-01T00:00:00"),
        ("2026-11-24 08:00:00", "2d", "2026-11-26T00:00:00"),
        ("2026-11-24 08:00:00", "2w", "2026-12-08T00:00:00"),
        ("2026-11-24 08:00:00", "24h", "2026-11-25T00:00:00"),
        ("2026-11-24 08:59:59", "1h", "2026-11-24T09:00:00"),
        ("2026-11-24 09:00:00", "1h", "2026-11-24T10:00:00"),
        ("2026-11-24 08:10:00", "6h", "2026-11-24T12:00:00"),
        ("2026-11-24 23:10:00", "5h", "2026-11-25T01:00:00"),
        ("2026-11-24 08:10:00", "30h", "2026-11-25T06:00:00"),
        ("2026-11-24 08:13:20", "15m", "2026-11-24T08:15:00"),
        ("2026-11-24 23:59:59", "30m", "2026-11-25T00:00:00"),
        ("2026-11-24 08:00:10", "30s", "2026-11-24T08:00:30"),
    ],
)
def test_budgets_are_reset_on_the_clock_as_in_litellm(now: str, duration: str, reset: str) -> None:
    assert told(next_reset(duration, moment(now))) == reset


@pytest.mark.parametrize(
    ("now", "duration", "reset"),
    [
        ("2026-11-24 08:00:00", "48h", "2026-11-26T00:00:00"),
        ("2026-11-24 10:10:00", "90m", "2026-11-24T10:30:00"),
        ("2026-11-24 10:30:00", "90m", "2026-11-24T12:00:00"),
        ("2026-01-31 08:00:00", "2mo", "2026-03-01T00:00:00"),
    ],
)
def test_where_litellm_would_reset_too_often_or_not_at_all_the_duration_is_kept(
    now: str, duration: str, reset: str
) -> None:
    assert told(next_reset(duration, moment(now))) == reset


@pytest.mark.parametrize(
    ("now", "duration", "reset"),
    [
        ("2026-11-24 05:00:00", "1d", "2026-11-24T06:30:00"),
        ("2026-11-24 06:30:00", "1d", "2026-11-25T06:30:00"),
        ("2026-11-30 05:00:00", "7d", "2026-11-30T06:30:00"),
        ("2026-11-30 07:00:00", "1w", "2026-12-07T06:30:00"),
        ("2026-12-01 05:00:00", "1mo", "2026-12-01T06:30:00"),
        ("2026-12-01 05:00:00", "2mo", "2027-01-01T06:30:00"),
        ("2026-12-01 07:00:00", "30d", "2027-01-01T06:30:00"),
        ("2026-11-24 05:00:00", "10d", "2026-12-04T06:30:00"),
        ("2026-11-24 05:00:00", "1h", "2026-11-24T06:00:00"),
    ],
)
def test_days_weeks_and_months_end_at_the_time_of_day_that_is_set(now: str, duration: str, reset: str) -> None:
    assert told(next_reset(duration, moment(now), ResetClock(time_of_day=time(6, 30)))) == reset


@pytest.mark.parametrize(
    ("now", "duration", "reset"),
    [
        ("2026-11-24 23:30:00", "1d", "2026-11-25T23:00:00"),
        ("2026-11-24 22:30:00", "1d", "2026-11-24T23:00:00"),
        ("2026-07-24 12:00:00", "1d", "2026-07-24T22:00:00"),
        ("2026-03-28 12:00:00", "7d", "2026-03-29T22:00:00"),
        ("2026-10-24 12:00:00", "1mo", "2026-10-31T23:00:00"),
        ("2026-07-24 12:00:00", "6h", "2026-07-24T16:00:00"),
    ],
)
def test_days_are_those_of_the_time_zone_through_summer_and_winter(now: str, duration: str, reset: str) -> None:
    assert told(next_reset(duration, moment(now), ResetClock(zone("Europe/Berlin")))) == reset


@pytest.mark.parametrize(
    ("place", "start", "duration", "resets"),
    [
        # A day of 23 hours, one of 25, and both by half an hour.
        ("Europe/Berlin", "2026-03-29 00:30", "24h", "03-30 00:00, 03-31 00:00"),
        ("Europe/Berlin", "2026-10-25 00:30", "daily", "10-26 00:00, 10-27 00:00"),
        ("Europe/Berlin", "2026-03-29 00:30", "12h", "03-29 12:00, 03-30 00:00"),
        ("Europe/Berlin", "2026-03-29 00:30", "1h", "03-29 01:00, 03-29 03:00, 03-29 04:00"),
        ("Europe/Berlin", "2026-10-25 00:30", "1h", "10-25 01:00, 10-25 02:00, 10-25 02:00, 10-25 03:00"),
        ("Australia/Lord_Howe", "2026-04-05 00:30", "24h", "04-06 00:00, 04-07 00:00"),
        ("Australia/Lord_Howe", "2026-10-04 00:30", "1h", "10-04 01:00, 10-04 02:30, 10-04 03:00"),
        ("Asia/Kathmandu", "2026-10-04 00:30", "6h", "10-04 06:00, 10-04 12:00"),
        # Days without a midnight, and a day that was left out.
        ("America/Sao_Paulo", "2018-11-03 23:30", "24h", "11-04 01:00, 11-05 00:00"),
        ("America/Sao_Paulo", "2018-11-03 23:30", "1d", "11-04 01:00, 11-05 00:00"),
        ("Africa/Cairo", "2026-04-23 12:30", "24h", "04-24 01:00, 04-25 00:00"),
        ("Pacific/Apia", "2011-12-29 12:30", "24h", "12-31 00:00, 01-01 00:00"),
    ],
)
def test_what_counts_is_what_the_clock_on_the_wall_shows(place: str, start: str, duration: str, resets: str) -> None:
    clock = ResetClock(zone(place))
    now, seen = datetime.fromisoformat(start).replace(tzinfo=clock.zone).timestamp(), []
    for _ in resets.split(", "):
        now = next_reset(duration, now, clock)
        seen.append(datetime.fromtimestamp(now, clock.zone).strftime("%m-%d %H:%M"))
    assert ", ".join(seen) == resets


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        pytest.skip("this system has no time zones")


@given(
    st.floats(1_700_000_000, 1_900_000_000),
    st.sampled_from(["90m", "1h", "5h", "24h", "48h", "1d", "3d", "7d", "30d", "2mo"]),
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "Australia/Lord_Howe"]),
)
def test_on_every_clock_the_next_reset_is_ahead(now: float, duration: str, at: time, place: str) -> None:
    assert next_reset(duration, now, ResetClock(zone(place), at.replace(microsecond=0))) > now


@pytest.mark.parametrize(
    ("word", "meaning"), [("hourly", "1h"), ("daily", "24h"), ("weekly", "7d"), (" Monthly ", "30d")]
)
def test_the_words_of_litellm_are_durations_too(word: str, meaning: str) -> None:
    now = moment("2026-11-24 08:00:00")
    assert next_reset(word, now) == next_reset(meaning, now)
    assert ends_at(word, now, "duration") == ends_at(meaning, now, "duration")


@given(
    st.floats(0, 4_000_000_000),
    st.sampled_from(["1s", "7s", "5m", "90m", "1h", "5h", "48h", "1d", "2d", "7d", "1w", "30d", "1mo", "5mo"]),
)
def test_the_next_reset_is_ahead_and_within_the_duration(now: float, duration: str) -> None:
    length = approximate_seconds(duration, "budget_duration") * (31 / 30 if duration in {"30d", "1mo", "5mo"} else 1)
    assert now < next_reset(duration, now) <= now + length + 1e-3


@given(st.integers(1, 10**9), st.sampled_from(["s", "m", "h", "d", "w", "mo"]))
def test_every_duration_up_to_a_century_has_an_end(number: int, unit: str) -> None:
    duration = f"{number}{unit}"
    try:
        seconds = approximate_seconds(duration, "duration")
    except Malformed:
        return
    start = moment("2026-08-31 23:59:59")
    end = ends_at(duration, start, "duration")
    assert abs(end - start - seconds) <= seconds * 0.04 + 3 * 86_400 * (unit == "mo")


WRONG = [
    "", "1", "d", "0d", "-1d", "1.5h", "1 d", " 1d", "1d ", "1D", "1y", "1d\n", "01d", "\u0661d", "1mo2d", "yearly",
    "9999999999s", "999999999mo", "101000d",
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_refused_by_the_name_of_the_field(wrong: str) -> None:
    readers = (
        lambda: ends_at(wrong, 0.0, "budget_duration"),
        lambda: next_reset(wrong, 0.0),
        lambda: approximate_seconds(wrong, "budget_duration"),
    )
    for read in readers:
        with pytest.raises(Malformed, match="budget_duration must be a duration") as caught:
            read()
        assert caught.value.param == "budget_duration"
        assert "7d" in (caught.value.hint or "")


@pytest.mark.parametrize("duration", ["2h", "6h", "24h"])
def test_a_time_that_the_clock_shows_twice_ends_no_budget_sooner_than_it_says(duration: str) -> None:
    havana = ResetClock(ZoneInfo("America/Havana"))  # midnight comes twice there, an hour apart
    midnight = datetime(2026, 11, 1, tzinfo=havana.zone).timestamp()
    assert next_reset(duration, midnight - 1, havana) == midnight
    assert next_reset(duration, midnight, havana) - midnight == 3_600 * (int(duration[:-1]) + 1)
    assert next_reset("1h", midnight, havana) - midnight == 3_600
