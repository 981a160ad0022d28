"""Small documents that the workers of one machine change one after the other, and which of the workers live.

Whoever changes a document holds the lock of its file meanwhile (``flock``), for some microseconds. Whoever lives holds
the lock of a file of its own. Both end with the process, however it ends: nothing has to expire.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["SlotFiles"]

_BYTES_MAX: Final = 256 * 1024
_OPEN_MAX: Final = 256
_MODE: Final = 0o600


class SlotFiles:
    """The documents in ``directory``, for the process ``holder``; a name of either is one of a file.

    No call waits.
    """

    def __init__(self, directory: Path, holder: str) -> None:
        self._directory = directory
        self._open: dict[str, int] = {}
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._life = os.open(self._life_of(holder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        fcntl.flock(self._life, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def exchange(self, name: str, change: Callable[[bytes], bytes | None]) -> bool:
        """Replace a document by what ``change`` makes of it, one line; None: it stays. False: somebody else is at it.

        Raises:
            OSError: the file cannot be read or written.
        """
        file = self._file(name)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            document = change(_line(os.pread(file, _BYTES_MAX, 0)))
            if document is not None:
                # What is left of a longer one stands behind the line's end: there is no moment without a whole one.
                os.pwrite(file, document + b"\n", 0)
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
        return True

    def peek(self, name: str) -> bytes:
        """The document as it is now.

        Raises:
            OSError: it cannot be read.
        """
        return _line(os.pread(self._file(name), _BYTES_MAX, 0))

    def is_gone(self, holder: str) -> bool:
        """Whether a process lives no more; what told of its life is removed then."""
        path = self._life_of(holder)
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            path.unlink(missing_ok=True)
            return True
        finally:
            os.close(file)

    def close(self) -> None:
        """Let go of everything."""
        for file in (*self._open.values(), self._life):
            os.close(file)
        self._open.clear()

    def _file(self, name: str) -> int:
        file = self._open.get(name)
        if file is None:
            if len(self._open) >= _OPEN_MAX:
                os.close(self._open.pop(next(iter(self._open))))
            path = self._directory / f"slots-{name}.json"
            file = self._open[name] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        return file

    def _life_of(self, holder: str) -> Path:
        return self._directory / f"lives-{holder.rpartition('/')[2]}"


def _line(data: bytes) -> bytes:
    return data.partition(b"\n")[0]
