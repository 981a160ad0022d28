"""The retry budget of one process: what keeps many failures from becoming a storm of attempts."""

from __future__ import annotations

from typing import Final

__all__ = ["RetryBudget"]

_WINDOW_SECONDS: Final = 30.0
_FLOOR: Final = 8.0
"""So many retries are always there in a window: with few requests a share of them would be none."""


class RetryBudget:
    """Allows retries up to a share of the requests of the last half minute, and a few more.

    Two windows stand for the last one, the former weighed by what is left of it. Requests are not told here one by one:
    whoever asks says how many there have been, and in between they are taken to have come evenly.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.denied = 0
        self._began_at = 0.0
        self._began_with = 0
        self._requests_before = 0.0
        self._spent_before = 0.0
        self._spent = 0.0

    def begin(self, now: float) -> None:
        """The process begins to take requests; ``now`` is monotonic seconds."""
        self._began_at = now

    def take(self, now: float, requests: int) -> bool:
        """Take one retry; False if there is none left. ``requests`` counts all since the start of the process."""
        self._turn(now, requests)
        left = max(0.0, 1.0 - (now - self._began_at) / _WINDOW_SECONDS)
        seen = self._requests_before * left + requests - self._began_with
        spent = self._spent_before * left + self._spent
        if spent + 1.0 > _FLOOR + self.share * seen:
            self.denied += 1
            return False
        self._spent += 1.0
        return True

    def _turn(self, now: float, requests: int) -> None:
        """Begin a new window when the former has passed."""
        age = now - self._began_at
        if age < _WINDOW_SECONDS:
            return
        came = requests - self._began_with
        self._requests_before = came * _WINDOW_SECONDS / age
        self._spent_before = self._spent if age < 2 * _WINDOW_SECONDS else 0.0
        self._spent = 0.0
        self._began_at, self._began_with = now, requests
