"""Any module can be imported first and alone, and importing it does nothing but define names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.code_base import PACKAGE, expect_none, sources

PROBE = Path(__file__).with_name("import_probe.py")
IMPORT_MICROSECONDS_MAX = 300_000


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


def test_every_module_can_be_imported_first_and_does_nothing() -> None:
    expect_none(probe([source.name for source in sources()], PACKAGE.parent))


def test_an_import_with_effects_is_noticed_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text("try:\n    open('/nowhere/made', 'w')\nexcept OSError:\n    pass\n")
    (tmp_path / "second.py").write_text("import socket\nsocket.getaddrinfo('127.0.0.1', 1)\n")
    (tmp_path / "third.py").write_text("import does_not_exist\n")
    (tmp_path / "zeroth.py").write_text("from second import socket\n")
    found = probe(["zeroth", "first", "second", "third"], tmp_path)
    assert [line.partition(":")[0] for line in found] == ["second", "first", "third"]


@pytest.mark.parametrize(
    "files",
    [
        {"one": "VALUE = 1\nfrom pack.two import OTHER\n", "two": "from pack.one import VALUE\nOTHER = 2\n"},
        {"one": "VALUE = 1\nfrom pack import two\n", "two": "from pack import one\n"},
        # A package that needs what needs one of its modules.
        {
            "one/__init__": "from pack.two import VALUE\n",
            "one/side": "VALUE = 1",
            "two": "from pack.one.side import VALUE",
        },
        # What is there only if somebody else imported it.
        {"one": "", "two": "import pack.one\n"},
    ],
)
def test_an_import_that_rests_on_an_order_is_noticed(tmp_path: Path, files: dict[str, str]) -> None:
    """Whoever imports ``one`` first is well, whoever imports ``two`` first may not be."""
    for name, text in {"__init__": "", **files}.items():
        file = tmp_path / "pack" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = probe(["pack.one", "pack.two"], tmp_path)
    assert [line.partition(":")[0] for line in found] == ["pack.two"]


def test_a_package_and_its_modules_may_need_one_another(tmp_path: Path) -> None:
    """The package begins first in any order."""
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("FIRST = 1\nfrom pack.one import VALUE\n")
    (package / "one.py").write_text("from pack import FIRST\nfrom pack.two import VALUE\n")
    (package / "two.py").write_text("VALUE = 1\n")
    assert probe(["pack.two", "pack.one", "pack"], tmp_path) == []


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
