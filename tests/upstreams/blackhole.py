"""An address that swallows connection attempts: neither accepted nor refused, like a host behind a DROP rule."""

from __future__ import annotations

import socket
from typing import Final, Self

__all__ = ["Blackhole"]

_FILLERS: Final = 8


class Blackhole:
    """A listener that never accepts and whose queue is full, so that further SYNs go unanswered (on Linux)."""

    def __init__(self) -> None:
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._fillers: list[socket.socket] = []

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        for _ in range(_FILLERS):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)
        return self

    def __exit__(self, *_: object) -> None:
        for each in (*self._fillers, self._listener):
            each.close()
