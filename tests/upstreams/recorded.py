"""What a fake upstream remembers of each request."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec

__all__ = ["RecordedRequest"]


class RecordedRequest:
    """One request as it came in. Times are ``time.monotonic()`` seconds.

    ``finished_at`` is set when the whole reply was handed to the kernel, ``closed_at`` when the peer closed the
    connection; ``aborted`` tells that it did so before the reply was finished.
    """

    def __init__(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        connection_id: int,
    ) -> None:
        self.method = method
        self.target = target
        self.path = target.split("?", 1)[0]
        self.headers = tuple(headers)
        self.body = body
        self.connection_id = connection_id
        self.received_at = time.monotonic()
        self.finished_at: float | None = None
        self.closed_at: float | None = None
        self.reply_label = ""
        self._closed = threading.Event()
        self._finished = threading.Event()

    def __repr__(self) -> str:
        return f"<{self.method} {self.target} on connection {self.connection_id}, answered: {self.reply_label!r}>"

    @property
    def aborted(self) -> bool:
        """Whether the peer left before the reply was finished."""
        return self.closed_at is not None and self.finished_at is None

    def header(self, name: str) -> str | None:
        """The first value of a header, any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    def wait_closed(self, timeout: float) -> float:
        """The moment at which the peer closed the connection; fails if it does not within ``timeout`` seconds."""
        if not self._closed.wait(timeout) or self.closed_at is None:
            message = f"{self!r} was not closed by the peer within {timeout} s"
            raise AssertionError(message)
        return self.closed_at

    def wait_finished(self, timeout: float) -> float:
        """The moment at which the reply was sent in full."""
        if not self._finished.wait(timeout) or self.finished_at is None:
            message = f"{self!r} was not answered in full within {timeout} s"
            raise AssertionError(message)
        return self.finished_at

    def mark_closed(self, moment: float) -> None:
        """The peer has gone (called by the server)."""
        if self.closed_at is None:
            self.closed_at = moment
            self._closed.set()

    def mark_finished(self) -> None:
        """The reply is out (called by the server)."""
        self.finished_at = time.monotonic()
        self._finished.set()
