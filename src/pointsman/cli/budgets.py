"""``pointsman budgets``: limits with a name, for several keys, customers, tags and teams."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from pointsman.cli.remote.client import asked
from pointsman.cli.remote.options import LIMITS, Call, Field, asks_gateway, confirms, examples, takes_fields
from pointsman.cli.remote.tables import Column, amount, plain, print_json, print_row, print_rows, rows_of
from pointsman.core.errors import NotFound

__all__ = ["budgets"]

_FIELDS: Final = (*LIMITS, Field("--tpd", "tpd_limit", click.INT, "Tokens a day."))

_COLUMNS: Final = (
    Column("BUDGET", "budget_id"),
    Column("MAX USD", "max_budget", amount, right=True),
    Column("SOFT USD", "soft_budget", amount, right=True),
    Column("EVERY", "budget_duration"),
    Column("NEXT RESET", "budget_reset_at", lambda value: plain(value)[:16]),
    Column("RPM", "rpm_limit", right=True),
    Column("TPM", "tpm_limit", right=True),
    Column("TPD", "tpd_limit", right=True),
    Column("PARALLEL", "max_parallel_requests", right=True),
)


@click.group(short_help="Make, show, change and delete budgets.")
@examples(
    "pointsman budgets create free-tier --max-budget 5 --budget-duration 1mo",
    "pointsman keys update ann --budget-id free-tier",
)
def budgets() -> None:
    """Limits with a name, which several keys, customers, tags and teams have; each of them spends for itself."""


@budgets.command("list", short_help="List budgets.")
@asks_gateway
def _list_budgets(call: Call) -> None:
    """List all budgets."""
    body = asked(call.client, "GET", "/budget/list")
    if call.as_json:
        print_json(body)
    else:
        print_rows(_COLUMNS, rows_of(body), "budgets")


@budgets.command("show", short_help="Show a budget.")
@click.argument("budget")
@asks_gateway
def _show(call: Call, budget: str) -> None:
    """Show a BUDGET by its id."""
    found = rows_of(asked(call.client, "POST", "/budget/info", {"budgets": [budget]}))
    if not found:
        raise NotFound(f"There is no budget {budget!r}.", hint="pointsman budgets list shows all.")
    if call.as_json:
        print_json(msgspec.json.encode(found[0]))
    else:
        print_row(found[0])


@budgets.command("create", short_help="Make a budget.")
@click.argument("budget", required=False)
@takes_fields(_FIELDS)
@asks_gateway
@examples("pointsman budgets create free-tier --max-budget 5 --budget-duration 1mo --rpm 20")
def _create(call: Call, budget: str | None, body: dict[str, object]) -> None:
    """Make a BUDGET; without an id it gets one."""
    _tell(call, asked(call.client, "POST", "/budget/new", body if budget is None else {**body, "budget_id": budget}))


@budgets.command("update", short_help="Change a budget.")
@click.argument("budget")
@takes_fields(_FIELDS)
@asks_gateway
def _update(call: Call, budget: str, body: dict[str, object]) -> None:
    """Change what is named of a BUDGET; none takes a limit away. It holds at once for everyone who has it."""
    if not body:
        raise click.UsageError("Say what to change, for example --max-budget 10.")
    _tell(call, asked(call.client, "POST", "/budget/update", {**body, "budget_id": budget}))


@budgets.command("delete", short_help="Delete budgets.")
@click.argument("budgets", nargs=-1, required=True)
@confirms
@asks_gateway
def _delete(call: Call, budgets: tuple[str, ...]) -> None:
    """Delete BUDGETS by their ids; whoever has one is no longer bound by it."""
    bodies = [asked(call.client, "POST", "/budget/delete", {"id": budget}) for budget in budgets]
    if call.as_json:
        print_json(msgspec.json.encode([msgspec.Raw(body) for body in bodies]))
    else:
        click.echo(f"Deleted: {', '.join(budgets)}.")


def _tell(call: Call, body: bytes) -> None:
    if call.as_json:
        print_json(body)
    else:
        print_rows(_COLUMNS, [msgspec.json.decode(body, type=dict[str, object])], "budgets")
