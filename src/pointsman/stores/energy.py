"""What local hosts drew for calls, added up by day, caller, model and host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from pointsman.core.address import host_of
from pointsman.core.outcome import CallRecord
from pointsman.stores.ports import INTEGER_MAX

__all__ = ["EnergyGroup", "EnergyTally", "energy_of"]

_DAY_SECONDS: Final = 86_400


class EnergyGroup(NamedTuple):
    """What energy is added up by. ``user_id`` is ``""`` for nobody, ``host`` an address without path."""

    day: str
    key_token: str
    user_id: str
    model_group: str
    host: str


class EnergyTally(msgspec.Struct):
    """The sums of one group: calls that drew something, milliwatt-hours, picodollars."""

    calls: int = 0
    mwh: int = 0
    cost: int = 0

    def add(self, calls: int, mwh: int, cost: int) -> None:
        """Count more in, not beyond the range of whole numbers."""
        self.calls += calls
        self.mwh = min(self.mwh + mwh, INTEGER_MAX)
        self.cost = min(self.cost + cost, INTEGER_MAX)


def energy_of(days: Iterable[tuple[str, Sequence[CallRecord]]]) -> dict[EnergyGroup, EnergyTally]:
    """The sums of calls of local hosts; each set of records comes with its day."""
    sums: dict[EnergyGroup, EnergyTally] = {}
    for day, records in days:
        for record in records:
            if record.energy_mwh:
                group = EnergyGroup(
                    day, record.key_token, record.user_id or "", record.model_group, host_of(record.api_base)
                )
                sums.setdefault(group, EnergyTally()).add(1, record.energy_mwh, record.energy_cost)
    return sums
