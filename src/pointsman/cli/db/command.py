"""``pointsman db``: bring up to date, look at, back up, restore, and move to another kind of database."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pointsman.assembly.backends import SQLITE_FILE
from pointsman.cli.db.places import (
    Place,
    configured_place,
    named_place,
    sqlite_pending,
    told,
    transfer_source,
    transfer_target,
)
from pointsman.cli.db.status import Fact, facts
from pointsman.cli.db.usage import demand_unused, users_of
from pointsman.core.errors import Misconfigured
from pointsman.stores.sqlite import SqliteDatabase
from pointsman.stores.transfer import Progress as Step
from pointsman.stores.transfer import copy_everything
from pointsman.stores.transfer.sqlite_end import back_up

__all__ = ["db"]

F = TypeVar("F", bound=Callable[..., Any])


@click.group(short_help="Look after the database: migrate, status, backup, restore, copy.")
def db() -> None:
    """Look after the database of the gateway: the one in DATABASE_URL or the configuration, else SQLite's file."""


def _of_gateway(command: F) -> F:
    """The options by which ``pointsman serve`` finds its database."""
    for option in (
        click.option("--config", "-c", "config_path", type=click.Path(path_type=Path), help="LiteLLM's config.yaml."),
        click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of a gateway that uses SQLite."),
    ):
        command = option(command)
    return command


_replace = click.option("--replace", is_flag=True, help="Remove what is there first.")
_force = click.option("--force", is_flag=True, help="Do so even while a gateway uses the database.")


@db.command("migrate")
@_of_gateway
@click.option("--dry-run", is_flag=True, help="Rehearse it on a copy, or in a transaction that is undone.")
def _migrate_command(config_path: Path | None, data_dir: Path | None, *, dry_run: bool) -> None:
    """Bring the schema to this version. A gateway does so by itself when it starts."""
    place = configured_place(config_path, data_dir)
    began = time.monotonic()
    done = asyncio.run(_migrate(place, rehearse=dry_run))
    seconds = time.monotonic() - began
    if not done:
        click.echo(f"{told(place)} is up to date.")
        asyncio.run(_warn_if_newer(place))
        return
    for name in done:
        click.echo(f"  {name}")
    if dry_run:
        click.echo(f"Would be applied to {told(place)}. Nothing changed; the rehearsal took {seconds:.1f} s.")
    else:
        click.echo(f"Applied to {told(place)} in {seconds:.1f} s.")


@db.command("status")
@_of_gateway
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def _status_command(config_path: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Tell which database is used, its schema, its size, and who uses it."""
    found = asyncio.run(facts(configured_place(config_path, data_dir)))
    click.echo(Fact.json(found) if as_json else Fact.table(found))


@db.command("backup")
@_of_gateway
@click.argument("file", type=click.Path(path_type=Path))
def _backup_command(config_path: Path | None, data_dir: Path | None, file: Path) -> None:
    """Write everything to FILE, a SQLite file, as it is at this moment. Gateways may go on."""
    place = configured_place(config_path, data_dir)
    if file.exists():
        raise Misconfigured(f"{file} exists already.", hint="Choose another name, or move it away.")
    partial = file.with_name(f".{file.name}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        if isinstance(place, Path):
            _back_up(place, partial)
        else:
            _copy(place, partial)
        partial.replace(file)
    except OSError as error:
        raise Misconfigured(f"{file} cannot be written ({error.strerror}).") from error
    finally:
        for leftover in file.parent.glob(f"{partial.name}*"):
            leftover.unlink()
    click.echo(f"{told(place)} was backed up to {file} ({file.stat().st_size:,} bytes).")


@db.command("restore")
@_of_gateway
@click.argument("file", type=click.Path(path_type=Path))
@_replace
@_force
def _restore_command(
    config_path: Path | None, data_dir: Path | None, file: Path, *, replace: bool, force: bool
) -> None:
    """Bring back what `pointsman db backup` wrote to FILE. Stop every gateway that uses the database before."""
    place = configured_place(config_path, data_dir)
    if not force:
        asyncio.run(demand_unused(place))
    _copy(file, place, replace=replace)
    click.echo(f"{file} was restored to {told(place)}.")


@db.command("copy")
@click.option("--from", "source", required=True, metavar="URL|FILE", help="Where to read: postgresql://… or a file.")
@click.option("--to", "target", required=True, metavar="URL|FILE", help="Where to write.")
@_replace
@_force
def _copy_command(source: str, target: str, *, replace: bool, force: bool) -> None:
    """Copy everything to another database, all of it or nothing, and compare. Stop the gateway before."""
    origin, goal = named_place(source, "--from"), named_place(target, "--to")
    if told(origin) == told(goal):
        raise Misconfigured("--from and --to are the same database.")
    if not force:
        asyncio.run(demand_unused(goal))
        if asyncio.run(users_of(origin)):
            click.echo(f"{told(origin)} is in use: what is recorded there from now on is not copied.", err=True)
    _copy(origin, goal, replace=replace)
    click.echo(f"{told(origin)} was copied to {told(goal)}.")


async def _migrate(place: Place, *, rehearse: bool) -> Sequence[str]:
    """The names of the steps that were applied, or would be."""
    if not isinstance(place, Path):
        return [step.name for step in await place.migrate(rehearse=rehearse)]
    missing = sqlite_pending(place)
    if not missing:
        return ()
    if not rehearse:
        await _open(place)
        return missing
    with tempfile.TemporaryDirectory(prefix="pointsman-") as folder:
        copy_of_it = Path(folder) / SQLITE_FILE
        if place.exists():
            _back_up(place, copy_of_it)
        await _open(copy_of_it)
    return missing


async def _warn_if_newer(place: Place) -> None:
    """Say so where a newer version was here before: of a file that is an error already."""
    if isinstance(place, Path):
        return
    report = await place.report()
    if report.applied > report.known:
        click.echo(
            f"A newer version was here before: its schema is {report.applied}, this version knows {report.known}. "
            "This version can go on with it; what is new in it needs the newer one.",
            err=True,
        )


async def _open(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.open()
    await database.close()


def _back_up(source: Path, target: Path) -> None:
    if not source.is_file():
        raise Misconfigured(f"There is no database {source}.", hint="Name the gateway's folder with --data-dir.")
    with _bar() as advance:
        for done, total in back_up(source, target):
            advance("pages", done, total)


def _copy(source: Place, target: Place, *, replace: bool = False) -> None:
    with _bar() as advance:

        def report(step: Step) -> None:
            advance(step.table, step.done, step.total)

        async def work() -> None:
            async with transfer_source(source) as origin, transfer_target(target) as goal:
                await copy_everything(origin, goal, report, replace=replace)

        _run(work)


def _run(work: Callable[[], Awaitable[None]]) -> None:
    async def started() -> None:
        await work()

    asyncio.run(started())


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on the terminal; nothing where there is none."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:20}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def advance(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield advance
