"""Newline-delimited JSON: cuts lines out of a stream of bytes.

Only LF ends a line (JSON text holds none unescaped); a CR before it and empty lines are dropped.
"""

from __future__ import annotations

from pointsman.core.errors import Broken
from pointsman.wire.limits import EVENT_BYTES_MAX

__all__ = ["LineSplitter"]


class LineSplitter:
    """Gives whole lines, whatever pieces the bytes come in. Work and memory are linear in the input."""

    __slots__ = ("_kept", "_kept_bytes", "_max", "_overflown")

    def __init__(self, line_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._max = line_bytes_max
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._overflown = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete with these bytes, without their ends.

        Raises:
            Broken: a line is longer than its bound. Lines before it are given first, by an earlier call or by
                this one; then the next call raises.
        """
        self._demand_bound()
        *lines, rest = data.split(b"\n")
        whole: list[bytes] = []
        for line in lines:
            if not self._take(line, whole):
                break
        else:
            self._keep(rest)
        if not whole:
            self._demand_bound()
        return whole

    def end(self) -> list[bytes]:
        """The last line, if the stream ended without an LF; it may be cut off.

        Raises:
            Broken: it is longer than its bound.
        """
        lines = self.feed(b"\n") if self._kept else []
        self._demand_bound()
        return lines

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._kept.append(rest)
            self._kept_bytes += len(rest)
            self._overflown = self._kept_bytes > self._max

    def _take(self, line: bytes, whole: list[bytes]) -> bool:
        if self._kept:
            line = b"".join((*self._kept, line))
            self._kept.clear()
            self._kept_bytes = 0
        if len(line) > self._max:
            self._overflown = True
            return False
        line = line.removesuffix(b"\r")
        if line:
            whole.append(line)
        return True

    def _demand_bound(self) -> None:
        if self._overflown:
            raise Broken(f"The upstream sent a line longer than {self._max} bytes.")
