"""ARCHITECTURE.md shows the tree as it is: every room is drawn, and none is called planned that is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house.code_base import PACKAGE, ROOT, expect_none

ROW = re.compile(r"^[├└]── (\w+)(?:/|\.py) *(○?)", re.MULTILINE)


def drawn() -> dict[str, bool]:
    """The rooms of the drawing; True for those marked as planned."""
    text = Path(ROOT, "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {name: bool(mark) for name, mark in ROW.findall(text)}
    assert len(rooms) > 10
    return rooms


def built() -> set[str]:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return packages | {path.stem for path in PACKAGE.glob("*.py")}


def test_every_room_is_drawn() -> None:
    expect_none(sorted(built() - set(drawn()) - {"__main__"}))


def test_no_room_that_is_there_is_called_planned() -> None:
    expect_none(sorted(name for name, planned in drawn().items() if planned and name in built()))
