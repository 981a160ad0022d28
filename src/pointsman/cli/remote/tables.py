"""Answers of the management API as tables for people, or as the JSON that they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Column", "Row", "amount", "count", "plain", "print_json", "print_row", "print_rows", "rows_of"]

Row = Mapping[str, object]

_PIPE_COLUMNS: Final = 240
_EMPTY: Final[tuple[object, ...]] = (None, "", [], {}, ())


def plain(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return _shown(", ".join(value)) or "-"
    return _shown(value) if isinstance(value, str) else msgspec.json.encode(value).decode()


def _shown(text: str) -> str:
    """Without what a terminal would take for a command: names are whatever somebody has chosen."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


class Column(NamedTuple):
    """A column: its head, the field, and how that is written."""

    head: str
    name: str
    write: Callable[[object], str] = plain
    right: bool = False


def print_json(body: bytes) -> None:
    """An answer, indented."""
    click.echo(msgspec.json.format(body, indent=2).decode())


def rows_of(body: bytes) -> list[dict[str, object]]:
    """An answer that is a list of objects."""
    return msgspec.json.decode(body, type=list[dict[str, object]])


def print_rows(columns: Sequence[Column], rows: Sequence[Row], what: str) -> None:
    """A table of rows, or a sentence that there are no ``what``."""
    if not rows:
        click.echo(f"There are no {what}.", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.head, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(column.write(row.get(column.name))) for column in columns))
    _console().print(table)


def print_row(row: Row) -> None:
    """What a row says, a line for each field that says anything."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column("", style="bold", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, value in row.items():
        if not any(value is empty or (value == empty and not isinstance(value, bool | int)) for empty in _EMPTY):
            table.add_row(name, Text(plain(value)))
    _console().print(table)


def amount(value: object) -> str:
    """US dollars."""
    return f"{value:.4f}" if isinstance(value, int | float) else "-"


def count(value: object) -> str:
    """How many there are."""
    return str(len(value)) if isinstance(value, list) else "0"


def _console() -> Console:
    terminal = sys.stdout.isatty()
    # What reads from a pipe wants lines, not a page.
    return Console(highlight=False) if terminal else Console(highlight=False, width=_PIPE_COLUMNS)
