"""Who uses a database at this moment, so that nothing is taken away under a gateway that runs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from pointsman.cli.db.places import Place, told
from pointsman.core.errors import Misconfigured

__all__ = ["demand_unused", "users_of"]

# What every connection to a file in write-ahead mode holds for as long as it is open, and lets others hold too:
# https://www.sqlite.org/src/file/src/os.h (PENDING_BYTE, SHARED_FIRST, SHARED_SIZE).
_SHARED_FIRST: Final = 0x40000000 + 2
_SHARED_BYTES: Final = 510
_SHOWN_MAX: Final = 3


async def users_of(place: Place) -> tuple[str, ...]:
    """The names of the processes that use a database; of a file only that there is one.

    This process may not have the file open: it would let go of its own locks.

    Raises:
        StorageUnavailable, Misconfigured: nobody can say.
    """
    if not isinstance(place, Path):
        return await place.users()
    return ("another process",) if _is_open_elsewhere(place) else ()


async def demand_unused(place: Place) -> None:
    """Let pass what may be written over.

    Raises:
        Misconfigured: somebody uses it.
        StorageUnavailable: nobody can say.
    """
    users = await users_of(place)
    if not users:
        return
    shown = ", ".join(users[:_SHOWN_MAX]) + (f" and {len(users) - _SHOWN_MAX} more" if len(users) > _SHOWN_MAX else "")
    what = (
        "a process that ends without notice is counted for 30 s more" if not isinstance(place, Path) else "it is open"
    )
    raise Misconfigured(
        f"{told(place)} is in use by {shown} ({what}).",
        hint="Stop every gateway that uses it. With --force it is done nevertheless: what they hold in memory is then "
        "wrong, and what they record meanwhile may be lost.",
    )


def _is_open_elsewhere(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_FIRST)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(file)
