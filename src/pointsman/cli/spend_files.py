"""``pointsman spend export`` and ``pointsman spend statement``: the ledger, or a bill, from a gateway that runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import click
from rich.console import Console
from rich.progress import FileSizeColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from pointsman.cli.remote.client import DEFAULT_URL, found_gateway

__all__ = ["export", "statement"]

_URL_HELP: Final = f"Address of the gateway.  [default: $POINTSMAN_URL, {DEFAULT_URL}]"
_KEY_HELP: Final = "Key to ask with.  [default: $POINTSMAN_API_KEY, else the one kept on this machine]"
_TO_FILE: Final = click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    default="-",
    help="The file.  [default: standard output]",
)

_Filter = str | datetime | None


@click.command(short_help="Write the ledger to a file, call by call.")
@click.option("--format", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv", show_default=True)
@click.option("--start", "start_date", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
@click.option("--end", "end_date", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC).")
@click.option("--team", "team_id", help="Only calls of this team.")
@click.option("--user", "user_id", help="Only calls of this user.")
@click.option("--customer", "end_user", help="Only calls for this end user.")
@click.option("--model", help="Only calls of this model.")
@_TO_FILE
@click.option("--url", help=_URL_HELP)
@click.option("--key", help=_KEY_HELP)
def export(output: str, url: str | None, key: str | None, **filters: _Filter) -> None:
    """Write the calls of the ledger to a file, the latest first, whatever their number."""
    _download("/spend/export", filters, url, key, output)


@click.command(short_help="Write what an account is to pay for a period.")
@click.option("--month", help="The month, as 2026-01.")
@click.option("--start", "start_date", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC), in place of a month.")
@click.option("--end", "end_date", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC).")
@click.option("--team", "team_id", help="Of this team.")
@click.option("--organization", "organization_id", help="Of this organisation.")
@click.option("--customer", "customer_id", help="Of this end user.")
@click.option("--user", "user_id", help="Of this user.")
@click.option("--format", type=click.Choice(["json", "csv", "html"]), default="json", show_default=True)
@_TO_FILE
@click.option("--url", help=_URL_HELP)
@click.option("--key", help=_KEY_HELP)
def statement(output: str, url: str | None, key: str | None, **filters: _Filter) -> None:
    """Write a statement: list price, discount, margin and what is to be paid, by model."""
    if not any((filters["month"], filters["start_date"], filters["end_date"])):
        raise click.UsageError("Of when? Say --month, or --start and --end.")
    _download("/billing/statement", filters, url, key, output)


def _download(path: str, filters: Mapping[str, _Filter], url: str | None, key: str | None, output: str) -> None:
    """Write an answer to a file as it comes.

    Raises:
        Misconfigured, UpstreamFailed, Refused: see :class:`GatewayClient`.
    """
    query = {
        name: value.date().isoformat() if isinstance(value, datetime) else value for name, value in filters.items()
    }
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), FileSizeColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with _opened(output) as file:
        # Nobody knows the length before the end. Where the answer itself goes to the terminal, it shows how far it is.
        hidden = not console.is_terminal or file.isatty()
        with Progress(*columns, console=console, disable=hidden) as progress:
            task = progress.add_task("Received", total=None)

            def write(piece: bytes) -> None:
                file.write(piece)
                progress.advance(task, len(piece))

            asyncio.run(found_gateway(url, key, None).download(path, query, write))


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """Where to write; a file gets its name when it is complete, so that nobody takes a part for the whole."""
    if output == "-":
        yield sys.stdout.buffer
        return
    path = Path(output).resolve()
    is_file = path.is_file() or not path.exists()  # and no device, and no pipe
    part = path.with_name(f"{path.name}.part") if is_file else path
    try:
        with part.open("wb") as file:
            yield file
        if is_file:
            part.replace(path)
    except OSError as problem:
        raise click.FileError(output, problem.strerror) from problem
    finally:
        if is_file:
            part.unlink(missing_ok=True)
