"""Durations, and the edges of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.policies.durations import next_reset, seconds_of


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def told(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:19]


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("30s", 30), ("1s", 1), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("1w", 604_800), ("2w", 1_209_600)],
)
def test_a_duration_is_so_many_seconds(duration: str, seconds: int) -> None:
    assert seconds_of(duration, 0.0) == seconds_of(duration, 1_700_000_000.5) == seconds


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
    now = moment(start)
    assert told(now + seconds_of(duration, now)) == end


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
        ("2026-11-24 08:00:00", "2d", "2026-11-26T08:00:00"),
        ("2026-11-24 08:00:00", "24h", "2026-11-25T08:00:00"),
        ("2026-11-24 08:00:00", "30s", "2026-11-24T08:00:30"),
        ("2026-01-31 08:00:00", "2mo", "2026-03-31T08:00:00"),
    ],
)
def test_budgets_reset_at_the_end_of_whole_days_weeks_and_months_else_from_now_on(
    now: str, duration: str, reset: str
) -> None:
    assert told(next_reset(duration, moment(now))) == reset


@given(st.floats(0, 4_000_000_000), st.sampled_from(["1s", "5m", "1h", "1d", "2d", "7d", "1w", "30d", "1mo", "5mo"]))
def test_the_next_reset_is_always_ahead(now: float, duration: str) -> None:
    assert next_reset(duration, now) > now


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "1",
        "d",
        "0d",
        "-1d",
        "1.5h",
        "1 d",
        " 1d",
        "1d ",
        "1D",
        "1y",
        "1d\n",
        "01d",
        "\u0661d",
        "1mo2d",
        "9999999999s",
    ],
)
@pytest.mark.parametrize("read", [seconds_of, next_reset])
def test_anything_else_is_refused_with_a_hint(wrong: str, read: object) -> None:
    assert callable(read)
    with pytest.raises(Malformed, match="not a duration") as caught:
        read(wrong, 0.0)
    assert "7d" in (caught.value.hint or "")


def test_months_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(Malformed, match="9999"):
        seconds_of("999999999mo", 0.0)
    now = moment("2026-01-01 00:00:00")
    assert told(now + seconds_of(f"{(9999 - 2026) * 12 + 11}mo", now)) == "9999-12-01T00:00:00"
