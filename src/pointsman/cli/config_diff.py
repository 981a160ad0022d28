"""``pointsman config diff``: how what a running gateway serves differs from its configuration file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import click
import msgspec

from pointsman.admin.office import ConfigDifference
from pointsman.cli.remote.client import DEFAULT_URL, found_gateway

__all__ = ["diff"]


@click.command(short_help="How what is served differs from the file.")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="The running gateway.")
@click.option("--key", help="The master key for it.  [default: $POINTSMAN_API_KEY, else the one kept on this machine]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(url: str, key: str | None, *, as_json: bool) -> None:
    """Show how what a gateway serves differs from its configuration file.

    That is: models and credentials that were added at run time, an edit of the file that is refused, settings that wait
    for a restart, and entries that cannot be served.
    """
    found = asyncio.run(found_gateway(url, key, None).ask(ConfigDifference, "GET", "/config/diff"))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: ConfigDifference) -> Iterator[str]:
    yield f"file: {found.file or 'none'}"
    if found.refused_edit is not None:
        yield f"! its last edit is refused, and the former one is in force: {found.refused_edit}"
    for path in found.waiting_for_restart:
        yield f"~ {path}: takes effect at the next start"
    for one in found.skipped:
        yield f"- {one}"
    for model in found.stored_models:
        notes = (("joins models of the file", model.joins), ("blocked", model.blocked))
        told = ", ".join(note for note, holds in notes if holds)
        yield f"+ model {model.model_name!r} ({model.model_id}) -> {model.model}{f': {told}' if told else ''}"
    for name in found.stored_credentials:
        yield f"+ credential {name!r}"
    for left in found.left_out:
        yield f"! {left.kind} {left.name!r} ({left.id}) is left out: {left.reason}"
    if found == ConfigDifference(file=found.file, in_force=True, refused_edit=None):
        yield "What is served is what the file says."
