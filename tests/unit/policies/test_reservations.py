"""Important keys have their share of a model, and what they do not use is not idle while there is enough."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import LimitReached
from pointsman.policies.general_limits import GeneralLimits, Reservation
from pointsman.policies.reservations import capacities_of
from pointsman.stores.directory.kinds import TEAMS
from pointsman.stores.directory.records import Limits, Team
from tests.unit.policies.desk import deployment, key_record
from tests.unit.policies.test_account_book import Desk

PRIORITIES = {"sk-prod": "prod", "sk-dev": "dev", "sk-none": None}


def desk(shares: dict[str, tuple[str, float]], usual: float = 0.25, threshold: float = 0.5, rpm: int = 10) -> Desk:
    records = [
        key_record(key, metadata=msgspec.Raw(msgspec.json.encode({} if name is None else {"priority": name})))
        for key, name in PRIORITIES.items()
    ]
    found = Desk(*records)
    capacities = capacities_of([msgspec.structs.replace(deployment(), rpm=rpm)])
    found.book.follow(GeneralLimits(reservation=Reservation(shares, usual, threshold, capacities)))
    return found


async def served(found: Desk, key: str, calls: int) -> int:
    count = 0
    for _ in range(calls):
        try:
            await found.call(key)
            count += 1
        except LimitReached:
            pass
    return count


async def test_who_has_no_share_left_is_refused_once_half_is_in_use_and_who_has_is_not() -> None:
    found = desk({"prod": ("percent", 0.9), "dev": ("percent", 0.1)})
    assert await served(found, "sk-dev", 9) == 5, "half of it is there for anybody"
    assert await served(found, "sk-prod", 9) == 5, "all of it and no more"
    with pytest.raises(LimitReached, match="model_capacity"):
        await found.call("sk-prod")


async def test_keys_without_a_priority_share_one_part() -> None:
    found = desk({"prod": ("rpm", 8)}, usual=0.2, threshold=0.0)
    assert await served(found, "sk-none", 5) == 2
    assert await served(found, "sk-dev", 5) == 0
    with pytest.raises(LimitReached, match="priority_model: m:default_pool"):
        await found.call("sk-none")
    assert await served(found, "sk-prod", 9) == 8


async def test_shares_of_more_than_everything_are_made_smaller() -> None:
    found = desk({"prod": ("percent", 0.9), "dev": ("percent", 0.9)}, threshold=0.0)
    assert await served(found, "sk-prod", 9) == 5
    assert await served(found, "sk-dev", 9) == 5


async def test_a_teams_priority_wins_over_its_keys() -> None:
    record = key_record("sk-a", team_id="t", metadata=msgspec.Raw(b'{"priority":"dev"}'))
    found = Desk(record)
    metadata = msgspec.Raw(b'{"priority":"prod"}')
    await found.directory.insert(TEAMS, Team(team_id="t", metadata=metadata))
    assert (await found.key("sk-a")).priority == "prod"


def test_a_model_with_a_deployment_without_bounds_has_none() -> None:
    bounded = msgspec.structs.replace(deployment(), rpm=10, tpm=5)
    other = msgspec.structs.replace(deployment(), rpm=7)
    assert capacities_of([bounded, other]) == {"m": Limits(rpm_limit=17)}
    assert capacities_of([bounded, deployment()]) == {}


@given(st.lists(st.sampled_from(list(PRIORITIES)), max_size=60), st.integers(0, 10))
async def test_the_capacity_is_never_passed_and_a_share_is_always_there(order: list[str], tenths: int) -> None:
    found = desk({"prod": ("percent", 0.6), "dev": ("percent", 0.2)}, usual=0.2, threshold=tenths / 10)
    count = dict.fromkeys(PRIORITIES, 0)
    for key in order:
        count[key] += await served(found, key, 1)
        assert sum(count.values()) <= 10
    share = {"sk-prod": 6, "sk-dev": 2, "sk-none": 2}
    for key, its in share.items():
        if tenths <= 2:
            asked = order.count(key)
            assert count[key] >= min(asked, its) - 2
