"""Health of this process: whether it lives, whether to send requests here, how much it has to do."""

from __future__ import annotations

from typing import Literal

import msgspec

from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit

__all__ = ["BacklogReply", "ReadinessReply", "backlog", "liveliness", "readiness"]


class ReadinessReply(msgspec.Struct, frozen=True):
    """Whether to send requests here; ``degraded`` says in sentences what does not work."""

    status: Literal["healthy", "degraded", "shutting_down"]
    db: str
    litellm_version: str
    degraded: tuple[str, ...] = ()


class BacklogReply(msgspec.Struct, frozen=True):
    """Requests for models that this process has under way."""

    in_flight_requests: int


async def liveliness(_office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """This process answers."""
    return Answer("I'm alive!")


async def readiness(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """200 if requests may be sent here, 503 if not; a gateway that is degraded still serves."""
    now = office.readiness()
    status: Literal["healthy", "degraded", "shutting_down"] = "degraded" if now.degraded else "healthy"
    if not now.ready:
        status = "shutting_down"
    return Answer(ReadinessReply(status, now.database, office.version, now.degraded), 200 if now.ready else 503)


async def backlog(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """How much this process has to do."""
    return Answer(BacklogReply(office.in_flight()))
