"""``GET /v1/models`` and ``/v1/models/{id}``: OpenAI's shape, and what LiteLLM adds to it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pointsman.admin.models.description import described, smallest
from pointsman.admin.models.dialect import (
    GeminiModelsQuery,
    asks_as_anthropic,
    asks_as_gemini,
    list_as_anthropic,
    list_as_gemini,
    show_as_anthropic,
    show_as_gemini,
)
from pointsman.admin.models.of_team import let_by
from pointsman.admin.models.visible import demand_visible_group, visible_groups
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.policies.access import may_use
from pointsman.routing.table import Group

__all__ = ["ModelCard", "ModelList", "ModelListQuery", "list_models", "show_model"]

_CREATED: Final = 1677610602
"""LiteLLM says this of every model; what made it, nobody knows."""


class ModelListQuery(msgspec.Struct, frozen=True):
    """``return_wildcard_routes`` lists names such as ``openai/*`` too; left out: as the operator has set it.

    ``healthy_only`` leaves out models of which every deployment is known to be ill, ``team_id`` those that the team may
    not use. ``include_model_access_groups`` lists the names of groups of models beside the models,
    ``only_model_access_groups`` in their place.
    """

    return_wildcard_routes: bool | None = None
    healthy_only: bool = False
    team_id: str | None = None
    include_model_access_groups: bool = False
    only_model_access_groups: bool = False
    pageSize: int | None = None  # noqa: N815 - as Google's clients write it
    pageToken: str | None = None  # noqa: N815 - as Google's clients write it


class ModelCard(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One model. The last ones are there when they are known; token counts are what every deployment can do.

    ``status`` is there for a model that cannot be reached: every deployment of it is known to be ill.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    mode: str | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    status: Literal["offline"] | None = None


class ModelList(msgspec.Struct, frozen=True):
    """The models that the caller may use."""

    data: tuple[ModelCard, ...]
    object: Literal["list"]


async def list_models(office: Office, visit: Visit[ModelListQuery, Nothing]) -> Answer:
    """Every model that the key may use, in the form of the client that asks."""
    if asks_as_anthropic(visit.headers):
        return list_as_anthropic(office, visit.caller)
    if asks_as_gemini(visit.headers):
        return list_as_gemini(office, visit.caller, GeminiModelsQuery(visit.query.pageSize, visit.query.pageToken))
    table = office.table()
    lets = await let_by(office, visit.caller, visit.query.team_id, "team_id")
    groups = [
        (name, group)
        for name, group in visible_groups(table, visit.caller)
        if any(lets(name, deployment) for deployment in group.deployments)
    ]
    cards = [_card(office, name, group) for name, group in groups]
    if visit.query.healthy_only or office.list_healthy_only:
        cards = [card for card in cards if card.status is None]
    asked = visit.query.return_wildcard_routes
    if office.list_wildcards if asked is None else asked:
        seen = [name for name in table.patterns if may_use(visit.caller, name, name, frozenset())]
        cards += [ModelCard(id=name, object="model", created=_CREATED, owned_by="openai") for name in seen]
    if visit.query.include_model_access_groups or visit.query.only_model_access_groups:
        names = sorted({name for _, group in groups for one in group.deployments for name in one.access_groups})
        listed = [] if visit.query.only_model_access_groups else cards
        cards = [*listed, *(ModelCard(id=name, object="model", created=_CREATED, owned_by="openai") for name in names)]
    return Answer(ModelList(tuple(cards), "list"))


async def show_model(office: Office, visit: Visit[Nothing, Nothing]) -> Answer:
    """One model; whether it is not there or not for this key is not told."""
    name = visit.path["model_id"]
    if asks_as_anthropic(visit.headers):
        return show_as_anthropic(office, visit.caller, name)
    if asks_as_gemini(visit.headers):
        return show_as_gemini(office, visit.caller, name)
    return Answer(_card(office, name, demand_visible_group(office.table(), visit.caller, name)))


def _card(office: Office, name: str, group: Group) -> ModelCard:
    known = [described(deployment, office.facts) for deployment in group.deployments]
    return ModelCard(
        id=name,
        object="model",
        created=_CREATED,
        owned_by="openai",
        mode=known[0].mode,
        max_input_tokens=smallest(one.context_tokens for one in known),
        max_output_tokens=smallest(one.output_tokens for one in known),
        status="offline" if _is_offline(office, group) else None,
    )


def _is_offline(office: Office, group: Group) -> bool:
    """Whether every deployment is known to be ill. It can be asked for all the same."""
    verdicts = [office.health.known(deployment) for deployment in group.deployments]
    return all(verdict is not None and not verdict.healthy for verdict in verdicts)
