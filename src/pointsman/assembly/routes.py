"""Makes the routing table out of what is configured, what is found and the demo, and a new one when any changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pointsman.assembly.deployments import Configured, LeftOut
from pointsman.assembly.host_rules import host_rules, num_ctx_max
from pointsman.assembly.host_settings import as_its_host_has_it
from pointsman.assembly.plan import DemoModel
from pointsman.catalog.lookup import Catalog
from pointsman.catalog.models import ModelFacts
from pointsman.catalog.suggest import nearest
from pointsman.config.patterns import match
from pointsman.config.sections import Settings
from pointsman.core.price import FREE, Price
from pointsman.core.upstream import Deployment, Timeouts
from pointsman.providers.discovery import FoundHost, aliases, deployments
from pointsman.providers.registry import split_model
from pointsman.routing.table import Pattern, RoutingTable, Union

__all__ = ["DEMO_MODEL", "RouteMaker", "hint_for", "spell_out"]

_ANY_MODEL: Final = "any"
_AT_A_TIME: Final = 16
DEMO_MODEL: Final = "smollm2-135m"


class RouteMaker:
    """Knows what there is to route to. Configured names win over found ones."""

    def __init__(self, demo: DemoModel | None) -> None:
        self._catalog = Catalog()
        self._demo = () if demo is None else (_demo(demo),)
        self._settings = Settings()
        self._configured = Configured((), (), ())
        self._hosts: tuple[FoundHost, ...] = ()

    def configure(self, settings: Settings, made: Configured, catalog: Catalog) -> None:
        """Take over a configuration and what it was ``made`` into with that catalogue; it is in the next table."""
        self._settings, self._configured, self._catalog = settings, made, catalog

    def found(self, hosts: tuple[FoundHost, ...]) -> None:
        """Take over what discovery found."""
        self._hosts = hosts

    @property
    def hosts(self) -> tuple[FoundHost, ...]:
        """What discovery found."""
        return self._hosts

    @property
    def ollama_urls(self) -> tuple[str, ...]:
        """Where discovery found Ollama."""
        return tuple(host.url for host in self._hosts if host.kind == "ollama")

    @property
    def needs_library(self) -> bool:
        """Whether something configured is reached through LiteLLM's library."""
        return self._configured.long_tail

    @property
    def has_mocks(self) -> bool:
        """Whether something configured answers without any upstream."""
        return self._configured.mocked

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the configuration has and cannot be served."""
        return self._configured.skipped

    def facts(self, deployment: Deployment) -> ModelFacts | None:
        """What the catalogue knows of a deployment's model."""
        return self._catalog.facts(deployment.provider, deployment.model)

    def price(self, provider: str, model: str) -> Price | None:
        """What a model costs by the catalogue; None: nobody told."""
        facts = self._catalog.facts(provider, model)
        return None if facts is None else facts.price

    def lenders(self) -> tuple[Deployment, ...]:
        """Every deployment whose address and key serve for its provider's own API; a wildcard stands for one model."""
        found = list(self._configured.deployments)
        for entry in self._configured.patterns:
            stars = (_ANY_MODEL,) * entry.pattern.count("*")
            one = entry.expand(entry.pattern.replace("*", _ANY_MODEL), stars)
            found += [] if one is None else [one]
        return tuple(one for one in found if one.handling.mock_response is None)

    def wildcards(self) -> tuple[Deployment, ...]:
        """One deployment for each wildcard entry, to be looked at and not to be called.

        Its group is the entry's own name; its model has the star in it, unless ``health_check_model`` names one.
        """
        found = []
        for entry in self._configured.patterns:
            one = entry.expand(entry.pattern, ("*",) * entry.pattern.count("*"))
            if one is not None:
                found.append(msgspec.structs.replace(one, model=_looked_for(one)))
        return tuple(found)

    def table(self) -> RoutingTable:
        """A table of everything known now."""
        own = (*self._configured.deployments, *self._demo)
        names = {deployment.group for deployment in own}
        local = self._settings.local
        timeouts = Timeouts(
            local.upstream_connect_timeout_seconds,
            local.upstream_load_timeout_seconds or Timeouts().load,
            local.upstream_idle_timeout_seconds,
        )
        rules = host_rules(local.local_hosts)
        found = [
            msgspec.structs.replace(
                as_its_host_has_it(entry, local),
                num_ctx_max=num_ctx_max(entry.api_base, rules, local.num_ctx_max),
            )
            for entry in deployments(self._hosts, timeouts)
            if entry.group not in names
        ]
        router = self._settings.router_settings.model_group_alias
        other_names = {
            **self._settings.litellm_settings.model_alias_map,
            **{name: alias.model for name, alias in router.items()},
        }
        hidden = frozenset(name for name, alias in router.items() if alias.hidden)
        return RoutingTable(
            (*own, *found),
            other_names,
            (_listing(pattern, self._hosts) for pattern in self._configured.patterns),
            hidden,
            unlisted=aliases(self._hosts),
            unions={
                group.group_name: Union(group.models, group.model_priorities)
                for group in self._settings.router_settings.routing_groups
                if group.group_name is not None
            },
        )


def _listing(pattern: Pattern, hosts: Iterable[FoundHost]) -> Pattern:
    """The wildcard, which also stands for the models that a local server of its address was found to have."""
    if pattern.pattern.count("*") != 1:
        return pattern
    return msgspec.structs.replace(pattern, known=lambda: (*pattern.known(), *_found_for(pattern, hosts)))


def _found_for(pattern: Pattern, hosts: Iterable[FoundHost]) -> Iterator[str]:
    for host in hosts:
        for model in host.models:
            name = pattern.pattern.replace("*", model.name)
            one = pattern.expand(name, (model.name,))
            if one is None or not one.local or one.api_base not in {host.url, f"{host.url}/v1"}:
                break  # it leads elsewhere, with any model
            if one.model == model.name:
                yield name


def _looked_for(deployment: Deployment) -> str:
    raw = deployment.told.get("health_check_model")
    try:
        said = "" if raw is None else msgspec.json.decode(raw, type=str)
    except msgspec.MsgspecError:
        said = ""
    return split_model(said, None, has_base=False)[1] if said else deployment.model


async def spell_out(table: RoutingTable) -> None:
    """Make the deployments that wildcards are known to stand for, a few at a time, before somebody lists them all."""
    for number, name in enumerate(table.expected):
        table.resolve(name)
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)


def hint_for(table: RoutingTable, name: str, left_out: Iterable[LeftOut], *, has_ollama: bool) -> str:
    """What to do about a model that is not served."""
    for entry in left_out:
        if match(entry.model_name, name) is not None:
            return f"The configuration has it, but it is left out: {entry.reason}."
    close = nearest(name, table.names, count=1)
    hints = [f"Did you mean {close[0]!r}?"] if close else []
    if has_ollama:
        hints.append(f"Pull it with: ollama pull {name.removeprefix('ollama/').removeprefix('ollama_chat/')}")
    elif not hints:
        hints.append("GET /v1/models lists what is served.")
    return " ".join(hints)


def _demo(demo: DemoModel) -> Deployment:
    return Deployment(
        id="demo",
        group=DEMO_MODEL,
        provider="llama_cpp",
        model=DEMO_MODEL,
        litellm_model=f"llama_cpp/{DEMO_MODEL}",
        api_base=demo.api_base,
        price=FREE,
        charges=False,
        api_key=demo.key,
        context_tokens=4096,
        capabilities=frozenset({"tools", "response_schema"}),
        local=True,
    )
