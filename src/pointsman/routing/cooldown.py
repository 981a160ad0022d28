"""When a deployment, or the key that it is reached with, is to rest, and for how long."""

from __future__ import annotations

from typing import Final

from pointsman.core.errors import Crowded, GatewayError, Unreachable, UpstreamFailed
from pointsman.routing.failures import CLIENT_TIMEOUT, Failure, kind_of
from pointsman.routing.live import Live
from pointsman.routing.pool import Member
from pointsman.routing.settings import RoutingSettings

__all__ = ["blame"]

_AT_ONCE: Final = frozenset({401, 402, 403, 404, 408, 429})
"""Statuses after which the next request would fare no better (LiteLLM's, and 403)."""
_ROW_MAX: Final = 3
_SHARE_MAX: Final = 0.5
_CALLS_MIN: Final = 5
"""LiteLLM's: of fewer calls a minute no share is worth anything."""
_REST_SECONDS_MAX: Final = 3_600.0
_NOT_ITS_FAULT: Final = frozenset({Failure.BAD_REQUEST, Failure.CONTENT_POLICY})
_EMPTY_PURSE: Final = frozenset({"billing_error", "insufficient_quota"})


def blame(member: Member, error: GatewayError, settings: RoutingSettings, sent_at: float, now: float) -> None:
    """Note the failure of what was sent at ``sent_at``, and let the deployment rest if that helps.

    An error that is about the request is an answer as good as any. That it took longer than a client allows proves
    nothing, or anybody could make it rest.
    """
    if not isinstance(error, UpstreamFailed) or isinstance(error, Crowded) or error.code == CLIENT_TIMEOUT:
        return
    live, kind = member.live, kind_of(error)
    if kind in _NOT_ITS_FAULT:
        member.answered(sent_at)
        return
    live.failed(now, error.code, kind)
    if not settings.cools_down:
        return
    own = member.deployment.cooldown_seconds
    usual = settings.cooldown_seconds if own is None else own
    seconds = max(usual, min(error.retry_after or 0.0, _REST_SECONDS_MAX))
    if live.rests_until or _trips(error, kind, live, settings):
        live.open(now, seconds)
        _blame_key(member, error, kind, seconds, now)


def _trips(error: UpstreamFailed, kind: Failure, live: Live, settings: RoutingSettings) -> bool:
    """Whether this failure is one too many; what the operator allows decides alone where it is said."""
    allowed = settings.allowed_fails_policy.get(kind)
    if allowed is not None:
        return live.recent.get(kind, 0) > allowed
    if settings.allowed_fails is not None:
        return live.recent_failures > settings.allowed_fails
    if error.status in _AT_ONCE or isinstance(error, Unreachable) or live.failures_in_row >= _ROW_MAX:
        return True
    calls = live.recent_calls
    return calls >= _CALLS_MIN and live.recent_failures > _SHARE_MAX * calls


def _blame_key(member: Member, error: UpstreamFailed, kind: Failure, seconds: float, now: float) -> None:
    credential = member.credential
    if credential is None:
        return
    if kind is Failure.RATE_LIMIT and error.code not in _EMPTY_PURSE:
        credential.limit(member.deployment.model, now + seconds)
    elif error.status in {401, 402} or error.code in _EMPTY_PURSE or _forbids_the_key(error):
        credential.refused(now, seconds)


def _forbids_the_key(error: UpstreamFailed) -> bool:
    """Whether a 403 is about the key altogether and not about one model."""
    return error.status == 403 and "model" not in f"{error.code} {error.message}".lower()
