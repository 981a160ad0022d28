"""``pointsman spend``: what was spent, and what local hosts drew, from the ledger on disk or from a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from urllib.parse import urlencode

import click
import msgspec

from pointsman.admin.spend.energy import EnergyRow, energy_row
from pointsman.assembly.backends import postgres_database, sqlite_file
from pointsman.config.data_directory import default_data_directory, in_container
from pointsman.config.environment import EnvironmentSettings, process_environment
from pointsman.core.clock import SYSTEM_CLOCK
from pointsman.core.errors import Broken, Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.core.price import dollars
from pointsman.providers.transport import Transport
from pointsman.stores.ports import DaySpend, LedgerStore, SummaryQuery
from pointsman.stores.sqlite import SqliteDatabase, SqliteLedgerStore

if TYPE_CHECKING:
    from pointsman.stores.postgres import PostgresDatabase

__all__ = ["spend"]

_By = Literal["day", "model", "host", "key"]

Shape = TypeVar("Shape")

_KEY_VARIABLES: Final = ("POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY")
_FIRST_DAY: Final = date(1970, 1, 1)
_PATIENCE_SECONDS: Final = 30.0


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


@click.command(short_help="Show what was spent, and what local hosts drew.")
@click.option("--energy", "with_energy", is_flag=True, help="Also what local hosts drew, and what that cost.")
@click.option("--by", type=click.Choice(["day", "model", "host", "key"]), help="A line for each.  [default: day]")
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC).")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the gateway whose ledger is read.")
@click.option("--url", help="Ask a running gateway instead, as http://127.0.0.1:4000.")
@click.option("--key", help="The master key for it.  [default: $POINTSMAN_MASTER_KEY]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def spend(
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
    first = start.date() if start else _FIRST_DAY
    last = end.date() if end else datetime.fromtimestamp(SYSTEM_CLOCK.wall(), UTC).date()
    if last < first:
        raise click.UsageError("--end is before --start.")
    if url is None:
        found = asyncio.run(_read(_database(data_dir), first, last))
    else:
        found = asyncio.run(_ask(url.rstrip("/"), key or _key_of_environment(), first, last))
    lines = _lines(found, by or "day", with_energy=with_energy)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(lines), indent=2).decode())
    else:
        click.echo("\n".join(_table(lines, by or "day", with_energy=with_energy)))


def _database(data_dir: Path | None) -> Path | PostgresDatabase:
    """Where the ledger is: in the folder that is named, or else where the environment says.

    Raises:
        Misconfigured: it is nowhere.
    """
    environment = process_environment()
    url = EnvironmentSettings.read(environment).database_url
    if data_dir is None and url is not None:
        return sqlite_file(url.reveal()) or postgres_database(url, "DATABASE_URL", None, SYSTEM_CLOCK)
    directory = (
        data_dir
        or EnvironmentSettings.read(environment).data_directory
        or default_data_directory(environment, container=in_container(environment))
    )
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


async def _ask(url: str, key: str, first: date, last: date) -> _Found:
    span = urlencode({"start_date": first.isoformat(), "end_date": last.isoformat()})
    problems: list[BaseException] = []
    nursery = Nursery(lambda _name, error: problems.append(error))
    transport = Transport(nursery)
    nursery.start(transport.run(), "sweep")
    try:
        days = await _get(transport, f"{url}/spend/logs?{span}&summarize=true", key, list[_Day])
        energy = await _get(transport, f"{url}/spend/energy?{span}", key, list[EnergyRow])
    finally:
        transport.close()
        await nursery.close()
    return _Found(days, energy)


async def _get(transport: Transport, url: str, key: str, shape: type[Shape]) -> Shape:
    """One answer of the gateway.

    Raises:
        UpstreamFailed: it cannot be reached, or does not answer as a gateway.
        Misconfigured: it does not let us in.
    """
    headers = (("Authorization", f"Bearer {key}"),) if key else ()
    reply = await transport.fetch("GET", url, headers=headers, timeout_seconds=_PATIENCE_SECONDS)
    if reply.status in {401, 403}:
        raise Misconfigured("The gateway does not take this key.", hint="Give its master key with --key.")
    try:
        return msgspec.json.decode(reply.body, type=shape)
    except msgspec.MsgspecError:
        raise Broken(f"What answers at {url.partition('?')[0]} (status {reply.status}) is no gateway.") from None


def _key_of_environment() -> str:
    environment = process_environment()
    return next((environment[name] for name in _KEY_VARIABLES if environment.get(name)), "")


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
