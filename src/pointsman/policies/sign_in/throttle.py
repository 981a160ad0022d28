"""How often somebody may be wrong before they have to wait: by account, by address, and by both together.

An address that was wrong too often has to wait, whatever account it tries. An account that many addresses were wrong
about is slowed down for all but those that its owner has signed in from, whom nobody can keep out like this. What is
remembered is bounded; the oldest is forgotten first.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from hashlib import sha256
from typing import Final

import msgspec

from pointsman.core.clock import SYSTEM_CLOCK, Clock
from pointsman.core.errors import LimitReached

__all__ = ["Throttle", "ThrottleSettings"]

REMEMBERED_MAX: Final = 20_000


class ThrottleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``failed_login_window_seconds`` and kin of LiteLLM.

    So many failures within the window, and whoever it was waits for ``block_seconds``.
    """

    per_pair: int = 10
    per_address: int = 50
    per_account: int = 100
    window_seconds: float = 900.0
    block_seconds: float = 900.0
    account_block_seconds: float = 30.0


class _Failures(msgspec.Struct):
    """Since ``began``, in monotonic seconds."""

    began: float
    count: int = 0
    until: float = 0.0


class Throttle:
    """Counts failures; ``settings`` may be replaced."""

    def __init__(self, settings: ThrottleSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        self.settings = settings
        self._clock = clock
        self._failures: OrderedDict[bytes, _Failures] = OrderedDict()
        self._at_home: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def demand_patience(self, account: str, address: str) -> None:
        """Raise where somebody has to wait, before anything is looked up.

        Raises:
            LimitReached: alike for accounts that exist and those that do not.
        """
        now = self._clock.monotonic()
        pair, source, name = (place for place, *_ in self._places(account, address))
        places = (pair, source) if pair in self._at_home else (pair, source, name)
        longest = max((known.until - now for place in places if (known := self._failures.get(place))), default=0.0)
        if longest > 0.0:
            raise LimitReached(
                "Too many failed attempts to sign in.",
                hint=f"Try again in {max(1, round(longest))} s.",
                code="too_many_failed_logins",
                kind="auth_error",
                retry_after=longest,
            )

    def failed(self, account: str, address: str) -> None:
        """Somebody was wrong, or is taken for wrong until it is known: trying many at once gains nothing."""
        now, settings = self._clock.monotonic(), self.settings
        for place, most, block_seconds in self._places(account, address):
            known = self._failures.pop(place, None)
            if known is None or (now - known.began >= settings.window_seconds and known.until <= now):
                known = _Failures(now)
            self._failures[place] = known
            known.count += 1
            if known.count >= most:
                known.until = now + block_seconds
        while len(self._failures) > REMEMBERED_MAX:
            self._failures.popitem(last=False)

    def forgive(self, account: str, address: str) -> None:
        """What was taken for a failure was none."""
        for place, most, _ in self._places(account, address):
            known = self._failures.get(place)
            if known is not None:
                known.count = max(0, known.count - 1)
                if known.count < most:
                    known.until = 0.0

    def succeeded(self, account: str, address: str) -> None:
        """Somebody was right, who was counted as wrong: their account is nobody's riddle from there any more."""
        self.forgive(account, address)
        (pair, *_), *_others = self._places(account, address)
        self._failures.pop(pair, None)
        self._at_home[pair] = None
        self._at_home.move_to_end(pair)
        while len(self._at_home) > REMEMBERED_MAX:
            self._at_home.popitem(last=False)

    def _places(self, account: str, address: str) -> tuple[tuple[bytes, int, float], ...]:
        """Where failures are counted, how many are allowed there, and how long one then waits."""
        settings = self.settings
        name = sha256(account.casefold().encode("utf-8", "surrogatepass")).digest()
        source = _network(address)
        return (
            (b"both" + name + source, settings.per_pair, settings.block_seconds),
            (b"from" + source, settings.per_address, settings.block_seconds),
            (b"name" + name, settings.per_account, settings.account_block_seconds),
        )


def _network(address: str) -> bytes:
    """The address; of IPv6 the half that a household or a rented server has all of."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64].encode("utf-8", "replace")
    return parsed.packed if parsed.version == 4 else parsed.packed[:8]
