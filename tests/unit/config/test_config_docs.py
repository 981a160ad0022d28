"""``docs/configuration.md`` is what its script makes of the code."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pointsman.config.environment import VARIABLES
from pointsman.config.known_keys import known_keys

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "make_config_docs.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_config_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_is_current(script: ModuleType) -> None:
    assert script.TARGET == ROOT / "docs" / "configuration.md"
    assert script.TARGET.read_text(encoding="utf-8") == script.rendered()


def test_the_document_names_every_key_and_variable(script: ModuleType) -> None:
    named = set(re.findall(r"`([A-Za-z_0-9]+)`", script.rendered()))
    assert {key for keys in known_keys().keys.values() for key in keys} <= named
    assert set(VARIABLES) <= named


def test_check_tells_a_document_that_is_not_current(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "TARGET", tmp_path / "configuration.md")
    monkeypatch.setattr(sys, "argv", ["make_config_docs.py", "--check"])
    assert script.main() == 1
    assert "not current" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["make_config_docs.py"])
    assert script.main() == 0
    monkeypatch.setattr(sys, "argv", ["make_config_docs.py", "--check"])
    assert script.main() == 0
