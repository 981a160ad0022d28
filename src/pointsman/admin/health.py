"""Health: of this process, and of what is behind it. Nothing here makes a model load or work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from pointsman.admin.models.description import address_without_secrets
from pointsman.admin.models.info import host_of
from pointsman.admin.models.visible import visible_deployments
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.upstream import Deployment
from pointsman.providers.discovery.found import FoundHost

__all__ = [
    "BacklogReply",
    "DeploymentHealth",
    "HealthQuery",
    "HealthReply",
    "HostHealth",
    "ReadinessReply",
    "backlog",
    "health",
    "liveliness",
    "readiness",
]


class HealthQuery(msgspec.Struct, frozen=True):
    """Only the deployments of one group or upstream model (``model``), or the one with an id; left out: all."""

    model: str | None = None
    model_id: str | None = None


class DeploymentHealth(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One deployment. ``source`` tells whether its server is watched or nothing is known of it."""

    model: str
    model_id: str
    model_name: str
    source: Literal["watched", "not watched"]
    api_base: str | None = None
    error: str | None = None


class HostHealth(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A local server that is watched."""

    url: str
    kind: str
    online: bool
    models: tuple[str, ...]
    version: str | None = None
    problem: str | None = None


class HealthReply(msgspec.Struct, frozen=True):
    """LiteLLM's shape, and the watched ``hosts`` (for the operator)."""

    healthy_endpoints: tuple[DeploymentHealth, ...]
    unhealthy_endpoints: tuple[DeploymentHealth, ...]
    healthy_count: int
    unhealthy_count: int
    hosts: tuple[HostHealth, ...] = ()


class ReadinessReply(msgspec.Struct, frozen=True):
    """Whether to send requests here; ``degraded`` says in sentences what does not work."""

    status: Literal["healthy", "degraded", "shutting_down"]
    db: str
    litellm_version: str
    degraded: tuple[str, ...] = ()


class BacklogReply(msgspec.Struct, frozen=True):
    """Requests for models that this process has under way."""

    in_flight_requests: int


async def health(office: Office, visit: Visit[HealthQuery, Nothing]) -> Answer:
    """The state of the deployments, as far as watching their servers tells; no model is called."""
    hosts = office.hosts()
    admin = visit.caller.admin
    healthy: list[DeploymentHealth] = []
    unhealthy: list[DeploymentHealth] = []
    for deployment in visible_deployments(office.table(), visit.caller):
        if _is_meant(deployment, visit.query):
            found = _deployment(deployment, hosts, admin=admin)
            (healthy if found.error is None else unhealthy).append(found)
    shown = tuple(_host(host) for host in hosts) if admin else ()
    return Answer(HealthReply(tuple(healthy), tuple(unhealthy), len(healthy), len(unhealthy), shown))


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


def _is_meant(deployment: Deployment, query: HealthQuery) -> bool:
    names = {None, deployment.group, deployment.model, deployment.litellm_model}
    return query.model in names and query.model_id in {None, deployment.id}


def _deployment(deployment: Deployment, hosts: Sequence[FoundHost], *, admin: bool) -> DeploymentHealth:
    host = host_of(deployment, hosts)
    problem = None if host is None or host.online else host.problem or "It does not answer."
    return DeploymentHealth(
        model=deployment.litellm_model,
        model_id=deployment.id,
        model_name=deployment.group,
        source="not watched" if host is None else "watched",
        api_base=address_without_secrets(deployment.api_base) if admin else None,
        # The server's own words may hold its address.
        error=problem if admin or problem is None else "Its server does not answer.",
    )


def _host(host: FoundHost) -> HostHealth:
    return HostHealth(
        url=address_without_secrets(host.url),
        kind=host.kind,
        online=host.online,
        models=tuple(model.name for model in host.models),
        version=host.version,
        problem=host.problem,
    )
