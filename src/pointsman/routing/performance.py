"""How deployments have done lately: what their live records say, and what can only be told by comparing over time.

The records are looked at every second, so that calls pay nothing for this.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, NamedTuple

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.routing.live import Live, LiveBook

__all__ = ["Performance", "PerformanceBook", "State"]

WINDOW_SECONDS: Final = 300.0
_SAMPLE_SECONDS: Final = 30.0
_SAMPLES_MAX: Final = int(WINDOW_SECONDS / _SAMPLE_SECONDS) + 1

State = Literal["healthy", "partial_outage", "outage"]
"""As LiteLLM tells them apart: all is well; the last calls failed; nothing is sent there for now."""


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment now. What is not known, as there was no traffic, is None.

    ``calls`` and ``failures`` count since the start; ``error_rate`` is the share of failures in the last five minutes.
    ``rests_seconds`` is for how much longer it is left alone, ``rests`` how often that happened, by the error's code.
    """

    state: State
    in_flight: int
    calls: int
    failures: int
    error_rate: float | None
    latency_seconds: float | None
    time_to_first_token_seconds: float | None
    tokens_per_second: float | None
    rests_seconds: float
    rests: dict[str, int]
    last_failure: str | None


class _Sample(NamedTuple):
    at: float
    calls: int
    failures: int


class _Course(msgspec.Struct):
    """What was seen of one record: samples, the oldest first, and its rests."""

    samples: deque[_Sample]
    opened_at: float = 0.0
    rests: dict[str, int] = {}


class PerformanceBook:
    """Compares the records of ``lives`` over time. Moments are monotonic seconds."""

    def __init__(self, lives: LiveBook) -> None:
        self._lives = lives
        self._courses: dict[str, _Course] = {}

    def look(self, now: float) -> None:
        """Look at every record that there is; to be called every second or so."""
        courses = self._courses
        for live in self._lives:
            course = courses.get(live.id)
            if course is None:
                if not live.calls:
                    continue
                # Whatever it counts has happened since the last look.
                course = courses[live.id] = _Course(deque([_Sample(now, 0, 0)], maxlen=_SAMPLES_MAX))
            if now - course.samples[-1].at >= _SAMPLE_SECONDS:
                course.samples.append(_Sample(now, live.calls, live.failures))
            if live.opened_at > course.opened_at:
                code = live.failure or "unknown"
                course.rests[code] = course.rests.get(code, 0) + 1
                course.opened_at = live.opened_at
        if len(courses) > len(self._lives):
            here = {live.id for live in self._lives}
            self._courses = {name: course for name, course in courses.items() if name in here}

    def of(self, deployment: Deployment, now: float) -> Performance:
        """How a deployment does."""
        live = self._lives.of(deployment)
        course = self._courses.get(live.id)
        rests = max(0.0, live.rests_until - now)
        return Performance(
            state="outage" if rests else "partial_outage" if live.failures_in_row else "healthy",
            in_flight=live.in_flight,
            calls=live.calls,
            failures=live.failures,
            error_rate=_error_rate(live, course, now),
            latency_seconds=live.latency or None,
            time_to_first_token_seconds=live.first_byte or None,
            tokens_per_second=1.0 / live.seconds_per_token if live.seconds_per_token else None,
            rests_seconds=rests,
            rests={} if course is None else dict(course.rests),
            last_failure=live.failure or None,
        )


def _error_rate(live: Live, course: _Course | None, now: float) -> float | None:
    samples = () if course is None else course.samples
    oldest = next((sample for sample in samples if now - sample.at <= WINDOW_SECONDS), None)
    if oldest is None:  # nobody has looked for long, or ever: of the whole life, if that is young
        return None if course is not None or not live.calls else live.failures / live.calls
    calls = live.calls - oldest.calls
    return (live.failures - oldest.failures) / calls if calls > 0 else None
