"""Deployments, hosts and wishes as the tests of this folder need them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from pointsman.core.rules import RoutingRules
from pointsman.core.upstream import Deployment, Operation
from pointsman.routing.hosts import Host, LoadedModel
from pointsman.routing.pool import Member, Pool
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings, StrategyChoice
from pointsman.routing.table import RoutingTable
from pointsman.routing.wish import Wish

__all__ = ["GIGABYTE", "WISH", "deployment", "fleet", "ids", "local", "member", "router", "the_pool", "wish"]

GIGABYTE = 10**9
WISH = Wish(Operation.CHAT, 100)


def deployment(identity: str, **values: Any) -> Deployment:
    """A cloud deployment of the group ``g``."""
    usual: dict[str, Any] = {
        "id": identity,
        "group": "g",
        "provider": "openai",
        "model": "m",
        "litellm_model": "openai/m",
        "api_base": f"http://{identity}",
        "price": None,
    }
    return Deployment(**{**usual, **values})


def local(identity: str, **values: Any) -> Deployment:
    """A deployment at an Ollama of its own."""
    return deployment(identity, **{"local": True, "provider": "ollama_chat", **values})


def wish(
    *, tags: Iterable[str] = (), session: str | None = None, body: dict[str, Any] | None = None, **more: Any
) -> Wish:
    """A chat request for a hundred tokens."""
    raws = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in (body or {}).items()}
    rules = RoutingRules(tags=tuple(tags), session=session)
    return msgspec.structs.replace(WISH, rules=rules, fields=raws, **more)


def router(
    *deployments: Deployment, draw: Callable[[], float] = lambda: 0.0, strategy: str | None = None, **settings: Any
) -> Router:
    """A router with nothing but these."""
    return Router(RoutingTable(deployments), RoutingSettings(StrategyChoice(strategy), **settings), draw)


def the_pool(made: Router, name: str = "g") -> Pool:
    """The pool of a name that is served."""
    pool = made.pool(name)
    assert pool is not None
    return pool


def member(made: Router, identity: str, name: str = "g") -> Member:
    """One of its members."""
    return next(one for one in the_pool(made, name).members if one.deployment.id == identity)


def fleet(made: Router, **hosts: dict[str, Any]) -> dict[str, Host]:
    """Hosts of local deployments; ``loaded`` are names of models, or models and their gigabytes."""
    found = {}
    for name, values in hosts.items():
        host = found[name] = made.fleet.at(f"http://{name}")
        host.kind, host.slots, host.vram_total_bytes = "ollama", 1, 24 * GIGABYTE
        for key, value in values.items():
            setattr(host, key, _loaded(value) if key == "loaded" else value)
    return found


def _loaded(models: Any) -> dict[str, LoadedModel]:
    sizes = models if isinstance(models, dict) else dict.fromkeys(models, 8)
    return {name: LoadedModel(name, size * GIGABYTE, size * GIGABYTE) for name, size in sizes.items()}


def ids(members: Iterable[Member]) -> list[str]:
    """Whose they are."""
    return [one.deployment.id for one in members]
