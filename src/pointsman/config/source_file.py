"""Reads one configuration file from the disk, bounded and checked, and remembers what it read."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final

from pointsman.config.findings import ConfigRefused, Place, SourceFile

__all__ = ["FILE_BYTES_MAX", "digest_of", "read_source"]

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"""One file. Ten thousand deployments take about 2 MiB; beyond that it is not a configuration."""

_UNPRINTABLE: Final = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.1, section 5.1, allows in no place; NUL is one of them."""


def digest_of(data: bytes) -> bytes:
    """A fingerprint by which two states of a file are told apart."""
    return hashlib.blake2b(data, digest_size=16).digest()


def read_source(path: Path) -> tuple[str, SourceFile]:
    """The text of a file and what to remember of it.

    Raises:
        ConfigRefused: missing, not a plain file, unreadable, over :data:`FILE_BYTES_MAX`, or not UTF-8 text.
    """
    place = Place(str(path))
    try:
        data = _read_bytes(path, place)
    except FileNotFoundError:
        raise ConfigRefused.at(place, "the file does not exist", "Check the path.") from None
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else "not a usable path"
        raise ConfigRefused.at(place, f"the file cannot be read: {reason}") from None
    return _text(data, str(path)), SourceFile(path, digest_of(data))


def _read_bytes(path: Path, place: Place) -> bytes:
    # Without O_NONBLOCK, opening a named pipe that nobody writes to would never return.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _demand_plain(os.fstat(descriptor).st_mode, place)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(data) > FILE_BYTES_MAX:
        limit = f"{FILE_BYTES_MAX // (1024 * 1024)} MiB"
        raise ConfigRefused.at(place, f"the file is larger than {limit}", "Is it the right file?")
    return data


def _demand_plain(mode: int, place: Place) -> None:
    if stat.S_ISDIR(mode):
        raise ConfigRefused.at(place, "this is a folder, not a file", "Name the file inside it.")
    if not stat.S_ISREG(mode):
        raise ConfigRefused.at(place, "this is not a plain file", "Only a plain file can be watched for changes.")


def _text(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = data[: problem.start].decode("utf-8-sig", "replace")
        raise ConfigRefused.at(
            _place_after(before, file), "this is not UTF-8 text", "Save the file as UTF-8."
        ) from None
    if found := _UNPRINTABLE.search(text):
        character = f"U+{ord(found[0]):04X}"
        raise ConfigRefused.at(
            _place_after(text[: found.start()], file),
            f"the character {character} is not allowed in YAML",
            "Write it as an escape in double quotes, or remove it.",
        )
    return text


def _place_after(before: str, file: str) -> Place:
    line = before.count("\n") + 1
    return Place(file, line, len(before) - (before.rfind("\n") + 1) + 1)
