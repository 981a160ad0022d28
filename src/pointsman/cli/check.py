"""``pointsman check`` and ``pointsman config``: looking at a configuration without serving it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from pointsman.assembly.deployments import Configured, configured
from pointsman.assembly.from_settings import reset_clock
from pointsman.assembly.sign_in import EntrancePlan
from pointsman.assembly.warmth import warm_rules
from pointsman.catalog.lookup import Catalog
from pointsman.cli.config_diff import diff
from pointsman.config.environment import process_environment
from pointsman.config.findings import ConfigRefused
from pointsman.config.load import Loaded, load
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment
from pointsman.stores.secret_sources import SecretSources

__all__ = [
    "check",
    "config",
    "schema",
]

_NAMED_MAX: Final = 10


@click.command(short_help="Check a configuration file.")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a configuration FILE: errors and warnings with file, line and column.

    Exits with 1 where there is an error.
    """
    environment = process_environment()
    try:
        loaded = load(file, environment, SecretSources())
    except ConfigRefused as refused:
        for warning in refused.warnings:
            click.echo(f"warning  {warning}")
        for error in refused.errors:
            click.echo(f"error    {error}")
        click.echo(f"{file}: {_count(len(refused.errors), 'error')}, {_count(len(refused.warnings), 'warning')}")
        sys.exit(1)
    for warning in loaded.warnings:
        click.echo(f"warning  {warning}")
    try:
        made = _made(loaded)
    except Misconfigured as problem:
        click.echo(f"error    {problem.told()}")
        click.echo(f"{file}: 1 error, {_count(len(loaded.warnings), 'warning')}")
        sys.exit(1)
    for skipped in made.skipped:
        click.echo(f"warning  {skipped}")
    if note := _unpriced(made.deployments):
        click.echo(f"note     {note}")
    models = len({deployment.group for deployment in made.deployments}) + len(made.patterns)
    counts = [_count(models, "model"), _count(len(made.deployments), "deployment"), "no errors"]
    click.echo(f"{file}: {', '.join([*counts, _count(len(loaded.warnings) + len(made.skipped), 'warning')])}")


def _made(loaded: Loaded) -> Configured:
    """What is served, once everything that is made of the file at a start has been made."""
    reset_clock(loaded)
    warm_rules(loaded)
    # What the master key is does not matter here; without one nothing of signing in would be looked at.
    EntrancePlan(loaded, loaded.master_key or Secret("none"))
    return configured(loaded.settings, loaded.variables, Catalog())


def _unpriced(deployments: Sequence[Deployment]) -> str:
    """A sentence about the models that no budget can hold; empty: there are none."""
    names = sorted({one.group for one in deployments if one.price is None})
    if not names:
        return ""
    shown = ", ".join(names[:_NAMED_MAX]) + (f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else "")
    return (
        f"no price is known for {shown}: calls are served and count as free in budgets. input_cost_per_token and"
        " output_cost_per_token give a model its price, 0 says that it is free;"
        " litellm_settings.block_requests_for_models_without_pricing refuses such models."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@click.group()
def config() -> None:
    """What a configuration can say, and what of it is in force."""


config.add_command(diff)


@config.command()
def schema() -> None:
    """Print the JSON Schema of config.yaml, for editors."""
    from pointsman.config.schema import json_schema  # noqa: PLC0415 - only asked for here

    click.echo(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
