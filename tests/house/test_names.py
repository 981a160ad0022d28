"""A file is named after the concept it holds; names that hold anything are not used."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.house.code_base import ROOT, expect_none

BANNED_NAMES = frozenset({"base", "common", "functions", "misc", "shared", "stuff"})
BANNED_WORDS = frozenset({"helper", "helpers", "manager", "managers", "util", "utils"})
BANNED_SUFFIXES = ("_v2", "_v3", "_new", "_old", "_legacy", "_deprecated")


def objections(place: str) -> list[str]:
    parts = PurePosixPath(place).with_suffix("").parts
    return [f"{place}: '{part}' says nothing about what is inside" for part in parts if says_nothing(part)]


def says_nothing(part: str) -> bool:
    return part in BANNED_NAMES or bool(BANNED_WORDS & set(part.split("_"))) or part.endswith(BANNED_SUFFIXES)


def test_every_file_is_named_after_its_concept() -> None:
    places = [
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "tests", "scripts", "bench")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(places) > 20
    expect_none(found for place in places for found in objections(place))


@pytest.mark.parametrize("place", ["a/utils.py", "a/key_manager.py", "base.py", "common/x.py", "limiter_v3.py"])
def test_an_empty_name_is_objected_to(place: str) -> None:
    assert objections(place)


@pytest.mark.parametrize("place", ["stores/database.py", "config/base_model.py", "policies/access.py"])
def test_a_name_that_tells_is_accepted(place: str) -> None:
    assert objections(place) == []
