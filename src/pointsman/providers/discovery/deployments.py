"""Turns what was found into deployments and names, as if the operator had written them down."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from pointsman.core.price import FREE
from pointsman.core.upstream import Deployment, Timeouts
from pointsman.providers.discovery.compatible import PROVIDERS
from pointsman.providers.discovery.found import FoundHost, FoundModel

__all__ = ["aliases", "deployments"]


def deployments(hosts: Iterable[FoundHost], timeouts: Timeouts | None = None) -> tuple[Deployment, ...]:
    """A deployment per model of each host; a model that several have is one group with as many members.

    Those of hosts that are offline are there too: whoever asks for what only they have is told which server cannot be
    reached, which is truer than "not served".
    """
    return tuple(_deployment(host, model, timeouts or Timeouts()) for host in hosts for model in host.models)


def aliases(hosts: Iterable[FoundHost]) -> dict[str, str]:
    """Further names → the group they mean. A name that is a group itself is not in it; the first host wins."""
    hosts = tuple(hosts)
    groups = {model.group for host in hosts for model in host.models}
    names: dict[str, str] = {}
    for host in hosts:
        for model in host.models:
            for name in model.aliases:
                if name not in groups:
                    names.setdefault(name, model.group)
    return names


def _deployment(host: FoundHost, model: FoundModel, timeouts: Timeouts) -> Deployment:
    provider = PROVIDERS[host.kind]
    return Deployment(
        id=sha256(f"{host.url}\n{model.name}".encode()).hexdigest(),
        group=model.group,
        provider=provider,
        model=model.name,
        litellm_model=f"{provider}/{model.name}",
        api_base=host.url if host.kind == "ollama" else f"{host.url}/v1",
        price=FREE,
        timeouts=timeouts,
        mode=model.mode,
        context_tokens=model.context_tokens,
        capabilities=model.capabilities,
        local=True,
        discovered=True,
    )
