"""``pointsman grammar``: whether a recorded stream is what clients of its dialect may rely on."""

from __future__ import annotations

import sys
from typing import BinaryIO, Final

import click
import msgspec

from pointsman.dialects.grammars import DIALECTS, Finding, check

__all__ = ["grammar"]

_SHOWN: Final = 10
_NAMES: Final = f"DIALECT: {', '.join(DIALECTS)}."


class _Report(msgspec.Struct, frozen=True):
    """What ``--json`` prints. ``violations`` are the first ones, ``count`` is how many there are."""

    dialect: str
    valid: bool
    count: int
    violations: list[Finding]


@click.command(short_help="Check a recorded stream against its dialect's grammar.", epilog=_NAMES)
@click.argument("dialect", metavar="DIALECT", type=click.Choice(list(DIALECTS)))
@click.argument("stream", metavar="[FILE|-]", type=click.File("rb"), default="-")
@click.option(
    "--limit", type=click.IntRange(min=0), default=_SHOWN, show_default=True, help="Violations to show; 0 for all."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def grammar(dialect: str, stream: BinaryIO, limit: int, *, as_json: bool) -> None:
    """Check a recorded stream: the body of an answer with status 200, as it came.

    FILE has server-sent events; lines of JSON for Ollama; or the JSON array that Gemini answers without alt=sse.
    Without it, or as -, it is read from standard input:

    curl -sN … | pointsman grammar anthropic_messages

    The server may be any. Exits with 0 if nothing is wrong with it, with 1 otherwise.
    """
    body = stream.read()
    found = check(dialect, body)
    shown = found[:limit] if limit else found
    if as_json:
        report = _Report(dialect, not found, len(found), shown)
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    elif found:
        click.echo("\n".join(_words(one) for one in shown))
        more = len(found) - len(shown)
        click.echo(f"{len(found)} violation{'s' * (len(found) > 1)} of {dialect}" + f", {more} not shown" * bool(more))
    else:
        click.echo(f"A stream of {dialect}: {len(body)} bytes, nothing wrong with it.")
    if found:
        sys.exit(1)


def _words(one: Finding) -> str:
    place = "the stream" if one.number is None else f"{one.piece} {one.number}"
    if one.line is not None and one.piece != "line":
        place += f" (line {one.line})"
    elif one.line is not None:
        place = f"line {one.line}"
    return f"{place}: {one.found}\n    expected: {one.expected}"
