"""Which ways are to be walked: to the models that are named, or to all that are configured and found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pointsman.assembly.deployments import configured
from pointsman.assembly.from_settings import discovery_places
from pointsman.assembly.routes import hint_for
from pointsman.catalog.lookup import Catalog
from pointsman.cli.doctor.practice import Practice
from pointsman.config.load import Loaded
from pointsman.core.upstream import Deployment
from pointsman.providers.discovery import Discovery, FoundHost
from pointsman.providers.health import Hop
from pointsman.routing.table import RoutingTable

__all__ = ["Subject", "Subjects", "find_subjects"]

_PULL: Final = "Start Ollama and pull a model (ollama pull llama3.2), or write a config.yaml and name it with --config."


class Subject(msgspec.Struct, frozen=True):
    """A deployment; ``wildcard`` is the name of the entry where it stands for models that nobody has named."""

    deployment: Deployment
    wildcard: str | None = None


class Subjects(msgspec.Struct, frozen=True):
    """``hops`` say what there is to be said about the configuration and the search.

    ``lost`` are addresses that were given and where no server was found, so that no model of theirs is known.
    """

    hops: tuple[Hop, ...]
    found: tuple[Subject, ...]
    lost: tuple[str, ...] = ()


async def find_subjects(
    practice: Practice, loaded: Loaded, path: Path | None, ollama: tuple[str, ...], names: Sequence[str]
) -> Subjects:
    """What is configured, and what is found where that is to be looked for.

    Raises:
        Misconfigured: an entry contradicts itself.
    """
    catalog = Catalog()
    made = configured(loaded.settings, loaded.variables, catalog)
    routes = practice.routes
    routes.configure(loaded.settings, made, catalog)
    hops = [_told_file(loaded, path, len(made.deployments) + len(made.patterns))]
    hops += [Hop("configuration", "failed", str(one)) for one in made.skipped]
    hosts = await _discover(practice, loaded, ollama)
    if hosts is not None:
        routes.found(hosts)
        hops.append(_told_search(hosts))
    table = routes.table()
    lost: tuple[str, ...] = ()
    if names:
        subjects = _named(table, names)
        missing = [name for name in names if table.resolve(name) is None]
        has_ollama = any(host.kind == "ollama" for host in hosts or ())
        for name in missing:
            hint = hint_for(table, name, routes.left_out, has_ollama=has_ollama)
            hops.append(Hop("configuration", "failed", f"The model {name!r} is not served.", hint))
    else:
        subjects = [Subject(one) for one in table.deployments]
        subjects += [Subject(one, one.group) for one in routes.wildcards()]
        lost = tuple(host.url for host in hosts or () if not host.online)
        if not subjects and not lost:
            hops.append(Hop("configuration", "failed", "There is no model to be asked.", _PULL))
    return Subjects(tuple(hops), tuple(subjects), lost)


def _named(table: RoutingTable, names: Sequence[str]) -> list[Subject]:
    groups = {group.name: group for group in map(table.resolve, names) if group is not None}
    return [Subject(one) for group in groups.values() for one in group.deployments]


def _told_file(loaded: Loaded, path: Path | None, entries: int) -> Hop:
    if path is None:
        return Hop("configuration", "ok", "There is no configuration file; local servers are looked for.")
    count = f"{entries} {'entry' if entries == 1 else 'entries'} in model_list"
    if not loaded.warnings:
        return Hop("configuration", "ok", f"{path} is well: {count}.")
    told = f"{path} can be read: {count}; {len(loaded.warnings)} warnings."
    return Hop("configuration", "warning", told, f"Run: pointsman check {path}")


async def _discover(practice: Practice, loaded: Loaded, ollama: tuple[str, ...]) -> tuple[FoundHost, ...] | None:
    places = discovery_places(loaded, ollama)
    if not places:
        return None
    return await Discovery(practice.transport, places, clock=practice.clock).scan()


def _told_search(hosts: tuple[FoundHost, ...]) -> Hop:
    found = ", ".join(f"{host.kind} at {host.url}" for host in hosts if host.online)
    lost = ", ".join(host.url for host in hosts if not host.online)
    if lost:
        hint = "Start it, or correct its address (--ollama, OLLAMA_HOST, pointsman.ollama)."
        return Hop("configuration", "warning", f"Local servers found: {found or 'none'}. Not found: {lost}.", hint)
    return Hop("configuration", "ok" if found else "warning", f"Local servers found: {found or 'none'}.")
