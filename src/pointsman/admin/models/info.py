"""``/model/info`` and ``/model_group/info``: LiteLLM's descriptions of deployments and groups, without secrets.

Of ``litellm_params`` only what is listed here is shown: pinned body fields and headers may hold credentials, so they
are not. ``model_info`` is written to be shown, so what we do not know of it is, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.admin.models.description import (
    address_without_secrets,
    capability_flags,
    described,
    prices,
    smallest,
)
from pointsman.admin.models.of_team import let_by
from pointsman.admin.models.visible import visible_deployments, visible_expansions, visible_groups
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.admin.timestamps import iso
from pointsman.core.errors import NotFound
from pointsman.core.upstream import Deployment
from pointsman.providers.health import Verdict
from pointsman.providers.mapping import supported_by_kind
from pointsman.routing.performance import Performance

__all__ = [
    "ModelGroupInfo",
    "ModelGroupQuery",
    "ModelGroupReply",
    "ModelInfoQuery",
    "ModelInfoReply",
    "ModelInfoRow",
    "ShownModelInfo",
    "ShownParams",
    "info_rows",
    "model_group_info",
    "model_info",
]

_ROWS_AT_A_TIME: Final = 64


class ModelInfoQuery(msgspec.Struct, frozen=True):
    """One deployment by its id; left out: all, or those that a team may use, or that are not known to be ill.

    What the caller may use through its team is there anyway (``include_team_models``).
    """

    litellm_model_id: str | None = None
    teamId: str | None = None  # noqa: N815 - as LiteLLM writes it
    healthy_only: bool = False
    include_team_models: bool = False


class ModelGroupQuery(msgspec.Struct, frozen=True):
    """One group by its name; left out: all."""

    model_group: str | None = None


class ShownParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """``litellm_params`` as far as they may be shown. ``api_base`` is for the operator only."""

    model: str
    custom_llm_provider: str
    api_base: str | None = None
    weight: float | None = None
    max_parallel_requests: int | None = None


class ShownModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """``model_info``; in JSON the ``supports_…`` flags stand beside these.

    Health and performance are for the operator: they tell of what others do.
    """

    id: str
    db_model: bool
    mode: str
    key: str
    litellm_provider: str
    max_tokens: int | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    input_cost_per_token: float | None
    output_cost_per_token: float | None
    cache_read_input_token_cost: float | None
    cache_creation_input_token_cost: float | None
    access_groups: tuple[str, ...]
    discovered: bool
    local: bool
    supported_openai_params: tuple[str, ...] | None
    health_status: str | None = None
    performance: Performance | None = None


class ModelInfoRow(msgspec.Struct, frozen=True):
    """One deployment."""

    model_name: str
    litellm_params: ShownParams
    model_info: ShownModelInfo


class ModelInfoReply(msgspec.Struct, frozen=True):
    """The deployments that the caller may use."""

    data: tuple[ModelInfoRow, ...]


class ModelGroupInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One group: what every deployment of it can do, and the highest price. Flags stand beside these in JSON."""

    model_group: str
    providers: tuple[str, ...]
    mode: str
    max_input_tokens: int | None
    max_output_tokens: int | None
    input_cost_per_token: float | None
    output_cost_per_token: float | None
    supported_openai_params: tuple[str, ...]
    health_status: str | None
    health_response_time: float | None = None
    health_checked_at: str | None = None


class ModelGroupReply(msgspec.Struct, frozen=True):
    """The groups that the caller may use."""

    data: tuple[ModelGroupInfo, ...]


async def model_info(office: Office, visit: Visit[ModelInfoQuery, Nothing]) -> Answer:
    """What is known of each deployment, and of each model that a wildcard is known to stand for."""
    wanted, table = visit.query.litellm_model_id, office.table()
    lets = await let_by(office, visit.caller, visit.query.teamId, "teamId")
    well = wanted is None and (visit.query.healthy_only or office.list_healthy_only)
    seen = [
        deployment
        for deployment in (*visible_deployments(table, visit.caller), *visible_expansions(table, visit.caller))
        if wanted in {None, deployment.id}
        and lets(deployment.group, deployment)
        and not (well and _health([office.health.known(deployment)]) == "unhealthy")
    ]
    if wanted is not None and not seen:
        raise NotFound(
            "There is no deployment with this id.", hint="GET /model/info has all.", param="litellm_model_id"
        )
    return Answer({"data": await info_rows(office, seen, admin=visit.caller.admin)})


async def model_group_info(office: Office, visit: Visit[ModelGroupQuery, Nothing]) -> Answer:
    """What is known of each group of deployments."""
    wanted = visit.query.model_group
    groups = [
        (name, group.deployments)
        for name, group in visible_groups(office.table(), visit.caller)
        if wanted in {None, name}
    ]
    able = await asyncio.to_thread(supported_by_kind, [one for _, members in groups for one in members])
    return Answer({"data": [_group_row(office, name, members, able) for name, members in groups]})


async def info_rows(office: Office, deployments: Sequence[Deployment], *, admin: bool) -> list[object]:
    """:class:`ModelInfoRow` of each, with what the operator tells of it; ``admin``: for the operator."""
    # What a kind of upstream can be told takes some hundred translations, the first time.
    able = await asyncio.to_thread(supported_by_kind, deployments)
    rows = []
    for number, one in enumerate(deployments):
        rows.append(_info_row(office, one, able[one.id], admin=admin))
        if number % _ROWS_AT_A_TIME == _ROWS_AT_A_TIME - 1:
            await asyncio.sleep(0)  # wildcards stand for hundreds
    return rows


def _info_row(office: Office, deployment: Deployment, able: Sequence[str] | None, *, admin: bool) -> object:
    known = described(deployment, office.facts)
    params = ShownParams(
        model=deployment.litellm_model,
        custom_llm_provider=deployment.provider,
        api_base=address_without_secrets(deployment.api_base) if admin else None,
        weight=deployment.weight,
        max_parallel_requests=deployment.max_parallel_requests,
    )
    info: dict[str, object] = {
        **deployment.told,
        "id": deployment.id,
        "db_model": deployment.stored,
        "mode": known.mode,
        "key": deployment.litellm_model,
        "litellm_provider": deployment.provider,
        "max_tokens": known.output_tokens or known.context_tokens,
        "max_input_tokens": known.context_tokens,
        "max_output_tokens": known.output_tokens,
        **msgspec.structs.asdict(prices(deployment.price)),
        "access_groups": sorted(deployment.access_groups),
        "discovered": deployment.discovered,
        "local": deployment.local,
        **capability_flags(known.capabilities),
    }
    info.setdefault("supported_openai_params", able)
    if admin:
        verdict = office.health.known(deployment)
        info["health_status"] = _health([verdict])
        info["performance"] = office.performance(deployment)
    return {"model_name": deployment.group, "litellm_params": params, "model_info": info}


def _group_row(
    office: Office, name: str, members: Sequence[Deployment], able: Mapping[str, Sequence[str] | None]
) -> object:
    known = [described(deployment, office.facts) for deployment in members]
    charged = [prices(deployment.price) for deployment in members]
    common = frozenset.intersection(*(one.capabilities for one in known))
    params = [able[deployment.id] or () for deployment in members]
    verdicts = [office.health.known(deployment) for deployment in members]
    latest = max((one for one in verdicts if one is not None), key=lambda one: one.at, default=None)
    row = ModelGroupInfo(
        model_group=name,
        providers=tuple(dict.fromkeys(deployment.provider for deployment in members)),
        mode=known[0].mode,
        max_input_tokens=smallest(one.context_tokens for one in known),
        max_output_tokens=smallest(one.output_tokens for one in known),
        input_cost_per_token=_highest(one.input_cost_per_token for one in charged),
        output_cost_per_token=_highest(one.output_cost_per_token for one in charged),
        supported_openai_params=tuple(one for one in params[0] if all(one in others for others in params[1:])),
        health_status=_health(verdicts),
        health_response_time=latest.seconds * 1000.0 if latest is not None and latest.seconds else None,
        health_checked_at=None if latest is None else iso(latest.at),
    )
    return {**msgspec.structs.asdict(row), **capability_flags(common)}


def _health(verdicts: Sequence[Verdict | None]) -> str | None:
    """``unhealthy`` where no deployment is left that is well, or of which nothing is known."""
    if all(verdict is None for verdict in verdicts):
        return None
    return "healthy" if any(verdict is None or verdict.healthy for verdict in verdicts) else "unhealthy"


def _highest(amounts: Iterable[float | None]) -> float | None:
    return max((amount for amount in amounts if amount is not None), default=None)
