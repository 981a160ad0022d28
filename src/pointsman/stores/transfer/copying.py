"""The way from one database to another: table after table, compared at the end."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.core.errors import Misconfigured
from pointsman.stores.transfer.ends import DERIVED, Progress, Source, Sums, Target

__all__ = ["copy_everything"]


async def copy_everything(
    source: Source, target: Target, report: Callable[[Progress], None], *, replace: bool = False
) -> dict[str, Sums]:
    """Copy all tables and give what was compared. Whoever calls this commits, and only after it has returned.

    Raises:
        Misconfigured: ``target`` has something in it and ``replace`` is not given; one of the two has tables or
            columns that the other lacks; or what arrived is not what was sent.
        StorageUnavailable: one of the two does not answer.
    """
    tables, there = await source.tables(), await target.tables()
    _demand_alike(source, target, missing=sorted(tables.keys() - there.keys() - DERIVED))
    sums = {table: await source.sums(table) for table in tables}
    held = {table: (await target.sums(table))[0] for table in there}
    if any(held.values()):
        if not replace:
            table = max(held, key=lambda name: held[name])
            raise Misconfigured(
                f"{target.place} is not empty: it holds {held[table]} rows in {table}.",
                hint="Choose an empty one, or say --replace to have everything in it removed first.",
            )
        await target.empty()
    done, total = 0, sum(one[0] for one in sums.values())
    for table, columns in tables.items():
        lacking = sorted(set(columns) - set(there[table]))
        _demand_alike(source, target, missing=[f"{table}.{column}" for column in lacking])
        report(Progress(table, done, total))
        async for rows in source.rows(table):
            await target.put(table, columns, rows)
            done += len(rows)
            report(Progress(table, done, total))
    await target.complete()
    for table, wanted in sums.items():
        arrived = await target.sums(table)
        if arrived != wanted:
            raise Misconfigured(
                f"The table {table} did not arrive as it was: {arrived} instead of {wanted}. Nothing was kept.",
                hint="Stop every gateway that uses one of the two databases, and try again.",
            )
    return sums


def _demand_alike(source: Source, target: Target, *, missing: list[str]) -> None:
    if missing:
        raise Misconfigured(
            f"{source.place} has {', '.join(missing)}, and {target.place} has not.",
            hint="Bring both to the schema of this version with: pointsman db migrate",
        )
