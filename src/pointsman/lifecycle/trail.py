"""What is noted on the way of a request, so that it can be told afterwards why it went where it went."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from pointsman.core.errors import GatewayError
from pointsman.core.trace import Dropped, FailedAttempt, RouteTrace
from pointsman.core.upstream import Deployment
from pointsman.routing.pool import Member, Pool

__all__ = ["Trail", "route_line", "usual_route_line"]

_DROPPED_MAX: Final = 16
_FAILED_MAX: Final = 32
_TEXT_CHARACTERS_MAX: Final = 256
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_UNTOLD: Final = "error"
_NOT_PLAIN: Final = re.compile(r"[^!#$&'*+./:@^_`|~0-9A-Za-z-]")
"""What must not stand in a value of our header, whose parts are parted by semicolons and commas."""


class Trail(msgspec.Struct):
    """One request's; made where there is something to decide, or when an attempt fails.

    ``candidates`` and ``dropped`` are of the last choice.
    """

    reason: str = ""
    strategy: str = ""
    candidates: int = 1
    dropped: Sequence[tuple[Member, str]] = ()
    failed: list[FailedAttempt] = []
    fallbacks: list[str] = []
    rules: tuple[str, ...] = ()

    def chose(self, pool: Pool, member: Member, reason: str, dropped: Sequence[tuple[Member, str]] = ()) -> None:
        """The last choice."""
        self.reason, self.dropped = reason, dropped
        self.strategy = "" if pool.only is not None else pool.strategy.name
        self.candidates = len(pool.members) - len(dropped)

    def goes_on(self, next_choice: Trail) -> None:
        """Another choice was made."""
        self.reason, self.strategy = next_choice.reason, next_choice.strategy
        self.candidates, self.dropped = next_choice.candidates, next_choice.dropped

    def missed(self, deployment: Deployment, error: GatewayError, seconds: float) -> None:
        """An attempt has failed."""
        if len(self.failed) < _FAILED_MAX:
            self.failed.append(FailedAttempt(deployment.id, _code(error, deployment), round(seconds * 1000.0, 1)))

    def turned_to(self, model: str) -> None:
        """It goes on with another model."""
        self.fallbacks.append(_kept(model))

    def told(self, queued_seconds: float = 0.0) -> RouteTrace:
        """What is kept, with the time for which the request waited for its turn."""
        return RouteTrace(
            self.reason,
            self.strategy,
            self.candidates,
            tuple(Dropped(member.deployment.id, _kept(reason)) for member, reason in self.dropped[:_DROPPED_MAX]),
            len(self.dropped),
            tuple(self.failed),
            tuple(self.fallbacks),
            self.rules,
            round(queued_seconds * 1000.0, 1),
        )


def usual_route_line(deployment: Deployment) -> bytes:
    """The header of an answer whose deployment was the only one, at the first attempt."""
    return b"x-pointsman-route: %b;reason=only;attempts=1\r\n" % _plain(deployment.id)


def route_line(deployment: Deployment | None, trail: Trail, attempts: int) -> bytes:
    """The header of any other answer; without a deployment, none was chosen."""
    parts = [b"none" if deployment is None else _plain(deployment.id), b"reason=" + _plain(trail.reason)]
    parts.append(b"attempts=%d" % attempts)
    if trail.fallbacks:
        parts.append(b"fallbacks=" + b",".join(map(_plain, trail.fallbacks)))
    if trail.rules:
        parts.append(b"rules=" + b",".join(map(_plain, trail.rules)))
    return b"x-pointsman-route: %b\r\n" % b";".join(parts)


def _code(error: GatewayError, deployment: Deployment) -> str:
    """The error's code, where it is a code: an upstream could write anything there, even the key it was sent."""
    code = error.code
    key = None if deployment.api_key is None else deployment.api_key.reveal()
    return _UNTOLD if _CODE.fullmatch(code) is None or (key and key in code) else code


def _kept(text: str) -> str:
    """A client may have written some of it, and what it writes need not be text that can be kept."""
    return text[:_TEXT_CHARACTERS_MAX].encode("utf-8", "replace").decode()


def _plain(text: str) -> bytes:
    return _NOT_PLAIN.sub("?", text[:_TEXT_CHARACTERS_MAX]).encode("ascii")
