"""What an account has spent in its period, and when that ends; beginning a period where a budget begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pointsman.admin.office import Office
from pointsman.policies.periods import schedule
from pointsman.stores.directory.kinds import BUDGETS
from pointsman.stores.directory.ports import Meter, Spent
from pointsman.stores.directory.records import NO_LIMITS, Budget, Limits

__all__ = ["begin_periods", "budgets_named", "joined_limits", "spent_by"]

_AT_ONCE: Final = 1_000
"""Accounts in one question: the event loop is held for some milliseconds."""


async def spent_by(office: Office, scope: str, identities: Sequence[str]) -> Mapping[str, Spent]:
    """What each account of the scope has spent in its present period."""
    meters = [Meter(scope, identity) for identity in dict.fromkeys(identities)]
    spent: dict[str, Spent] = {}
    for start in range(0, len(meters), _AT_ONCE):
        asked = meters[start : start + _AT_ONCE]
        found = await office.spend.spent(asked)
        spent.update((meter.identity, found.get(meter, Spent())) for meter in asked)
    return spent


async def budgets_named(office: Office, identities: Sequence[str | None]) -> Mapping[str, Budget]:
    """The budgets with these ids, those that exist."""
    wanted = tuple(dict.fromkeys(identity for identity in identities if identity is not None))
    found = await office.directory.look_up([(BUDGETS, identity) for identity in wanted])
    return {budget.budget_id: budget for budget in found if isinstance(budget, Budget)}


def joined_limits(own: Limits, budget: Budget | None) -> Limits:
    """An entry's own limits, and those of the budget that it has wherever it says nothing itself."""
    if budget is None:
        return own
    unsaid = msgspec.structs.asdict(NO_LIMITS)
    said = {name: value for name, value in msgspec.structs.asdict(own).items() if value != unsaid[name]}
    return msgspec.structs.replace(budget.limits, **said)


async def begin_periods(office: Office, scope: str, identity: str, limits: Limits, reset_at: float | None) -> None:
    """Have what the account spends counted by its budgets' periods, the main one of which ends at ``reset_at``."""
    await schedule(office.spend, scope, identity, limits, office.clock.wall(), office.reset_clock)
    duration = limits.budget_duration if reset_at is not None else None
    await office.spend.schedule(Meter(scope, identity), duration, reset_at)
