"""What a local host draws while it works, shared out among the calls that it works for.

While a host works, all that it draws is its calls': at each moment they share it evenly, so that two calls at once each
bear half. What it draws while it does nothing is nobody's. The shares of all calls add up to what the host drew while
it worked, to the milliwatt-hour.

It costs the same however many calls there are: one running sum of *shared seconds* rises by ``seconds / calls`` from
one change to the next, and a call's share is by how much it rose from its begin to its end.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["NO_ENERGY", "Draw", "Energy", "Power"]

_SECONDS_PER_HOUR: Final = 3600.0
_JOULES_PER_MILLIWATT_HOUR: Final = 3.6
_PICODOLLARS_PER_MILLIWATT_HOUR: Final = 1_000_000
"""At a price of one dollar for a kilowatt-hour."""


class Energy(msgspec.Struct, frozen=True):
    """Milliwatt-hours, and what they cost, in picodollars."""

    mwh: int = 0
    cost: int = 0


NO_ENERGY: Final = Energy()


class Power(msgspec.Struct, eq=False):
    """One host's meter. Moments are monotonic seconds. ``price_kwh`` is in USD, as all prices are.

    ``running`` is how many calls it works for, ``busy_seconds`` for how long it worked for any, and ``idle_seconds``
    for how long it was seen to be ``awake`` without working for us.
    """

    watts_busy: float
    watts_idle: float = 0.0
    price_kwh: float = 0.0
    running: int = 0
    shared_seconds: float = 0.0
    busy_seconds: float = 0.0
    idle_seconds: float = 0.0
    awake: bool = False
    changed_at: float = 0.0
    carried_mwh: float = 0.0

    def begin(self, now: float) -> Draw:
        """The host begins to work for one more call."""
        self._advance(now)
        self.running += 1
        return Draw(self, self.shared_seconds)

    def look(self, now: float, *, awake: bool) -> None:
        """The host was seen to be awake, or not; without that, nothing is known of its idle time."""
        self._advance(now)
        self.awake = awake

    @property
    def idle_watt_hours(self) -> float:
        """What it drew while it did nothing for us."""
        return self.idle_seconds * self.watts_idle / _SECONDS_PER_HOUR

    def _advance(self, now: float) -> None:
        running = self.running
        passed = max(0.0, now - self.changed_at)
        self.changed_at = now
        if running:
            self.busy_seconds += passed
            self.shared_seconds += passed / running
        elif self.awake:
            self.idle_seconds += passed

    def _ended(self, began: float, now: float) -> Energy:
        """The call that began at ``began`` shared seconds has ended: its share."""
        self._advance(now)
        self.running -= 1
        # Short calls draw less than a milliwatt-hour: what is cut off one is given to the next.
        exact = self.carried_mwh + (self.shared_seconds - began) * self.watts_busy / _JOULES_PER_MILLIWATT_HOUR
        mwh = int(exact)
        self.carried_mwh = exact - mwh
        return Energy(mwh, round(mwh * self.price_kwh * _PICODOLLARS_PER_MILLIWATT_HOUR))


class Draw(msgspec.Struct, eq=False):
    """One call's part in a host's work, from its begin to its end."""

    power: Power
    began: float
    open: bool = True

    def end(self, now: float) -> Energy:
        """The host does not work for it any more; a second end changes nothing."""
        if not self.open:
            return NO_ENERGY
        self.open = False
        return self.power._ended(self.began, now)  # noqa: SLF001 - the two halves of one meter
