"""What Prometheus is told of the process itself."""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path

import pytest

from pointsman.assembly.gauges import Truncations, resident_bytes

BLOCK_BYTES = 64 * 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the peak is told")
def test_resident_memory_falls_when_memory_is_given_back() -> None:
    before = resident_bytes()
    block = bytearray(b"x") * BLOCK_BYTES
    held = resident_bytes()
    del block
    assert held - before > BLOCK_BYTES * 0.9
    assert held - resident_bytes() > BLOCK_BYTES * 0.9


@pytest.mark.parametrize("text", [None, "", "12", "a b"])
def test_without_proc_the_peak_is_told(tmp_path: Path, text: str | None) -> None:
    statm = tmp_path / "statm"
    if text is not None:
        statm.write_text(text)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert resident_bytes(statm) >= peak > 1_000_000


def test_cut_prompts_are_told_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    truncations = Truncations()
    with caplog.at_level(logging.WARNING, "pointsman"):
        truncations.tell("llama-1", 9000, 4096)
        truncations.tell("llama-1", 9000, 4096)
    assert truncations.count == 2
    assert "llama-1 counted only 4096 tokens of a prompt of about 9000" in caplog.text
