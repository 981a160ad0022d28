"""Calls added up by what serves them, to tell how fast and how well that goes."""

from __future__ import annotations

import msgspec

__all__ = ["DeploymentUse", "PerformanceQuery", "PerformanceRow"]


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
