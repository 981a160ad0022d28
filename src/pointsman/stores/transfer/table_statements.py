"""SQL for tables and columns as the database's own catalogue names them; nothing from outside comes in here.

Elsewhere statements are whole. Here they cannot be: what is copied is every table that there is, those of later
versions too, so that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["count_of", "deletion_of", "insertion_into", "largest_in", "selection_of", "survey_of"]


def count_of(table: str) -> str:
    """How many rows a table has."""
    return f"SELECT count(*) FROM {_quoted(table)}"  # noqa: S608 - see above, as in all of these


def selection_of(table: str, columns: Sequence[str]) -> str:
    """All rows of a table."""
    return f"SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(table)}"  # noqa: S608


def deletion_of(table: str) -> str:
    """Remove all rows of a table."""
    return f"DELETE FROM {_quoted(table)}"  # noqa: S608


def insertion_into(table: str, columns: Sequence[str]) -> str:
    """Add a row, whose values are parameters."""
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {_quoted(table)} ({', '.join(map(_quoted, columns))}) VALUES ({places})"  # noqa: S608


def largest_in(table: str, column: str) -> str:
    """The largest value of a column."""
    return f"SELECT max({_quoted(column)}) FROM {_quoted(table)}"  # noqa: S608


def survey_of(table: str) -> str:
    """Have the server look at a table, by whose statistics it plans."""
    return f"ANALYZE {_quoted(table)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
