"""A file that is there as a whole or not at all: what is written lies beside it under another name until it is done."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import click

from pointsman.core.clock import short_id
from pointsman.core.errors import Misconfigured

__all__ = ["STANDARD_OUTPUT", "output_file"]

STANDARD_OUTPUT: Final = "-"


@contextlib.contextmanager
def output_file(name: str) -> Iterator[BinaryIO]:
    """Where to write what ``name`` is to hold; ``-`` is standard output.

    Whatever ends the writing early, a file that was there before stays as it was, and somebody is told so.

    Raises:
        Misconfigured: it cannot be written.
        OSError: standard output cannot.
    """
    is_done = False
    try:
        with _opened(name) as file:
            yield file
        is_done = True
    except OSError as error:
        if name == STANDARD_OUTPUT:
            raise
        hint = "What was there before is there still. Name another file with --output."
        raise Misconfigured(f"{name} cannot be written: {error.strerror}.", hint=hint) from None
    finally:
        if not is_done:
            said = "What was written is not all of it." if name == STANDARD_OUTPUT else f"{name} was not written."
            click.echo(said, err=True)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    target = Path(name).resolve()
    if target.exists() and not target.is_file():
        # A pipe or a device: nothing can be put in its place.
        with target.open("wb") as file:
            yield file
        return
    part = target.with_name(short_id(f".{target.name}.") + ".part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            part.chmod(target.stat().st_mode & 0o777)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
