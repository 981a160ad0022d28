"""When the budgets of an account start over: written down when its limits are, so that it happens wherever they count.

Whoever writes an entry that has limits (a team, a user, a customer, ...) calls :func:`schedule` with those that bind
it. What is found to be missing or different when an account is used is put right then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pointsman.policies.durations import UTC_MIDNIGHT, ResetClock, next_reset
from pointsman.stores.directory.ports import Meter, SpendStore, Spent
from pointsman.stores.directory.records import Limits

__all__ = ["durations_of", "mend", "schedule"]

_SLACK_SECONDS: Final = 1.0


async def schedule(
    spend: SpendStore, scope: str, identity: str, limits: Limits, now: float, clock: ResetClock = UTC_MIDNIGHT
) -> None:
    """Have every period of the account that ``limits`` bind end when it should, from ``now`` (since the epoch) on.

    The main budget of a key has its period in the key's own record, so it is left alone.

    Raises:
        Malformed: a duration is none.
        StorageUnavailable: it could not be written down.
    """
    wanted = durations_of(scope, identity, limits)
    if not wanted:
        return
    # Whatever is wrong with one of them shows before the first is written.
    ends = {meter: None if duration is None else next_reset(duration, now, clock) for meter, duration in wanted}
    known = await spend.spent(tuple(ends))
    for meter, duration in wanted:
        before = known.get(meter)
        is_new = before is None or before.reset_at is None
        if is_new and duration is not None and (meter.model or meter.window):
            # What was spent before there was such a budget is none of its business.
            await spend.set_amount(meter, 0)
        if duration is not None or not is_new:
            await spend.schedule(meter, duration, ends[meter])


async def mend(
    spend: SpendStore,
    wanted: Sequence[tuple[Meter, str | None]],
    found: Mapping[Meter, Spent],
    now: float,
    clock: ResetClock,
) -> Mapping[Meter, Spent]:
    """What was ``found`` spent, after the periods that nobody has scheduled, or that end too late, have been.

    Raises:
        StorageUnavailable: it could not be written down.
    """
    mended = dict(found)
    for meter, duration in wanted:
        if duration is None:
            continue
        spent, end = found.get(meter, Spent()), next_reset(duration, now, clock)
        if spent.reset_at is None and (meter.model or meter.window):
            await spend.set_amount(meter, 0)
        if spent.reset_at is None or spent.reset_at > end + _SLACK_SECONDS:
            mended[meter] = await spend.schedule(meter, duration, end)
    return mended


def durations_of(scope: str, identity: str, limits: Limits) -> tuple[tuple[Meter, str | None], ...]:
    """The periods of an account, each with its duration; None: it never ends."""
    return tuple(_durations_of(scope, identity, limits))


def _durations_of(scope: str, identity: str, limits: Limits) -> Iterable[tuple[Meter, str | None]]:
    if scope != "key":
        yield Meter(scope, identity), limits.budget_duration
    for window in limits.budget_limits:
        yield Meter(scope, identity, window=window.duration), window.duration
    for model, its in limits.model_limits.items():
        if its.max_budget is not None:
            yield Meter(scope, identity, model), its.duration or limits.budget_duration
