"""What is counted of a deployment whose limits or pace decide where requests go."""

from __future__ import annotations

from typing import Final

from pointsman.accounting.windows import SlidingMinute
from pointsman.routing.terms import Tallies

__all__ = ["Meter"]

_RISE: Final = 0.1
_FALL: Final = 0.5
_RISE_MAX: Final = 4.0


class Meter:
    """Requests and tokens of the last minute, and how long an ordinary call takes. Moments are monotonic seconds.

    Without ``counts`` only the latter is known. ``usual_seconds`` is 0 while nothing is known. It falls fast and rises
    slowly, so that a call that had to wait for its model to be loaded is not taken for an ordinary one; after a single
    one, which probably had to, it is not ``proven``. ``tallies`` are kept where there are limits of other kinds.
    ``elsewhere`` are requests and tokens that other processes gave it in the last minute, as far as they have told.
    """

    __slots__ = ("elsewhere", "proven", "requests", "tallies", "tokens", "usual_seconds")

    def __init__(self, *, counts: bool = True) -> None:
        self.requests = SlidingMinute() if counts else None
        self.tokens = SlidingMinute() if counts else None
        self.usual_seconds = 0.0
        self.tallies: Tallies | None = None
        self.proven = False
        self.elsewhere = (0, 0)

    def count(self) -> None:
        """Count requests and tokens from now on, too."""
        self.requests = self.requests or SlidingMinute()
        self.tokens = self.tokens or SlidingMinute()

    def requests_used(self, second: int) -> int:
        """Requests of the last minute."""
        return self.elsewhere[0] if self.requests is None else self.requests.used(second) + self.elsewhere[0]

    def tokens_used(self, second: int) -> int:
        """Tokens of the last minute, those that are expected of calls under way included."""
        return self.elsewhere[1] if self.tokens is None else self.tokens.used(second) + self.elsewhere[1]

    def began(self, tokens: int, now: float) -> None:
        """A request was given to the deployment; ``tokens`` is what it will probably use."""
        if self.requests is not None and self.tokens is not None:
            second = int(now)
            self.requests.add(1, second)
            self.tokens.add(tokens, second)

    def ended(self, expected: int, used: int, began_at: float, now: float) -> None:
        """A request has ended well: ``used`` counts in place of the tokens that were ``expected``."""
        if self.tokens is not None:
            self.tokens.replace(expected, int(began_at), used, int(now))
        seconds, usual = now - began_at, self.usual_seconds
        self.proven = usual > 0.0
        if not usual or seconds < usual:
            self.usual_seconds = usual + (seconds - usual) * _FALL if usual else seconds
        else:
            self.usual_seconds = usual + (min(seconds, usual * _RISE_MAX) - usual) * _RISE
