"""``pointsman mapping``: what becomes of each parameter between a client's dialect and a provider's."""

from __future__ import annotations

import shutil
import sys
from typing import Final

import click
import msgspec

from pointsman.providers.mapping import CLIENT_PARTIES, FAR_PARTIES, examine, text_table

__all__ = ["mapping"]

_CLIENTS: Final = {party.name: party for party in CLIENT_PARTIES}
_UPSTREAMS: Final = {party.name: party for party in FAR_PARTIES}
_WIDTH_PIPED: Final = 160
_NAMES: Final = f"CLIENT: {', '.join(sorted(_CLIENTS))}. UPSTREAM: {', '.join(sorted(_UPSTREAMS))}."


@click.command(short_help="Show what becomes of each parameter between two dialects.", epilog=_NAMES)
@click.argument("client", metavar="CLIENT", type=click.Choice(sorted(_CLIENTS)))
@click.argument("upstream", metavar="UPSTREAM", type=click.Choice(sorted(_UPSTREAMS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def mapping(client: str, upstream: str, *, as_json: bool) -> None:
    """Show what becomes of each parameter and kind of content that a CLIENT dialect has, at an UPSTREAM.

    It is mapped (to the fields named), emulated by the gateway, passed over, or refused, with the reason. This is found
    out by running the translation.
    """
    asking, asked = _CLIENTS[client], _UPSTREAMS[upstream]
    if not asked.serves(asking):
        raise click.UsageError(f"{asked.title} does not have {asking.title}.")
    rows = examine(asking, asked)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_PIPED
    click.echo(text_table(rows, width))
