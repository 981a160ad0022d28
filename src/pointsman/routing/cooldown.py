"""When a deployment is to rest, and for how long."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Crowded, GatewayError, UpstreamFailed
from pointsman.routing.pool import Member
from pointsman.routing.settings import RoutingSettings

__all__ = ["blame"]

_AT_ONCE: Final = frozenset({401, 402, 403, 404, 408, 429})
"""Statuses after which the next request would fare no better (LiteLLM's, and 403)."""
_ROW_MAX: Final = 3


def blame(member: Member, error: GatewayError, settings: RoutingSettings, now: float, *, alone: bool) -> None:
    """Note a failure, and let the deployment rest if that helps: where it is ``alone``, it would help nobody."""
    if not isinstance(error, UpstreamFailed) or isinstance(error, Crowded) or error.status in {400, 413, 422}:
        return
    live = member.live
    live.failed(now, error.code)
    if alone or not settings.cools_down:
        return
    if error.status in _AT_ONCE or live.failures_in_row >= _ROW_MAX:
        seconds = max(settings.cooldown_seconds, error.retry_after or 0.0)
        live.rests_until = max(live.rests_until, now + seconds)
