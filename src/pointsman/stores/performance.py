"""Calls added up by what serves them, to tell how fast and how well that goes."""

from __future__ import annotations

from math import ceil
from typing import Final, NamedTuple

import msgspec

__all__ = ["CALLS_MAX", "DeploymentUse", "PerformanceFound", "PerformanceQuery", "PerformanceRow", "calls_of_a_day"]

CALLS_MAX: Final = 100_000
"""Calls that are looked at for one question: of each day as many, the latest; of a key's calls the latest."""
_DAY_SECONDS: Final = 86_400.0


class PerformanceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls to add up: those that reached a deployment, from ``start`` to before ``end``. Filters hold together.

    ``slow_seconds`` is from when on a call counts as slow.
    """

    start: float
    end: float
    slow_seconds: float
    model_group: str | None = None
    key_token: str | None = None
    end_user: str | None = None


class PerformanceRow(msgspec.Struct, kw_only=True):
    """One day of one deployment, with one outcome: ``error_code`` is empty for calls without an error.

    ``paced`` calls have tokens, ``pace_seconds`` is the sum of their seconds for each; ``begun`` calls were streamed
    and began before they ended, ``first_seconds`` is the sum of the time that took.
    """

    day: str
    deployment_id: str
    api_base: str
    model: str
    error_code: str
    calls: int = 0
    slow: int = 0
    seconds: float = 0.0
    paced: int = 0
    pace_seconds: float = 0.0
    begun: int = 0
    first_seconds: float = 0.0


class DeploymentUse(msgspec.Struct, frozen=True):
    """What a deployment was sent within a span of time, and the tokens of it."""

    deployment_id: str
    requests: int
    tokens: int


class PerformanceFound(NamedTuple):
    """What was found. ``is_whole`` is false if there were more calls than are looked at.

    Then averages are estimates, and numbers are only of those calls.
    """

    rows: tuple[PerformanceRow, ...]
    is_whole: bool = True


def calls_of_a_day(start: float, end: float) -> int:
    """How many calls of each day are looked at, where these are the days."""
    return max(1, CALLS_MAX // max(1, ceil(end / _DAY_SECONDS) - int(start // _DAY_SECONDS)))
