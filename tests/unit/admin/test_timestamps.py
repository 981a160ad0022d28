from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pointsman.admin.timestamps import iso, iso_or_none, read_moment


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


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
