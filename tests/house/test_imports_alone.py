"""Any module can be imported first and alone, and importing it does nothing but define names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.code_base import PACKAGE, expect_none, sources

PROBE = Path(__file__).with_name("import_probe.py")
IMPORT_MICROSECONDS_MAX = 300_000
BATCH = 25


def probe(names: list[str], path: Path) -> list[str]:
    """What importing each of ``names`` from ``path`` did that it should not."""
    done = subprocess.run(
        [sys.executable, "-B", str(PROBE), *names],
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def batches() -> list[list[str]]:
    """All modules, a few at a time: each is imported with all that it needs, so that many are the work of a minute."""
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in sorted(PACKAGE.rglob("*.py"))]
    modules = [name.removesuffix(".__init__") for name in names]
    return [modules[start : start + BATCH] for start in range(0, len(modules), BATCH)]


@pytest.mark.parametrize("names", batches(), ids=lambda names: f"{names[0]} to {names[-1]}")
def test_every_module_imports_alone_and_without_effects(names: list[str]) -> None:
    expect_none(probe(names, PACKAGE.parent))


def test_no_module_is_left_out() -> None:
    assert sorted(name for names in batches() for name in names) == sorted(source.name for source in sources())


def test_an_import_with_effects_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("try:\n    open('/nowhere/made', 'w')\nexcept OSError:\n    pass\n")
    (tmp_path / "second.py").write_text("import socket\nsocket.getaddrinfo('127.0.0.1', 1)\n")
    (tmp_path / "third.py").write_text("import does_not_exist\n")
    found = probe(["first", "second", "third"], tmp_path)
    assert [line.partition(":")[0] for line in found] == ["first", "second", "third"]


def test_importing_the_package_loads_nothing_else_and_is_quick() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import sys, pointsman; print(*sys.modules)"],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.partition(".")[0] == "pointsman"} == {"pointsman"}
    assert loaded.isdisjoint(
        {"apsw", "click", "httptools", "msgspec", "rich", "starlette", "uvicorn", "uvloop", "yaml"}
    )
    line = next(line for line in done.stderr.splitlines() if line.rpartition("|")[2].strip() == "pointsman")
    assert int(line.split("|")[1]) < IMPORT_MICROSECONDS_MAX
