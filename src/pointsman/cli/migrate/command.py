"""``pointsman migrate litellm``: take over models, keys, teams, users, budgets and spending from LiteLLM."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from pointsman.cli.migrate.importing import Import
from pointsman.cli.migrate.report import Report
from pointsman.cli.migrate.source import open_litellm
from pointsman.cli.migrate.target import open_target
from pointsman.cli.remote.client import data_directory
from pointsman.cli.remote.options import examples
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.config.load import Loaded, load
from pointsman.core.errors import Misconfigured
from pointsman.core.identity import token_of
from pointsman.core.secret import Secret
from pointsman.stores.secret_sources import SecretSources

__all__ = ["migrate"]


@click.group(short_help="Take over what another gateway keeps.")
def migrate() -> None:
    """Take over what another gateway keeps."""


@migrate.command("litellm", short_help="Take over LiteLLM's models, keys, teams, users, budgets and spending.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="LiteLLM's config.yaml.")
@click.option(
    "--database-url",
    metavar="URL",
    help="LiteLLM's database, only read.  [default: $LITELLM_DATABASE_URL]",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the gateway that takes it over.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@examples(
    "pointsman migrate litellm --config config.yaml --database-url postgresql://… --dry-run",
    "LITELLM_SALT_KEY=… pointsman migrate litellm --config config.yaml --database-url postgresql://…",
)
def _litellm(
    config_path: Path | None, database_url: str | None, data_dir: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Take over LiteLLM's models, keys, teams, users, budgets and spending.

    Keys go on working: LiteLLM and Pointsman keep the same hash of them. What is here already stays as it is, so the
    command may be given again, also after it broke off. LiteLLM's stored models and credentials are decrypted with
    LITELLM_SALT_KEY or, where that was not set, with the master key.

    Everything goes into the database that pointsman serve would use: the one that the configuration names, else the
    file in the data directory.
    """
    # In the environment, other users of the machine do not see its password.
    database_url = database_url or process_environment().get("LITELLM_DATABASE_URL")
    if config_path is None and database_url is None:
        raise click.UsageError("Give --config, --database-url, or both.")
    report = Report(dry_run)
    loaded = _defaults() if config_path is None else _read_config(config_path, report)
    if database_url is not None:
        asyncio.run(_take_over(Secret(database_url), loaded, data_dir or data_directory(), report))
    report.print(as_json=as_json)


async def _take_over(url: Secret, loaded: Loaded, directory: Path, report: Report) -> None:
    said = loaded.environment
    master_keys = [key for key in (loaded.master_key, said.master_key) if key is not None]
    salts = [key for key in (said.salt_key, *master_keys) if key is not None]
    master_tokens = frozenset(token_of(key.reveal()) for key in master_keys)
    async with open_litellm(url) as source, open_target(loaded, directory, dry_run=report.dry_run) as target:
        report.into = target.place
        await Import(source, target, report, salts, master_tokens, _tell).run()


def _tell(words: str) -> None:
    """How far it has come, where somebody watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{words}", err=True, nl=False)


def _defaults() -> Loaded:
    """What ``pointsman serve`` goes by where it is given no file either."""
    environment = process_environment()
    return load(EnvironmentSettings.read(environment).config_path, environment, SecretSources())


def _read_config(path: Path, report: Report) -> Loaded:
    """LiteLLM's configuration, which goes on being the configuration; what has no effect here is told.

    Raises:
        Misconfigured: it cannot be read, or says what cannot be.
    """
    if not path.is_file():
        raise Misconfigured(f"There is no file {path}.", hint="Give LiteLLM's config.yaml with --config.")
    loaded = load(path, process_environment(), SecretSources())
    for entry in loaded.settings.model_list:
        note = f"it stands in the file: start with pointsman serve --config {path}"
        report.add("model of the file", entry.model_name, "unchanged", notes=() if report.items else (note,))
    for warning in loaded.warnings:
        report.add("setting", str(path), "kept", notes=(str(warning),))
    return loaded
