from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.admin.durations import after, approximate_seconds
from pointsman.admin.timestamps import iso, iso_or_none, read_moment
from pointsman.core.errors import Malformed


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("duration", "start", "end"),
    [
        ("30s", "2026-01-31T00:00:00", "2026-01-31T00:00:30"),
        ("2w", "2026-01-31T00:00:00", "2026-02-14T00:00:00"),
        ("1mo", "2026-01-31T12:30:00", "2026-02-28T12:30:00"),
        ("1mo", "2024-01-31T12:30:00", "2024-02-29T12:30:00"),
        ("11mo", "2026-01-15T00:00:00", "2026-12-15T00:00:00"),
        ("12mo", "2026-12-15T00:00:00", "2027-12-15T00:00:00"),
    ],
)
def test_a_duration_is_added_in_utc(duration: str, start: str, end: str) -> None:
    assert after(duration, at(start), "duration") == at(end)


@given(st.integers(1, 10**9), st.sampled_from(["s", "m", "h", "d", "w", "mo"]))
def test_every_duration_up_to_a_century_has_an_end(number: int, unit: str) -> None:
    duration = f"{number}{unit}"
    try:
        seconds = approximate_seconds(duration, "duration")
    except Malformed:
        return
    end = after(duration, at("2026-08-31T23:59:59"), "duration")
    assert abs(end - at("2026-08-31T23:59:59") - seconds) <= seconds * 0.04 + 3 * 86_400 * (unit == "mo")
    assert iso(end).endswith("Z")


def test_a_moment_is_shown_in_utc_to_the_millisecond() -> None:
    assert iso(at("2026-01-31T12:00:00") + 0.1234) == "2026-01-31T12:00:00.123Z"
    assert iso_or_none(None) is None


@pytest.mark.parametrize(
    ("text", "moment", "is_day"),
    [
        ("2026-01-31", "2026-01-31T00:00:00", True),
        ("2026-01-31 10:00:00", "2026-01-31T10:00:00", False),
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00", False),
        ("2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00", False),
    ],
)
def test_a_moment_is_read_as_utc_unless_it_says_otherwise(text: str, moment: str, is_day: bool) -> None:
    found, without_time = read_moment(text, "start_date")
    assert (found.timestamp(), without_time) == (at(moment), is_day)
