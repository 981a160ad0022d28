"""Workers of one machine tell one another short news: each writes a file of its own and reads those of the others.

News is heard within a tenth of a second, and within half of one while nothing is asked of any upstream. A line that is
torn, late or lost is not heard, which whoever tells has to bear: it costs a failure, or a less informed decision.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from pointsman.core.clock import Clock

__all__ = ["NewsFiles"]

_LOOK_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 0.5
_FILE_BYTES_MAX: Final = 256 * 1024
_LATE_SECONDS: Final = 5.0
_log: Final = logging.getLogger("pointsman")


class _Line(msgspec.Struct, frozen=True):
    """``at`` is wall time in seconds: the clock that workers of one machine have in common."""

    at: float
    topic: str
    body: msgspec.Raw


_decode: Final = msgspec.json.Decoder(_Line).decode
_encode: Final = msgspec.json.Encoder().encode


class NewsFiles:
    """See :class:`pointsman.assembly.rest_news.Bulletin`. ``worker`` counts from 0."""

    def __init__(self, directory: Path, worker: int, workers: int, clock: Clock) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._own = _file_of(directory, worker)
        self._own.unlink(missing_ok=True)
        # What stands there from before may be of another run, and is soon over in any case.
        others = (_file_of(directory, other) for other in range(workers) if other != worker)
        self._others = {path: _size(path) for path in others}
        self._clock = clock
        self._hearers: dict[str, Callable[[bytes], None]] = {}
        self._is_failing = False

    def hear(self, topic: str, hearer: Callable[[bytes], None]) -> None:
        """See the protocol."""
        self._hearers[topic] = hearer

    def post(self, topic: str, body: bytes = b"null") -> None:
        """See the protocol; ``body`` is JSON."""
        line = _encode(_Line(self._clock.wall(), topic, msgspec.Raw(body))) + b"\n"
        try:
            if _size(self._own) + len(line) > _FILE_BYTES_MAX:
                self._own.unlink(missing_ok=True)
            with self._own.open("ab", buffering=0) as file:
                file.write(line)
        except OSError as error:
            self._complain(error)

    async def run(self, quiet: Callable[[float], Awaitable[bool]]) -> None:
        """Listen to the others; runs until cancelled.

        ``quiet`` is :meth:`pointsman.providers.transport.transport.Transport.quiet`.
        """
        while True:
            self.look()
            if not await quiet(_QUIET_SECONDS):
                await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """Tell the hearers what the others have written since the last look."""
        for path, read in self._others.items():
            size = _size(path)
            if size != read:
                self._others[path] = self._read(path, read if size > read else 0)

    def _read(self, path: Path, start: int) -> int:
        """Take the whole lines behind ``start``; gives where the next ones begin."""
        try:
            with path.open("rb") as file:
                file.seek(start)
                data = file.read(_FILE_BYTES_MAX)
        except OSError:
            return start
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].splitlines():
            self._hear(line)
        return start + whole

    def _hear(self, line: bytes) -> None:
        try:
            said = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        hearer = self._hearers.get(said.topic)
        if hearer is not None and self._clock.wall() - said.at < _LATE_SECONDS:
            hearer(bytes(said.body))

    def _complain(self, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            _log.warning(
                "Other workers cannot be told which deployments rest and what hosts are sent: %s cannot be written to"
                " (%s).",
                self._own,
                error.strerror,
            )


def _file_of(directory: Path, worker: int) -> Path:
    return directory / f"news-{worker}.jsonl"


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - at half the price, and asked for again and again
    except OSError:
        return 0
