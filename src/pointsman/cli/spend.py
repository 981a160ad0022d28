"""``pointsman spend``: what was spent, and what local hosts drew, from the ledger on disk or from a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click
import msgspec

from pointsman.admin.spend.energy import EnergyRow, energy_row
from pointsman.assembly.backends import postgres_database, sqlite_file
from pointsman.cli.remote.client import GatewayClient, data_directory, found_gateway
from pointsman.cli.spend_files import export, statement
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import Misconfigured
from pointsman.core.price import dollars
from pointsman.stores.ports import DaySpend, LedgerStore, SummaryQuery
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore

if TYPE_CHECKING:
    from pointsman.stores.postgres import PostgresDatabase

__all__ = ["spend"]

_By = Literal["day", "model", "host", "key"]

_FIRST_DAY: Final = date(1970, 1, 1)


class _Day(msgspec.Struct, frozen=True):
    """One day of ``/spend/logs``; amounts in USD, by model group and by key hash."""

    day: str = msgspec.field(name="startTime")
    spend: float = 0.0
    models: dict[str, float] = {}
    api_keys: dict[str, float] = {}


class _Found(msgspec.Struct, frozen=True):
    """Everything that a report is made from."""

    days: Sequence[_Day]
    energy: Sequence[EnergyRow]


class _Line(msgspec.Struct):
    """One line of the report: USD that providers were paid; watt-hours, and what those cost."""

    name: str
    spend: float = 0.0
    energy_wh: float = 0.0
    energy_cost: float = 0.0


@click.group(invoke_without_command=True, short_help="Show what was spent, and what local hosts drew.")
@click.option("--energy", "with_energy", is_flag=True, help="Also what local hosts drew, and what that cost.")
@click.option("--by", type=click.Choice(["day", "model", "host", "key"]), help="A line for each.  [default: day]")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC).")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the gateway whose ledger is read.")
@click.option("--url", help="Ask a running gateway instead.  [default, without --data-dir: $POINTSMAN_URL]")
@click.option("--key", help="The master key for it.  [default: $POINTSMAN_API_KEY, else the one kept on this machine]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def spend(
    context: click.Context,
    by: _By | None,
    start: datetime | None,
    end: datetime | None,
    data_dir: Path | None,
    url: str | None,
    key: str | None,
    *,
    with_energy: bool,
    as_json: bool,
) -> None:
    """Show what was spent, by day, model, host or key, and with --energy what local hosts drew for it.

    Energy is known of hosts with watts_busy in pointsman.local_hosts.
    """
    if context.invoked_subcommand is not None:
        return
    first = start.date() if start else _FIRST_DAY
    last = end.date() if end else datetime.fromtimestamp(SYSTEM_CLOCK.wall(), UTC).date()
    if last < first:
        raise click.UsageError("--end is before --start.")
    if url is None and data_dir is None:
        url = process_environment().get("POINTSMAN_URL")
    if not url:
        found = asyncio.run(_read(_database(data_dir), first, last))
    else:
        found = asyncio.run(_ask(found_gateway(url, key, data_dir), first, last))
    lines = _lines(found, by or "day", with_energy=with_energy)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(lines), indent=2).decode())
    else:
        click.echo("\n".join(_table(lines, by or "day", with_energy=with_energy)))


spend.add_command(export)
spend.add_command(statement)


def _database(data_dir: Path | None) -> Path | PostgresDatabase:
    """Where the ledger is: in the folder that is named, or else where the environment says.

    Raises:
        Misconfigured: it is nowhere.
    """
    url = EnvironmentSettings.read(process_environment()).database_url
    if data_dir is None and url is not None:
        return sqlite_file(url.reveal()) or postgres_database(url, "DATABASE_URL", None, SYSTEM_CLOCK)
    directory = data_dir or data_directory()
    path = directory / "pointsman.db"
    if not path.is_file():
        raise Misconfigured(
            f"There is no ledger in {directory}.",
            hint="Name the gateway's folder with --data-dir, or ask it with --url.",
        )
    return path


async def _read(place: Path | PostgresDatabase, first: date, last: date) -> _Found:
    database, ledger = _ledger(place)
    try:
        await database.open()
        query = SummaryQuery(first_day=first, last_day=last)
        days, energy = await ledger.summary(query), await ledger.energy(query)
    finally:
        await database.close()
    return _Found([_day(one) for one in days], [energy_row(one) for one in energy])


def _ledger(place: Path | PostgresDatabase) -> tuple[SqliteDatabase | PostgresDatabase, LedgerStore]:
    if isinstance(place, Path):
        database = SqliteDatabase(place)
        return database, SqliteLedgerStore(database)
    from pointsman.stores.postgres import PostgresLedgerStore  # noqa: PLC0415 - an extra

    return place, PostgresLedgerStore(place)


async def _ask(client: GatewayClient, first: date, last: date) -> _Found:
    span = {"start_date": first.isoformat(), "end_date": last.isoformat()}
    days = await client.ask(list[_Day], "GET", "/spend/logs", query={**span, "summarize": "true"})
    energy = await client.ask(list[EnergyRow], "GET", "/spend/energy", query=span)
    return _Found(days, energy)


def _day(one: DaySpend) -> _Day:
    models, keys = ({name: dollars(amount) for name, amount in sums.items()} for sums in (one.models, one.keys))
    return _Day(one.day.isoformat(), dollars(one.spend), models, keys)


def _lines(found: _Found, by: _By, *, with_energy: bool) -> list[_Line]:
    lines: dict[str, _Line] = {}
    for day in found.days:
        for name, amount in _spent(day, by).items():
            if amount or by == "day":
                lines.setdefault(name, _Line(name)).spend += amount
    for row in found.energy if with_energy else ():
        line = lines.setdefault(_drawn(row, by), _Line(_drawn(row, by)))
        line.energy_wh += row.energy_wh
        line.energy_cost += row.energy_cost
    if by == "day":
        return [lines[name] for name in sorted(lines)]
    return sorted(lines.values(), key=lambda line: (-line.spend - line.energy_cost, -line.energy_wh, line.name))


def _spent(day: _Day, by: _By) -> Mapping[str, float]:
    """What was paid on a day; the ledger does not add it up by host."""
    if by == "day":
        return {day.day: day.spend}
    return day.models if by == "model" else day.api_keys if by == "key" else {}


def _drawn(row: EnergyRow, by: _By) -> str:
    names: Mapping[_By, str] = {"day": row.day, "model": row.model_group, "host": row.host, "key": row.api_key}
    return names[by]


def _table(lines: Sequence[_Line], by: _By, *, with_energy: bool) -> Iterable[str]:
    if not lines:
        yield "Nothing was recorded in this time."
        return
    total = _Line("total", *(sum(values) for values in zip(*map(_numbers, lines), strict=True)))
    heads = (by.upper(), "SPEND USD", *(("ENERGY Wh", "ENERGY USD") if with_energy else ()))
    rows = [heads, *(_cells(line, with_energy=with_energy) for line in (*lines, total))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        cells = [
            f"{row[0]:{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells)


def _numbers(line: _Line) -> tuple[float, float, float]:
    return line.spend, line.energy_wh, line.energy_cost


def _cells(line: _Line, *, with_energy: bool) -> tuple[str, ...]:
    paid = (line.name or "(none)", f"{line.spend:.4f}")
    return (*paid, f"{line.energy_wh:.1f}", f"{line.energy_cost:.4f}") if with_energy else paid
