"""Which models a caller may see: those its key may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pointsman.core.errors import NotFound
from pointsman.core.upstream import Deployment
from pointsman.policies.access import may_use
from pointsman.policies.principal import Principal
from pointsman.routing.table import Group, RoutingTable

__all__ = [
    "demand_visible_group", "visible_deployments", "visible_expansions", "visible_group", "visible_groups",
]  # fmt: skip

_SHOWN_CHARACTERS_MAX: Final = 128


def visible_groups(table: RoutingTable, caller: Principal) -> Iterator[tuple[str, Group]]:
    """Name → group, for all names that are listed, and those that only the key itself spells out.

    What a wildcard is known to stand for is listed, too, as by LiteLLM.
    A key's own aliases, and names in its ``models`` that a wildcard entry serves, are such. A model that the key may
    only use under one of its further names (``ollama/*``) is listed under that.
    """
    record = caller.record
    own = [name for name in (*caller.aliases, *record.models) if "*" not in name]
    seen = set()
    for name in dict.fromkeys([*table.names, *own, *table.expected]):
        if "*" in name or (group := visible_group(table, caller, name)) is None:
            continue
        if caller.admin or not all(map(_is_hidden, group.deployments)):
            seen.add(group.name)
            yield name, group
    for name in table.unlisted if any(gate.wildcards for gate in caller.gates) else ():
        group = visible_group(table, caller, name)
        if group is not None and group.name not in seen:
            seen.add(group.name)
            yield name, group


def visible_group(table: RoutingTable, caller: Principal, name: str) -> Group | None:
    """The group that would serve this caller under ``name``; None: none, or not for this key."""
    group = table.resolve(caller.aliases.get(name, name))
    if group is None or not any(_may_use(caller, name, deployment) for deployment in group.deployments):
        return None
    return group


def demand_visible_group(table: RoutingTable, caller: Principal, name: str) -> Group:
    """The group that would serve this caller under ``name``.

    Raises:
        NotFound: there is none; whether it is not there or not for this key is not told.
    """
    group = visible_group(table, caller, name)
    if group is None:
        raise NotFound(
            f"The model {name[:_SHOWN_CHARACTERS_MAX]!r} does not exist or you do not have access to it.",
            hint="GET /v1/models lists those you may use.",
            param="model",
            code="model_not_found",
            kind="invalid_request_error",
        )
    return group


def visible_deployments(table: RoutingTable, caller: Principal) -> Iterator[Deployment]:
    """Every deployment that is spelt out and that the key may use, save for the hidden ones."""
    for deployment in table.deployments:
        if _may_use(caller, deployment.group, deployment) and (caller.admin or not _is_hidden(deployment)):
            yield deployment


def visible_expansions(table: RoutingTable, caller: Principal) -> Iterator[Deployment]:
    """The same of what wildcards are known to stand for."""
    for name in table.expected:
        group = table.resolve(name)
        for deployment in () if group is None else group.deployments:
            if _may_use(caller, name, deployment) and (caller.admin or not _is_hidden(deployment)):
                yield deployment


def _is_hidden(deployment: Deployment) -> bool:
    """Whether lists leave it out, save for the operator's: ``model_info.discoverable`` is false."""
    return bytes(deployment.told.get("discoverable", b"")) == b"false"


def _may_use(caller: Principal, asked: str, deployment: Deployment) -> bool:
    """Whether a call for ``asked`` may be served there. The master key sees what belongs to a team, too."""
    if deployment.team_id is not None and deployment.team_id != caller.record.team_id and not caller.admin:
        return False
    return may_use(caller, asked, deployment.group, deployment.access_groups)
