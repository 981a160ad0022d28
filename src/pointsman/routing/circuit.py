"""A circuit breaker: closed while all is well, open after failures, half-open when one request at a time may try."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["Circuit"]

_PROBE_SECONDS: Final = 30.0
"""So long nobody else tries while one does; a probe that has not been answered by then says nothing any more."""


class Circuit(msgspec.Struct, kw_only=True, eq=False):
    """Moments are monotonic seconds.

    ``rests_until`` 0: closed. Ahead: open, nothing is sent if it can be helped. Past: half-open, and while
    ``probe_until`` lies ahead somebody is trying. ``opened_at`` is when it was opened last.
    """

    rests_until: float = 0.0
    probe_until: float = 0.0
    opened_at: float = 0.0

    def admits(self, now: float) -> bool:
        """Whether a request may be sent, in an open circuit or beside a probe none."""
        return not self.rests_until or (self.rests_until <= now and self.probe_until <= now)

    def state(self, now: float) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if not self.rests_until:
            return "closed"
        return "open" if self.rests_until > now else "half-open"

    def open(self, now: float, seconds: float) -> None:
        """Send nothing for so long; of two such moments the later one counts."""
        self.rests_until = max(self.rests_until, now + seconds)
        self.opened_at = now
        self.probe_until = 0.0

    def probe(self, now: float) -> None:
        """A request is sent to find out; until it is answered, others keep away."""
        self.rests_until = self.rests_until or now
        self.probe_until = now + _PROBE_SECONDS

    def answered(self, sent_at: float) -> None:
        """There was an answer to what was sent then; if that was before the circuit opened, it proves nothing."""
        if sent_at >= self.opened_at:
            self.rests_until = self.probe_until = 0.0
