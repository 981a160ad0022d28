"""What became of each thing that was to be taken over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import click
import msgspec

from pointsman.cli.remote.tables import Column, print_json, print_rows

__all__ = ["Item", "Outcome", "Report"]

Outcome = Literal["imported", "unchanged", "kept", "skipped"]
"""``unchanged``: here already, just so; ``kept``: here already and different, so it stays as it is here."""

_OUTCOMES: Final[tuple[Outcome, ...]] = ("imported", "unchanged", "kept", "skipped")


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing: what it is, its id, a name for people, what was done, and in what it differs from LiteLLM's."""

    kind: str
    id: str
    outcome: Outcome
    name: str | None = None
    notes: tuple[str, ...] = ()


class Report(msgspec.Struct):
    """All of them, in the order in which they were looked at, and the database that they go ``into``."""

    dry_run: bool
    into: str = ""
    items: list[Item] = []

    def add(
        self, kind: str, identity: str, outcome: Outcome, *, name: str | None = None, notes: Iterable[str] = ()
    ) -> None:
        """Put one more in."""
        self.items.append(Item(kind, identity, outcome, name, tuple(notes)))

    def print(self, *, as_json: bool) -> None:
        """Print it: how many of each kind, and every single one about which there is something to say."""
        if as_json:
            print_json(msgspec.json.encode(self))
            return
        print_rows(_columns(), _sums(self.items), "things to take over")
        told = [item for item in self.items if item.notes]
        if told:
            click.echo()
        for item in told:
            named = f" ({item.name})" if item.name else ""
            click.echo(f"{item.kind} {item.id}{named}: {item.outcome}")
            for note in item.notes:
                click.echo(f"  - {note}")
        if self.into:
            click.echo(f"\nThey {'would go' if self.dry_run else 'went'} into {self.into}.", err=True)
        if self.dry_run:
            click.echo("\nNothing was written: this was a dry run.", err=True)


def _columns() -> Sequence[Column]:
    return (Column("WHAT", "kind"), *(Column(one.upper(), one, right=True) for one in _OUTCOMES))


def _sums(items: Sequence[Item]) -> list[dict[str, object]]:
    counts = Counter((item.kind, item.outcome) for item in items)
    kinds = dict.fromkeys(item.kind for item in items)
    return [{"kind": kind, **{one: counts[kind, one] for one in _OUTCOMES}} for kind in kinds]
