"""``bench/run --profile NAME``: one contender under load, watched by perf and py-spy as far as they are installed."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.launching import launch
from harness.load import run_load
from harness.rounds import warm_up
from harness.surroundings import BenchError, cache_directory

if TYPE_CHECKING:
    from harness.contenders import Contender
    from harness.load import Load
    from harness.rounds import Bench, Checks

__all__ = ["profile"]


def profile(bench: Bench, contender: Contender) -> list[Path]:
    """Profiles chats and streams; returns the files written, under the cache directory.

    Raises:
        BenchError: neither perf nor py-spy is installed.
    """
    if not (shutil.which("perf") or shutil.which("py-spy")):
        raise BenchError("neither perf nor py-spy is on the path (Debian: linux-perf; any: pip install py-spy)")
    directory = cache_directory() / "profiles"
    directory.mkdir(exist_ok=True)
    running = launch(contender, bench.cores.contender, bench.upstream.port)
    try:
        checks: Checks = {}
        warm_up(bench, running, checks)
        written: list[Path] = []
        for kind in ("small", "stream"):
            load = replace(
                bench.load(running, kind, checks[contender.name, kind]), connections=48, seconds=bench.seconds + 2
            )
            base = directory / f"{contender.name}-{kind}"
            if shutil.which("perf"):
                written.append(_perf(bench, load, running.process.pids(), base))
            if shutil.which("py-spy") and contender.name in {"pointsman", "litellm"}:
                written.append(_py_spy(bench, load, running.process.pids()[-1], base))
    finally:
        running.stop()
    return written


def _perf(bench: Bench, load: Load, pids: list[int], base: Path) -> Path:
    data, report = base.with_suffix(".perf"), base.with_suffix(".perf.txt")
    watched = ",".join(str(pid) for pid in pids)
    record = ["perf", "record", "-F", "999", "-g", "-o", str(data), "-p", watched, "--", "sleep", str(bench.seconds)]
    _under_load(bench, load, record)
    shown = subprocess.run(
        ["perf", "report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.5", "-i", str(data)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    report.write_text(shown.stdout or shown.stderr)
    return report


def _py_spy(bench: Bench, load: Load, pid: int, base: Path) -> Path:
    graph = base.with_suffix(".svg")
    seconds = str(max(1, round(bench.seconds)))
    _under_load(
        bench,
        load,
        ["py-spy", "record", "--rate", "500", "-d", seconds, "-o", str(graph), "--pid", str(pid)],
    )
    return graph


def _under_load(bench: Bench, load: Load, watcher: list[str]) -> None:
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(run_load, bench.binaries.loadgen, load)
        done = subprocess.run(watcher, capture_output=True, text=True, check=False, timeout=bench.seconds + 120)
        loading.result()
    if done.returncode != 0:
        raise BenchError(f"{watcher[0]} failed: {done.stderr[-1000:]}")
