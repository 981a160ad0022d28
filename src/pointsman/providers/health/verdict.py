"""What is known of a deployment's health, where from, and how old that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from pointsman.core.upstream import Deployment
from pointsman.providers.discovery.found import FoundHost
from pointsman.providers.health.hops import Hop, first_failure

__all__ = ["Source", "Verdict", "host_of", "judged_by_hops", "judged_by_host", "judged_by_traffic", "unknown"]

Source = Literal["checked", "watched", "traffic", "not checked"]
"""A question just for this; discovery, which asks all the time; a request that was answered well; nothing yet."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``at`` is seconds since the epoch; ``seconds`` is how long the question took, 0 where none was asked.

    ``error`` is a sentence with the server's own words, so it may hold its address. ``hop`` is where the way ended.
    ``late``: it is ill since it did not answer in time.
    """

    deployment_id: str
    healthy: bool
    source: Source
    at: float
    seconds: float = 0.0
    error: str | None = None
    hint: str | None = None
    hop: str | None = None
    notes: tuple[str, ...] = ()
    late: bool = False


def judged_by_hops(deployment: Deployment, hops: tuple[Hop, ...], at: float, seconds: float) -> Verdict:
    """What an examination comes to."""
    failure = first_failure(hops)
    return Verdict(
        deployment_id=deployment.id,
        healthy=failure is None,
        source="checked",
        at=at,
        seconds=seconds,
        error=None if failure is None else failure.told,
        hint=None if failure is None else failure.hint,
        hop=None if failure is None else failure.name,
        late=failure is not None and failure.late,
        notes=tuple(hop.told for hop in hops if hop.status in {"warning", "skipped"}),
    )


def judged_by_host(deployment: Deployment, host: FoundHost, at: float) -> Verdict:
    """What watching its server tells: whether that is online and has the model."""
    problem = hint = hop = None
    if not host.online:
        problem, hop = host.problem or "It does not answer.", "server"
        hint = "Check that it runs and that the address is right."
    elif host.kind == "ollama" and not _has(host, deployment.model):
        problem, hop = f"{deployment.model!r} is not there.", "model"
        hint = f"Run: ollama pull {deployment.model}"
    return Verdict(
        deployment_id=deployment.id,
        healthy=problem is None,
        source="watched",
        at=at,
        error=problem,
        hint=hint,
        hop=hop,
    )


def judged_by_traffic(deployment: Deployment, at: float) -> Verdict:
    """A request was answered well at ``at``, so that nothing has to be asked."""
    return Verdict(deployment_id=deployment.id, healthy=True, source="traffic", at=at)


def unknown(deployment: Deployment, at: float, note: str) -> Verdict:
    """Nobody has looked, or not long enough: what is not known to be broken counts as healthy."""
    return Verdict(deployment_id=deployment.id, healthy=True, source="not checked", at=at, notes=(note,))


def host_of(deployment: Deployment, hosts: Mapping[str, FoundHost]) -> FoundHost | None:
    """The watched server (by its URL) that a deployment is on, if it is on one: at its address, or below it."""
    base = deployment.api_base
    while base and not base.endswith("/"):  # what is left of http://host in the end
        if base in hosts:
            return hosts[base]
        base = base.rpartition("/")[0]
    return None


def _has(host: FoundHost, model: str) -> bool:
    wanted = {model, model if ":" in model.rpartition("/")[2] else f"{model}:latest"}
    return any(found.name in wanted for found in host.models)
