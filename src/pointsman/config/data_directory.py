"""Where everything that is written goes, unless the operator says otherwise."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["default_data_directory", "in_container"]

_NAME: Final = "pointsman"
_CONTAINER_MARKS: Final = (".dockerenv", "run/.containerenv")


def default_data_directory(environment: Mapping[str, str], *, container: bool, platform: str = sys.platform) -> Path:
    """The folder for our data; it need not exist yet.

    The platform's folder for data of programs, or ``data`` below the working directory: in a container, where the
    former is lost with it, and for a user who has no home.
    """
    here = Path("data")
    if container:
        return here
    if platform == "win32":
        local = environment.get("LOCALAPPDATA", "").strip()
        return Path(local) / _NAME if local else here
    home = _home(environment)
    if platform == "darwin":
        return home / "Library" / "Application Support" / _NAME if home else here
    stated = environment.get("XDG_DATA_HOME", "").strip()
    if stated.startswith("/"):  # the XDG specification says to ignore a relative one
        return Path(stated) / _NAME
    return home / ".local" / "share" / _NAME if home else here


def in_container(environment: Mapping[str, str], root: Path = Path("/")) -> bool:
    """Whether this process runs in Docker, Podman or Kubernetes."""
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return True
    return any((root / mark).exists() for mark in _CONTAINER_MARKS)


def _home(environment: Mapping[str, str]) -> Path | None:
    stated = environment.get("HOME", "").strip()
    if stated.startswith("/") and stated != "/":
        return Path(stated)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() and home != Path("/") else None
