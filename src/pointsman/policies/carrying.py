"""The budgets of periods that end, where what was spent beyond them is to count in the next period.

Source: LiteLLM 1.109.1, ``litellm_settings.budget_rollover`` in ``reset_budget_job.py``: the budget itself is what is
let go of, without what was added to it for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from pointsman.core.identity import KeyRecord
from pointsman.policies.accounts import merged
from pointsman.policies.general_limits import GeneralLimits
from pointsman.policies.key_terms import terms_of
from pointsman.policies.tying import Directory
from pointsman.stores.charges import KEY_CUSTOMER, MODEL_GROUP, PROJECT
from pointsman.stores.directory.kinds import (
    BUDGETS,
    CUSTOMERS,
    MODEL_GROUP_BUDGETS,
    ORGANIZATION_MEMBERS,
    ORGANIZATIONS,
    PROJECTS,
    TAGS,
    TEAM_MEMBERS,
    TEAMS,
    USERS,
    Kind,
)
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import NO_LIMITS, Limits, Team, member_of

__all__ = ["budget_of", "budget_of_key"]

_KINDS: Final[Mapping[str, Kind[Any]]] = {
    "team": TEAMS,
    "user": USERS,
    "organization": ORGANIZATIONS,
    "organization_member": ORGANIZATION_MEMBERS,
    "customer": CUSTOMERS,
    "tag": TAGS,
    PROJECT: PROJECTS,
    MODEL_GROUP: MODEL_GROUP_BUDGETS,
}


class _HasLimits(Protocol):
    @property
    def limits(self) -> Limits: ...

    @property
    def budget_id(self) -> str | None: ...


class _Held(msgspec.Struct, frozen=True):
    """What every entry with limits says of them."""

    limits: Limits = NO_LIMITS
    budget_id: str | None = None


async def budget_of(meter: Meter, directory: Directory, general: GeneralLimits) -> int | None:
    """The budget of a period in picodollars; None: there is none any more.

    Raises:
        StorageUnavailable: nobody can say.
    """
    limits = await _limits_of(meter, directory, general)
    if meter.model:
        its = limits.model_limits.get(meter.model)
        return None if its is None else its.max_budget
    if meter.window:
        return next((one.max_budget for one in limits.budget_limits if one.duration == meter.window), None)
    return limits.max_budget


async def budget_of_key(record: KeyRecord, directory: Directory) -> int | None:
    """The main budget of a key in picodollars, its own or that of the budget with a name that it has.

    Raises:
        StorageUnavailable: nobody can say.
    """
    terms = terms_of(record)
    return (await _joined(_Held(terms.limits, terms.budget_id), directory)).max_budget


async def _limits_of(meter: Meter, directory: Directory, general: GeneralLimits) -> Limits:
    scope, identity = meter.scope, meter.identity
    if scope == "member":
        return await _of_member(identity, directory)
    if scope == KEY_CUSTOMER:
        return await _joined(_Held(NO_LIMITS, member_of(identity)[0]), directory)
    if scope in _KINDS:
        found = (await directory.look_up([(_KINDS[scope], identity)]))[0]
        own = await _joined(_held(found), directory)
        if scope == "tag":
            return merged(own, general.tags.get(identity, NO_LIMITS))
        if scope == "customer" and own == NO_LIMITS:
            usual = await _joined(_Held(NO_LIMITS, general.customer_budget_id), directory)
            return general.customers if usual == NO_LIMITS else usual
        return own
    return general.accounts.get((scope, identity), NO_LIMITS)


async def _of_member(identity: str, directory: Directory) -> Limits:
    """Those of the member, and the team's usual ones wherever the member has none."""
    team_id, _ = member_of(identity)
    member, team = await directory.look_up([(TEAM_MEMBERS, identity), (TEAMS, team_id)])
    usual = _Held(team.member_limits, team.member_budget_id) if isinstance(team, Team) else _Held()
    return merged(await _joined(_held(member), directory), await _joined(usual, directory))


def _held(entry: _HasLimits | None) -> _Held:
    return _Held() if entry is None else _Held(entry.limits, entry.budget_id)


async def _joined(held: _Held, directory: Directory) -> Limits:
    """An entry's own limits, and those of the budget that it has by name."""
    if held.budget_id is None:
        return held.limits
    budget = (await directory.look_up([(BUDGETS, held.budget_id)]))[0]
    return held.limits if budget is None else merged(held.limits, budget.limits)
