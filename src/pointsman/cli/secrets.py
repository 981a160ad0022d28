"""``pointsman secrets``: the keys that encrypt what is stored."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
import msgspec

from pointsman.assembly.backends import SQLITE_FILE, backend_of
from pointsman.cli.remote.client import found_gateway
from pointsman.config.data_directory import default_data_directory, in_container
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.config.load import Loaded, load
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import Misconfigured
from pointsman.stores.directory.rotation import RotationReport, rotate
from pointsman.stores.encryption import Sealer, add_file_key, read_secret_keys
from pointsman.stores.secret_sources import SecretSources

__all__ = ["secrets"]


class _Report(msgspec.Struct):
    """What the gateway answers."""

    residual_legacy: int
    total_migrated: int
    total_undecryptable: int
    key_id: str
    unreadable: list[str] = []


class _Reply(msgspec.Struct):
    report: _Report


class _Place(msgspec.Struct, frozen=True):
    """Where the keys are, and by what is said there the database: a folder on this machine, and the configuration."""

    directory: Path
    loaded: Loaded

    @property
    def environment(self) -> EnvironmentSettings:
        return self.loaded.environment

    def sealer(self) -> Sealer:
        said = self.environment
        return Sealer(lambda *, make: read_secret_keys(said.secret_key, said.salt_key, self.directory, make=make))


_data_dir = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the gateway.")
_config = click.option("--config", "-c", "config_path", type=click.Path(path_type=Path), help="Its config.yaml.")
_url = click.option("--url", help="Ask a running gateway instead, as http://127.0.0.1:4000.")
_key = click.option(
    "--key", help="The master key for it.  [default: $POINTSMAN_API_KEY, else the one kept on this machine]"
)


@click.group(short_help="The keys that encrypt what is stored.")
def secrets() -> None:
    """The keys that encrypt stored models' and credentials' secrets. See docs/secrets.md."""


@secrets.command(name="check", short_help="Tell which key encrypts, and what needs another.")
@_data_dir
@_config
@_url
@_key
def _check(data_dir: Path | None, config_path: Path | None, url: str | None, key: str | None) -> None:
    """Tell how much is encrypted with another key than the first. Changes nothing; exits with 1 where something is.

    Where it is none, all keys but the first can be let go of.
    """
    if url is not None:
        found = _asked(url, key, "GET", "/credentials/migrate-encryption/check")
        _tell(found.report)
        sys.exit(1 if found.report.residual_legacy or found.report.total_undecryptable else 0)
    report = asyncio.run(_rotate(_place(data_dir, config_path), dry_run=True))
    _tell(_as_told(report))
    sys.exit(1 if report.left or report.lost else 0)


@secrets.command(name="rotate", short_help="Encrypt everything anew with the first key.")
@click.option("--new-key", is_flag=True, help="First put a new key before the others in the folder's secret.key.")
@_data_dir
@_config
@_url
@_key
def _rotate_command(
    data_dir: Path | None, config_path: Path | None, url: str | None, key: str | None, *, new_key: bool
) -> None:
    """Encrypt everything anew with the first key. It may be stopped and begun again; a gateway may run meanwhile."""
    if url is not None:
        if new_key:
            raise click.UsageError("--new-key makes a key on this machine; leave out --url.")
        found = _asked(url, key, "POST", "/credentials/migrate-encryption")
        _tell(found.report)
        sys.exit(1 if found.report.residual_legacy or found.report.total_undecryptable else 0)
    place = _place(data_dir, config_path)
    if new_key:
        if place.environment.secret_key is not None or place.environment.salt_key is not None:
            raise Misconfigured(
                "The key is given by the environment, and that of the file would not come first.",
                hint="Put a new key before the present one in POINTSMAN_SECRET_KEY, and rotate without --new-key.",
            )
        add_file_key(place.directory)
    report = asyncio.run(_rotate(place, dry_run=False))
    _tell(_as_told(report))
    sys.exit(1 if report.left or report.lost else 0)


async def _rotate(place: _Place, *, dry_run: bool) -> RotationReport:
    backend = backend_of(place.loaded, place.directory, SYSTEM_CLOCK)
    try:
        await backend.open()
        return await rotate(backend.directory, place.sealer(), dry_run=dry_run)
    finally:
        await backend.close()


def _place(data_dir: Path | None, config_path: Path | None) -> _Place:
    """The folder of the gateway, and its configuration.

    Raises:
        Misconfigured: there is no database.
    """
    environment = process_environment()
    said = EnvironmentSettings.read(environment)
    loaded = load(config_path or said.config_path, environment, SecretSources())
    directory = (
        data_dir or said.data_directory or default_data_directory(environment, container=in_container(environment))
    )
    if loaded.database_url is None and not (directory / SQLITE_FILE).is_file():
        raise Misconfigured(
            f"There is no database in {directory}.",
            hint="Name the gateway's folder with --data-dir, or ask it with --url.",
        )
    return _Place(directory, loaded)


def _asked(url: str, key: str | None, method: str, path: str) -> _Reply:
    return asyncio.run(found_gateway(url, key, None).ask(_Reply, method, path))


def _as_told(report: RotationReport) -> _Report:
    migrated = report.models.migrated + report.credentials.migrated
    return _Report(report.left, migrated, report.lost, report.key_id, report.unreadable)


def _tell(report: _Report) -> None:
    click.echo(f"first key: {report.key_id or 'none; one is made when something is stored'}")
    click.echo(f"encrypted anew: {report.total_migrated}")
    click.echo(f"still needing another key: {report.residual_legacy}")
    click.echo(f"that no key opens: {report.total_undecryptable}")
    for one in report.unreadable:
        click.echo(f"  {one}")
