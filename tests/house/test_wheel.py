"""What users install: the wheel holds the package and its licence, asks for little, and hooks into nothing."""

from __future__ import annotations

import email.message
import email.parser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.code_base import ROOT, sources

DIRECT_DEPENDENCIES_MAX = 12


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = Path(folder).glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    (place,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.parser.Parser().parsestr(wheel.read(place).decode())


def test_it_holds_every_module_and_the_marker_for_types(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {f"pointsman/{source.place}" for source in sources()} <= names
    assert "pointsman/py.typed" in names


def test_it_holds_nothing_but_the_package_and_its_metadata(wheel: zipfile.ZipFile) -> None:
    strange = [name for name in wheel.namelist() if not re.match(r"pointsman(/|-[^/]+\.dist-info/)", name)]
    assert strange == []
    assert [name for name in wheel.namelist() if name.endswith((".pth", ".pyc", ".so"))] == []


def test_it_carries_the_licence(wheel: zipfile.ZipFile, metadata: email.message.Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_it_asks_for_few_packages(metadata: email.message.Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert 0 < len(required) <= DIRECT_DEPENDENCIES_MAX


def test_it_installs_the_command(wheel: zipfile.ZipFile) -> None:
    (place,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "pointsman = pointsman.cli.main:main" in wheel.read(place).decode()
