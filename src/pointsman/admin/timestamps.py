"""Moments as JSON shows them: ISO 8601 in UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pointsman.core.errors import Malformed

__all__ = ["iso", "iso_or_none", "read_moment"]


def iso(moment: float) -> str:
    """Seconds since the epoch as ``2026-01-31T12:00:00.000Z``."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(moment: float | None) -> str | None:
    """As :func:`iso`, for what may not have happened."""
    return None if moment is None else iso(moment)


def read_moment(text: str, field: str) -> tuple[datetime, bool]:
    """A date or a moment in ISO 8601, UTC unless it says otherwise; and whether it was a date without a time.

    Raises:
        Malformed: neither; ``param`` is ``field``.
    """
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC), True
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC), False
    except (ValueError, OverflowError):
        raise Malformed(
            f"{field} must be a date or a time.", hint="For example 2026-01-31 or 2026-01-31T12:00:00Z.", param=field
        ) from None
