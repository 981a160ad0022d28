"""The ``pointsman doctor`` command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from pointsman.cli.doctor.gateway import ask_gateway
from pointsman.cli.doctor.practice import Practice
from pointsman.cli.doctor.report import DeploymentReport, Report, ServerReport, told
from pointsman.cli.doctor.subjects import Subject, Subjects, find_subjects
from pointsman.cli.doctor.walk import Patience, Walk, origin_of
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.config.findings import ConfigRefused
from pointsman.config.load import Loaded, load
from pointsman.core.secret import Secret
from pointsman.providers.health import Hop, first_failure
from pointsman.providers.transport import Origin
from pointsman.stores.secret_sources import SecretSources

__all__ = ["doctor"]

_DEFAULT_PORT: Final = 4000
_LIBRARY: Final = "through LiteLLM's library"
_MOCKED: Final = "answered here, by mock_response"
_UNREACHED: Final = (Hop("server", "skipped", "Not tried: the way to its server ends before."),)


class _Wishes(msgspec.Struct, frozen=True):
    config_path: Path | None
    ollama: tuple[str, ...]
    url: str | None
    key: str | None
    names: tuple[str, ...]
    patience: Patience


@click.command(short_help="Find out what is wrong between here and a model's answer.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--config", "-c", "config_path", type=click.Path(path_type=Path), help="LiteLLM's config.yaml.")
@click.option("--ollama", multiple=True, metavar="URL", help="An Ollama server; may be given several times.")
@click.option("--url", metavar="URL", help=f"The running gateway.  [default: http://127.0.0.1:{_DEFAULT_PORT}]")
@click.option("--key", help="A key for the running gateway.  [default: the master key of configuration or environment]")
@click.option("--call", is_flag=True, help="Call each model once, for a few tokens. This costs what calls cost.")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=5.0, help="Seconds for each hop.  [default: 5]")
@click.option(
    "--call-timeout", type=click.FloatRange(1, 3600), default=120.0, help="Seconds for a call.  [default: 120]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(
    models: tuple[str, ...],
    config_path: Path | None,
    ollama: tuple[str, ...],
    url: str | None,
    key: str | None,
    timeout: float,
    call_timeout: float,
    *,
    call: bool,
    as_json: bool,
) -> None:
    """Walk the way to each MODEL (or to all), hop by hop, and say where it ends, why, and what to do.

    The hops are: the configuration, the name, the connection, the encryption, the credentials, the server, the model,
    its memory (Ollama), and with --call a real answer. Without --call no model is loaded or made to work. No gateway
    has to run; one that does is asked, too. Exits with 1 where something has failed.
    """
    patience = Patience(timeout, call_timeout if call else None)
    said = EnvironmentSettings.read(process_environment())
    wishes = _Wishes(config_path or said.config_path, ollama, url, key, models, patience)
    report = _examine(wishes)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        click.echo("\n".join(told(report)))
    sys.exit(0 if report.ok else 1)


def _examine(wishes: _Wishes) -> Report:
    try:
        loaded = load(wishes.config_path, process_environment(), SecretSources())
    except ConfigRefused as refused:
        return Report.of(tuple(Hop("configuration", "failed", str(one)) for one in refused.errors), (), ())
    return asyncio.run(_visit(wishes, loaded))


async def _visit(wishes: _Wishes, loaded: Loaded) -> Report:
    async with Practice.open(loaded) as practice:
        gateway, subjects = await asyncio.gather(
            _gateway(practice, wishes, loaded),
            find_subjects(practice, loaded, wishes.config_path, wishes.ollama, wishes.names),
        )
        walk = Walk(practice, wishes.patience)
        servers = await asyncio.gather(*(_server(walk, place, behind) for place, behind in _by_place(subjects).items()))
    return Report.of(subjects.hops, gateway, tuple(servers))


async def _gateway(practice: Practice, wishes: _Wishes, loaded: Loaded) -> tuple[Hop, ...]:
    port = loaded.environment.port or _DEFAULT_PORT
    key = Secret(wishes.key) if wishes.key else loaded.master_key
    return await ask_gateway(
        practice.transport,
        wishes.url or f"http://127.0.0.1:{port}",
        key,
        wishes.patience.hop_seconds,
        is_wanted=wishes.url is not None,
    )


async def _server(walk: Walk, place: Origin | str, behind: Sequence[Subject]) -> ServerReport:
    hops = () if isinstance(place, str) else await walk.to_server(place)
    reached = first_failure(hops) is None
    ways = await asyncio.gather(*(walk.to_model(one) for one in behind)) if reached else [_UNREACHED] * len(behind)
    reports = (
        DeploymentReport(
            one.deployment.group, one.deployment.litellm_model, one.deployment.id, way
        )
        for one, way in zip(behind, ways, strict=True)
    )  # fmt: skip
    return ServerReport(place if isinstance(place, str) else place.url, hops, tuple(reports))


def _by_place(subjects: Subjects) -> dict[Origin | str, list[Subject]]:
    """Who is asked where; without an address, by which other way."""
    servers: dict[Origin | str, list[Subject]] = {Origin.parse(url): [] for url in subjects.lost}
    for subject in subjects.found:
        mocked = subject.deployment.handling.mock_response is not None
        place = origin_of(subject.deployment) or (_MOCKED if mocked else _LIBRARY)
        servers.setdefault(place, []).append(subject)
    return servers
