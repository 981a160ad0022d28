"""``pointsman spend export`` and ``pointsman spend statement``: the ledger, or a bill, from a gateway that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import BinaryIO, Final

import click

from pointsman.cli.remote.client import DEFAULT_URL, GatewayClient, found_gateway

__all__ = ["export", "statement"]

_PATIENCE_SECONDS: Final = 60.0
"""What is long is put together for a while before it comes."""
_URL_HELP: Final = f"The gateway.  [default: $POINTSMAN_URL, or {DEFAULT_URL}]"
_KEY_HELP: Final = "A key for it.  [default: $POINTSMAN_API_KEY, or $POINTSMAN_MASTER_KEY]"

_Filter = str | datetime | None


@click.command(short_help="Write the ledger to a file, call by call.")
@click.option("--format", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv", show_default=True)
@click.option("--start", "start_date", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
@click.option("--end", "end_date", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC).")
@click.option("--team", "team_id", help="Only calls of this team.")
@click.option("--user", "user_id", help="Only calls of this user.")
@click.option("--customer", "end_user", help="Only calls for this end user.")
@click.option("--model", help="Only calls of this model.")
@click.option("--output", type=click.File("wb"), default="-", help="The file.  [default: standard output]")
@click.option("--url", help=_URL_HELP)
@click.option("--key", help=_KEY_HELP)
def export(output: BinaryIO, url: str | None, key: str | None, **filters: _Filter) -> None:
    """Write the calls of the ledger to a file, the latest first, whatever their number."""
    asyncio.run(_download(_client(url, key), "/spend/export", filters, output))


@click.command(short_help="Write what an account is to pay for a period.")
@click.option("--month", help="The month, as 2026-01.")
@click.option("--start", "start_date", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC), in place of a month.")
@click.option("--end", "end_date", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC).")
@click.option("--team", "team_id", help="Of this team.")
@click.option("--organization", "organization_id", help="Of this organisation.")
@click.option("--customer", "customer_id", help="Of this end user.")
@click.option("--user", "user_id", help="Of this user.")
@click.option("--format", type=click.Choice(["json", "csv", "html"]), default="json", show_default=True)
@click.option("--output", type=click.File("wb"), default="-", help="The file.  [default: standard output]")
@click.option("--url", help=_URL_HELP)
@click.option("--key", help=_KEY_HELP)
def statement(output: BinaryIO, url: str | None, key: str | None, **filters: _Filter) -> None:
    """Write a statement: list price, discount, margin and what is to be paid, by model."""
    asyncio.run(_download(_client(url, key), "/billing/statement", filters, output))


async def _download(client: GatewayClient, path: str, filters: Mapping[str, _Filter], output: BinaryIO) -> None:
    """Write an answer to a file as it comes.

    Raises:
        UpstreamFailed: the gateway cannot be reached, or breaks off.
        Refused: it does not let us in, or does not understand what is wanted.
    """
    days = {name: value.date().isoformat() for name, value in filters.items() if isinstance(value, datetime)}
    async for piece in client.download(path, {**filters, **days}):
        output.write(piece)


def _client(url: str | None, key: str | None) -> GatewayClient:
    return found_gateway(url, key, None, _PATIENCE_SECONDS)
