"""Migrations are numbered one after the other, so that each database knows which it lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import pytest

from pointsman.stores.postgres.migrate import shipped as postgres_steps
from pointsman.stores.sqlite.migrate import shipped as sqlite_steps


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


@pytest.mark.parametrize("steps", [sqlite_steps, postgres_steps], ids=["sqlite", "postgres"])
def test_each_number_is_there_once(steps: Callable[[], Sequence[Numbered]]) -> None:
    numbers = [step.number for step in steps()]
    assert numbers == list(range(1, len(numbers) + 1))
