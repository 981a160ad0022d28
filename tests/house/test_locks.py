"""The locks hold what pyproject.toml asks for, hashed, and serving runs what was tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.code_base import ROOT

SETS = ("runtime", "demo", "dev")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def lock_text(name: str) -> str:
    return Path(ROOT, "requirements", f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    found = dict(PIN.findall(lock_text(name)))
    assert len(found) > 10
    return found


def asked_for(name: str) -> list[Requirement]:
    """The direct requirements of one set, as pyproject.toml states them."""
    project = tomllib.loads(Path(ROOT, "pyproject.toml").read_text(encoding="utf-8"))
    lines = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    if name in {"demo", "dev"}:
        lines += project["project"]["optional-dependencies"]["demo"]
    if name == "dev":
        lines += [line for line in project["dependency-groups"]["dev"] if isinstance(line, str)]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", SETS)
def test_every_direct_requirement_is_pinned_to_a_version_it_allows(name: str) -> None:
    pinned = pins(name)
    wrong = [
        str(requirement)
        for requirement in asked_for(name)
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"), prereleases=True)
    ]
    assert wrong == [], "run: sh scripts/lock"


@pytest.mark.parametrize("name", SETS)
def test_every_pin_has_a_hash_and_no_place(name: str) -> None:
    text = lock_text(name)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
    assert len(blocks) == len(pins(name))
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text
    assert re.search(r"^--|--(extra-)?index-url|--find-links", text, re.MULTILINE) is None


def test_a_larger_set_holds_the_smaller_ones_in_the_same_versions() -> None:
    assert pins("runtime").items() <= pins("demo").items() <= pins("dev").items()
