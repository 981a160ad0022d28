"""``GET /health``: the state of the deployments, in LiteLLM's shape. No model is called for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pointsman.admin.models.description import address_without_secrets
from pointsman.admin.models.visible import visible_deployments
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso
from pointsman.core.address import without_address
from pointsman.core.errors import NotFound
from pointsman.core.upstream import Deployment
from pointsman.policies.access import may_use
from pointsman.policies.principal import Principal
from pointsman.providers.discovery.found import FoundHost
from pointsman.providers.health import Verdict
from pointsman.routing.performance import Performance

__all__ = ["DeploymentHealth", "HealthQuery", "HealthReply", "HostHealth", "health", "told_error", "visible_and_wild"]

_NOTICE: Final = ("litellm-health-field-notice", "api_base is admin-only on this endpoint")


class HealthQuery(msgspec.Struct, frozen=True):
    """Only the deployments of one group or upstream model (``model``), or the one with an id; left out: all."""

    model: str | None = None
    model_id: str | None = None


class DeploymentHealth(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One deployment.

    ``source`` tells how its state is known: it was ``checked`` by a question that costs nothing, its server is
    ``watched``, a request was answered well a moment ago (``traffic``), or nobody has looked (``not checked``).
    ``hop`` is where the way to it ends, as in ``pointsman doctor``; ``notes`` are what may be wrong. ``api_base`` and
    ``hint`` are for the operator.
    """

    model: str
    model_id: str
    model_name: str
    custom_llm_provider: str | None = None
    mode: str | None = None
    source: str | None = None
    checked_at: str | None = None
    response_time_ms: float | None = None
    api_base: str | None = None
    error: str | None = None
    hop: str | None = None
    hint: str | None = None
    notes: tuple[str, ...] = ()


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


async def health(office: Office, visit: Visit[HealthQuery, Nothing]) -> Answer:
    """What is known, or found out within seconds. 503 where one model is asked for and no deployment of it is well."""
    admin, query = visit.caller.admin, visit.query
    wanted = _wanted(visible_and_wild(office, visit.caller), query)
    verdicts = await office.health.verdicts(wanted, visit.caller.record.user_id or visit.caller.record.token)
    details = office.health.settings.details
    rows = [
        (
            verdicts[one.id].healthy,
            _row(one, verdicts[one.id], admin=admin, details=details, rest=_rest(office.performance(one))),
        )
        for one in wanted
    ]
    healthy = tuple(row for is_healthy, row in rows if is_healthy)
    unhealthy = tuple(row for is_healthy, row in rows if not is_healthy)
    hosts = tuple(_host(host) for host in office.hosts()) if admin else ()
    asks_for_one = query.model is not None or query.model_id is not None
    return Answer(
        HealthReply(healthy, unhealthy, len(healthy), len(unhealthy), hosts),
        503 if asks_for_one and not healthy else 200,
        headers=() if admin else (_NOTICE,),
    )


def visible_and_wild(office: Office, caller: Principal) -> Iterator[Deployment]:
    """Every deployment that the key may use, and those that stand for wildcard entries."""
    yield from visible_deployments(office.table(), caller)
    for one in office.wildcards():
        if may_use(caller, one.group, one.group, one.access_groups):
            yield one


def told_error(deployment: Deployment, verdict: Verdict, *, admin: bool) -> str | None:
    """What is wrong; where the upstream is, only the operator learns."""
    error = verdict.error
    return error if admin or error is None else without_address(error, deployment.api_base, deployment.group)


def _wanted(deployments: Iterable[Deployment], query: HealthQuery) -> Sequence[Deployment]:
    """The deployments that are asked about.

    Raises:
        NotFound: an id is given that none has.
    """
    seen = list(deployments)
    if query.model_id is not None:
        found = [one for one in seen if one.id == query.model_id]
        if not found:
            raise NotFound("There is no deployment with this id.", hint="GET /model/info has all.", param="model_id")
        return found
    names = {query.model}
    return [one for one in seen if query.model is None or names & {one.group, one.model, one.litellm_model}]


def _rest(performance: Performance) -> tuple[str, ...]:
    """That it rests now, if it does."""
    if not performance.rests_seconds:
        return ()
    return (f"It rests for {performance.rests_seconds:.0f} s more, after {performance.last_failure or 'failures'}.",)


def _row(
    deployment: Deployment, verdict: Verdict, *, admin: bool, details: bool, rest: tuple[str, ...]
) -> DeploymentHealth:
    row = DeploymentHealth(model=deployment.litellm_model, model_id=deployment.id, model_name=deployment.group)
    if not details:
        return row
    return msgspec.structs.replace(
        row,
        custom_llm_provider=deployment.provider,
        mode=deployment.mode,
        source=verdict.source,
        checked_at=iso(verdict.at),
        response_time_ms=round(verdict.seconds * 1000.0, 3) if verdict.seconds else None,
        api_base=address_without_secrets(deployment.api_base) if admin else None,
        error=told_error(deployment, verdict, admin=admin),
        hop=verdict.hop,
        hint=verdict.hint if admin else None,
        notes=(*verdict.notes, *rest) if admin else (),
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
