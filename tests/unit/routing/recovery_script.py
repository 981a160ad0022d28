"""Deployments, pools and errors as the tests of retries, fallbacks and rest need them."""

from __future__ import annotations

from pointsman.core.rules import NO_ROUTING_RULES, RoutingRules, Target
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.routing.pool import Member, Pool
from pointsman.routing.recovery import Again, Elsewhere, Recovery
from pointsman.routing.router import Router
from pointsman.routing.settings import RoutingSettings
from pointsman.routing.table import RoutingTable


def deployment(identity: str = "a", group: str = "m", **changes: object) -> Deployment:
    """A deployment in the cloud, with a key of its own."""
    values: dict[str, object] = {
        "id": identity,
        "group": group,
        "provider": "openai",
        "model": "real",
        "litellm_model": "openai/real",
        "api_base": "http://upstream/v1",
        "price": None,
        "api_key": Secret(f"key-of-{identity}"),
    }
    return Deployment(**{**values, **changes})  # type: ignore[arg-type]


def router(*deployments: Deployment, settings: RoutingSettings | None = None, draw: float = 0.0) -> Router:
    """A router whose every draw is the same."""
    return Router(RoutingTable(deployments or [deployment()]), settings, lambda: draw)


def pool_of(made: Router, name: str = "m") -> Pool:
    """The pool of that name, which there is."""
    pool = made.pool(name)
    assert pool is not None
    return pool


def member(made: Router, identity: str, name: str = "m") -> Member:
    """The member of a pool with that id."""
    return next(one for one in pool_of(made, name).members if one.deployment.id == identity)


def recovery(
    settings: RoutingSettings | None = None, rules: RoutingRules = NO_ROUTING_RULES, *, draw: float = 0.0
) -> Recovery:
    """That of a request for ``m``."""
    return Recovery(settings or RoutingSettings(), rules, ("m",), lambda: draw)


def targets(*names: str) -> tuple[Target, ...]:
    """Models to turn to."""
    return tuple(Target(name) for name in names)


def told(step: Again | Elsewhere | None) -> float | tuple[str, ...] | None:
    """A step in short: the pause, or the names."""
    if isinstance(step, Elsewhere):
        return tuple(hop.target.model for hop in step.hops)
    return None if step is None else step.pause
