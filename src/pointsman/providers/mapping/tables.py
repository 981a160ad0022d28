"""The rows of a mapping as a table: for a terminal, and for the documentation."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from pointsman.providers.mapping.examine import Outcome, Row

__all__ = ["detail", "markdown", "text_table"]

_TARGETS_MAX: Final = 5
_HEAD: Final = ("says", "outcome", "where to, or why not")


def detail(row: Row) -> str:
    """Where the probe went, or why it did not."""
    shown = row.targets[:_TARGETS_MAX]
    more = f", and {len(row.targets) - len(shown)} more" if len(row.targets) > len(shown) else ""
    places = ", ".join(shown) + more
    return (
        " ".join(part for part in (places and f"{places}.", row.note) if part).removesuffix(".") if places else row.note
    )


def text_table(rows: Sequence[Row], width: int) -> str:
    """A table for a terminal of that many columns; long details go on in further lines."""
    name_width = max(len(row.name) for row in rows)
    outcome_width = max(len(outcome.value) for outcome in Outcome)
    rest = max(width - name_width - outcome_width - 4, 24)
    lines = []
    for name, outcome, about in (_HEAD, *((row.name, row.outcome.value, detail(row)) for row in rows)):
        first, *others = textwrap.wrap(about, rest) or [""]
        lines.append(f"{name:<{name_width}}  {outcome:<{outcome_width}}  {first}".rstrip())
        lines += [" " * (name_width + outcome_width + 4) + other for other in others]
    return "\n".join(lines)


def markdown(rows: Iterable[Row]) -> str:
    """A table in Markdown."""
    lines = ["| a client says | outcome | where to, or why not |", "| --- | --- | --- |"]
    lines += [f"| {_cell(row.name)} | {row.outcome.value} | {_shown(row)} |" for row in rows]
    return "\n".join(lines)


def _shown(row: Row) -> str:
    shown = [f"`{place}`" for place in row.targets[:_TARGETS_MAX]]
    if len(row.targets) > _TARGETS_MAX:
        shown.append(f"and {len(row.targets) - _TARGETS_MAX} more")
    return " ".join(part for part in (", ".join(shown), _cell(row.note)) if part)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
