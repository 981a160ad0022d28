"""What leaves the house in one turn of the event loop: first the records, all in one write, then the answers.

An answer must not be complete before its record is safe, and a write to disk costs as much as relaying the whole
answer. So what a turn finishes is gathered: one write takes its records, and then the last bytes of its answers go out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pointsman.core.outcome import CallRecord

__all__ = ["Crowd", "Journal", "Leaving", "Outbox"]


class Journal(Protocol):
    """Where call records go."""

    def append(self, record: CallRecord) -> None:
        """Take the record; it is safe after the next :meth:`flush`."""
        ...

    def flush(self) -> None:
        """Make everything taken outlive this process. Does not raise."""
        ...


class Leaving(Protocol):
    """A connection with the last bytes of an answer to send."""

    def leave(self, data: bytes) -> None:
        """Send them; the connection may be gone."""
        ...


class Crowd(Protocol):
    """Counts the requests that are under way."""

    in_flight: int


class Outbox:
    """Gathers records and answers. ``soon`` calls back at the end of the loop's turn, or soon after.

    Each story calls :meth:`gathered` when it has nothing more to give. With no other request under way there is nothing
    to wait for, so everything leaves at once.
    """

    __slots__ = ("_answers", "_crowd", "_journal", "_soon", "_waits", "keep")

    def __init__(self, journal: Journal, soon: Callable[[Callable[[], None]], object], crowd: Crowd) -> None:
        self._journal = journal
        self._soon = soon
        self._crowd = crowd
        self._answers: list[tuple[Leaving, bytes]] = []
        self._waits = False
        self.keep: Callable[[CallRecord], None] = journal.append
        """Record a call."""

    def post(self, connection: Leaving, data: bytes) -> None:
        """Send the last bytes of an answer, once every record kept before is safe."""
        self._answers.append((connection, data))

    def gathered(self) -> None:
        """A story is over: let its record and its answer go, with those of others if there are any."""
        if not self._crowd.in_flight:
            self._let_go()
        elif not self._waits:
            self._waits = True
            self._soon(self.flush)

    def flush(self) -> None:
        """The turn is over."""
        self._waits = False
        self._let_go()

    def _let_go(self) -> None:
        self._journal.flush()
        answers = self._answers
        self._answers = []
        for connection, data in answers:
            connection.leave(data)
