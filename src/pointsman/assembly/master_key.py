"""The master key: configured, or made at the first start and kept in the data directory for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pointsman.assembly.plan import ServePlan
from pointsman.config.load import Loaded
from pointsman.core.clock import fresh_token
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret

__all__ = ["MasterKey", "kept_master_key", "master_key"]


class MasterKey(msgspec.Struct, frozen=True):
    """The key, and whether it has just been made, so that it has to be shown this once."""

    key: Secret
    made: bool


def master_key(plan: ServePlan, loaded: Loaded) -> tuple[Secret | None, bool]:
    """The key and whether it has just been made; None where nobody is asked for one.

    Raises:
        Misconfigured: see :func:`kept_master_key`.
    """
    if not plan.authenticate:
        return None, False
    if loaded.master_key is not None:
        return loaded.master_key, False
    kept = kept_master_key(plan.data_directory)
    return kept.key, kept.made


def kept_master_key(data_directory: Path) -> MasterKey:
    """The key kept in ``data_directory``; made if there is none.

    Raises:
        Misconfigured: the file cannot be read or written, is empty, or others can read it.
    """
    path = data_directory / "master.key"
    try:
        return MasterKey(_make(path), made=True)
    except FileExistsError:
        pass
    except OSError as error:
        message = f"The master key cannot be kept in {path}: {error.strerror}."
        hint = "Make the folder writable, name another with --data-dir, or set POINTSMAN_MASTER_KEY."
        raise Misconfigured(message, hint=hint) from None
    try:
        mode = path.stat().st_mode & 0o077
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The master key in {path} cannot be read: {error}.") from None
    if mode and os.name == "posix":
        raise Misconfigured(f"Others can read the master key in {path}.", hint=f"Run: chmod 600 {path}")
    if not text:
        raise Misconfigured(f"The master key in {path} is empty.", hint="Delete the file to have a new one made.")
    return MasterKey(Secret(text), made=False)


def _make(path: Path) -> Secret:
    key = fresh_token()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key.encode() + b"\n")
    finally:
        os.close(descriptor)
    return Secret(key)
