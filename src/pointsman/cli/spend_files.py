"""``pointsman spend export`` and ``pointsman spend statement``: the ledger, or a bill, from a gateway that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import BinaryIO, Final
from urllib.parse import urlencode

import click
import msgspec

from pointsman.config.environment import process_environment
from pointsman.core.errors import Broken, Misconfigured
from pointsman.core.nursery import Nursery
from pointsman.providers.transport import Transport

__all__ = ["export", "statement"]

_KEY_VARIABLES: Final = ("POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY")
_PATIENCE_SECONDS: Final = 60.0
_URL_HELP: Final = "The gateway, as http://127.0.0.1:4000."
_KEY_HELP: Final = "A key for it.  [default: $POINTSMAN_MASTER_KEY]"


class _Told(msgspec.Struct, frozen=True):
    message: str = ""


class _Error(msgspec.Struct, frozen=True):
    error: _Told = _Told()


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
@click.option("--url", default="http://127.0.0.1:4000", show_default=True, help=_URL_HELP)
@click.option("--key", help=_KEY_HELP)
def export(output: BinaryIO, url: str, key: str | None, **filters: _Filter) -> None:
    """Write the calls of the ledger to a file, the latest first, whatever their number."""
    asyncio.run(_download(f"{url.rstrip('/')}/spend/export", filters, key, output))


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
@click.option("--url", default="http://127.0.0.1:4000", show_default=True, help=_URL_HELP)
@click.option("--key", help=_KEY_HELP)
def statement(output: BinaryIO, url: str, key: str | None, **filters: _Filter) -> None:
    """Write a statement: list price, discount, margin and what is to be paid, by model."""
    asyncio.run(_download(f"{url.rstrip('/')}/billing/statement", filters, key, output))


async def _download(url: str, filters: Mapping[str, _Filter], key: str | None, output: BinaryIO) -> None:
    """Write an answer to a file as it comes.

    Raises:
        UpstreamFailed: the gateway cannot be reached, or breaks off.
        Misconfigured: it does not let us in, or does not understand what is wanted.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    days = {name: value.date().isoformat() for name, value in given.items() if isinstance(value, datetime)}
    target = f"{url}?{urlencode({**given, **days})}"
    key = key or _key_of_environment()
    headers = (("Authorization", f"Bearer {key}"),) if key else ()
    problems: list[BaseException] = []
    nursery = Nursery(lambda _name, error: problems.append(error))
    transport = Transport(nursery)
    nursery.start(transport.run(), "sweep")
    try:
        async for piece in transport.download(target, headers=headers, timeout_seconds=_PATIENCE_SECONDS):
            if piece.status >= 400:
                raise _refused(url, piece.status, piece.body)
            output.write(piece.body)
    finally:
        transport.close()
        await nursery.close()


def _refused(url: str, status: int, body: bytes) -> Misconfigured | Broken:
    if status == 401:
        return Misconfigured("The gateway does not take this key.", hint="Give one with --key.")
    try:
        message = msgspec.json.decode(body, type=_Error).error.message
    except msgspec.MsgspecError:
        message = ""
    if not message:
        return Broken(f"What answers at {url} (status {status}) is no gateway.")
    return Misconfigured(message)


def _key_of_environment() -> str:
    environment = process_environment()
    return next((environment[name] for name in _KEY_VARIABLES if environment.get(name)), "")
