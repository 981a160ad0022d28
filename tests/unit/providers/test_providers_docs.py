"""``docs/providers.md`` is what its script makes of the rows."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pointsman.providers.registry import providers

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "make_providers_docs.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_providers_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_is_current(script: ModuleType) -> None:
    assert script.TARGET == ROOT / "docs" / "providers.md"
    assert script.TARGET.read_text(encoding="utf-8") == script.rendered()


def test_the_document_names_every_prefix_and_variable(script: ModuleType) -> None:
    text = script.rendered()
    for prefix, provider in providers().items():
        variables = (*provider.keys, *provider.bases, *provider.needs)
        assert all(f"`{name}`" in text or f"{{{name}}}" in text for name in (prefix, *variables))


def test_check_tells_a_document_that_is_not_current(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "TARGET", tmp_path / "providers.md")
    monkeypatch.setattr(sys, "argv", ["make_providers_docs.py", "--check"])
    assert script.main() == 1
    assert "not current" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["make_providers_docs.py"])
    assert script.main() == 0
    monkeypatch.setattr(sys, "argv", ["make_providers_docs.py", "--check"])
    assert script.main() == 0
