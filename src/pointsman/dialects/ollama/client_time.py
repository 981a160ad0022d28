"""Times as Go writes them: RFC 3339 in UTC, with nine digits behind the second."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

__all__ = ["LineClock", "rfc3339"]

_NANOSECONDS: Final = 1_000_000_000


class LineClock:
    """Gives each line its time; all lines of one second share the calendar's work."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def text(self, seconds: float) -> bytes:
        """A time since the epoch."""
        second = int(seconds // 1)
        rest = int((seconds - second) * _NANOSECONDS)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        return b"%b.%09dZ" % (self._text, rest)


def rfc3339(seconds: float) -> str:
    """A time since the epoch."""
    return LineClock().text(seconds).decode()
