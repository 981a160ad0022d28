"""What SQLite's errors mean to an operator; the one place where they are translated.

Source of the error classes: https://sqlite.org/rescode.html, as apsw names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from pointsman.core.errors import StorageUnavailable

__all__ = ["for_operators", "translated", "unavailable"]

_MEANINGS: Final[tuple[tuple[tuple[type[apsw.Error], ...], str, str], ...]] = (
    (
        (apsw.BusyError, apsw.LockedError, apsw.ProtocolError),
        "is locked by another process",
        "See which program holds it open (a backup, a database browser) and let it finish.",
    ),
    ((apsw.FullError,), "cannot grow: the disk is full", "Make room on that disk; nothing recorded is lost meanwhile."),
    (
        (apsw.CorruptError, apsw.NotADBError),
        "is damaged or is no SQLite database",
        "Stop, put the file aside and restore a backup, or recover it with: sqlite3 FILE .recover",
    ),
    (
        (apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError, apsw.ReadOnlyError),
        "cannot be opened for writing",
        "Check that it and its folder exist and belong to the user who runs the gateway.",
    ),
    ((apsw.InterruptError,), "did not answer in time", "Ask for less at once, or try again when there is less to do."),
    ((apsw.IOError,), "cannot be read or written", "Check the disk and the mount."),
)
_ELSE: Final = ("failed", "See the cause in the log.")


_NO_CAUSE: Final = "not an error"
"""What is said where no statement failed but a step of a copy."""


def unavailable(path: Path, what: str, hint: str, said: str = "") -> StorageUnavailable:
    """The error that says ``what`` is wrong; where the file is, and what SQLite ``said``, is not for clients."""
    error = StorageUnavailable(f"The database {what}.", hint=hint)
    error.detail = f"{path}: {said}" if said else str(path)
    return error


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise ``StorageUnavailable`` in place of SQLite's errors.

    A violated constraint is not translated: it is about what was written, and the stores know what it means.
    """
    try:
        yield
    except apsw.ConstraintError:
        raise
    except apsw.Error as error:
        what, hint = next((words for kinds, *words in _MEANINGS if isinstance(error, kinds)), _ELSE)
        said = str(error)
        raise unavailable(path, what, hint, "" if said == _NO_CAUSE else said) from error


@contextmanager
def for_operators() -> Iterator[None]:
    """Have the errors tell where the file is, since operators read them, and no clients."""
    try:
        yield
    except StorageUnavailable as error:
        if not error.detail:
            raise
        raise StorageUnavailable(f"{error.message} It is {error.detail}.", hint=error.hint) from error
