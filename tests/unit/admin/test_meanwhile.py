"""What somebody else changes while a request is looked at is neither overwritten nor overlooked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from pointsman.core.identity import KeyRecord, token_of
from pointsman.policies.key_terms import terms_of
from pointsman.stores.directory.kinds import BUDGETS, CUSTOMERS, TEAMS, USERS
from pointsman.stores.directory.records import Budget, Customer, Limits, Role, Team, User
from pointsman.stores.ports import KeyChanges
from tests.unit.admin.office_desk import Desk

KEY = "sk-0123456789abcdef"
ANNS = "sk-anns-own-0123456789"


def meanwhile(desk: Desk, store: str, method: str, deed: Callable[[], Awaitable[object]], times: int = 1) -> None:
    """Have ``deed`` done just before the store's method is, so often."""
    owner = getattr(desk, store)
    original = getattr(owner, method)
    left = times

    async def late(*given: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            await deed()
        return await original(*given)

    setattr(owner, method, late)


def said(extra: str, **more: Any) -> Callable[[KeyRecord], KeyChanges]:
    return lambda record: KeyChanges(updated_at=2.0, extra=_with(record.extra, extra), **more)


def _with(extra: msgspec.Raw, added: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({**msgspec.json.decode(extra), **msgspec.json.decode(added)}))


async def make(desk: Desk, **fields: Any) -> str:
    answer = await desk.ask("POST", "/key/generate", {"key": KEY, **fields})
    assert answer.status == 200, answer.body
    return token_of(KEY)


OTHER = '{"model_max_budget": {"llama3": {"budget_limit": 3, "time_period": "1d"}}}'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/key/update", {"key": KEY, "model_tpm_limit": {"vip": 9}}),
        ("/key/block", {"key": KEY}),
        ("/key/regenerate", {"key": KEY, "tags": ["new"]}),
    ],
)
async def test_a_field_that_another_request_sets_meanwhile_stays(desk: Desk, path: str, body: Any) -> None:
    token = await make(desk, model_rpm_limit={"llama3": 5})
    update = desk.keys.update
    method = "rotate" if path == "/key/regenerate" else "update"
    meanwhile(desk, "keys", method, lambda: update(token, said(OTHER, blocked=True)))
    answer = await desk.ask("POST", path, body)
    assert answer.status == 200, answer.body
    kept = await desk.keys.get(answer.json().get("token", token))
    assert kept is not None
    assert kept.blocked
    limits = terms_of(kept).limits
    assert limits.model_limits["llama3"].max_budget == 3_000_000_000_000
    assert limits.model_rpm_limit == {"llama3": 5}


async def test_the_audit_log_tells_what_the_key_was_when_it_was_changed(desk: Desk) -> None:
    token = await make(desk)
    update = desk.keys.update
    meanwhile(desk, "keys", "update", lambda: update(token, KeyChanges(updated_at=2.0, rpm_limit=7)))
    await desk.ask("POST", "/key/update", {"key": KEY, "tpm_limit": 9})
    entry = (await desk.ask("GET", "/audit")).json()["audit_logs"][0]
    assert [entry[name]["rpm_limit"] for name in ("before_value", "updated_values")] == [7, 7]
    assert [entry[name]["tpm_limit"] for name in ("before_value", "updated_values")] == [None, 9]


async def test_what_an_owner_may_is_judged_by_the_key_as_it_is_when_it_is_changed(desk: Desk) -> None:
    await desk.directory.insert(USERS, User(user_id="ann", role=Role.USER))
    token = await make(desk, user_id="ann", max_budget=10)
    answer = await desk.ask("POST", "/key/generate", {"key": ANNS, "user_id": "ann"})
    update = desk.keys.update
    lower = KeyChanges(updated_at=2.0, max_budget=2_000_000_000_000)
    meanwhile(desk, "keys", "update", lambda: update(token, lower))
    answer = await desk.ask("POST", "/key/update", {"key": KEY, "max_budget": 9}, key=ANNS)
    assert answer.error.code == "beyond_grantor"
    kept = await desk.keys.get(token)
    assert kept is not None
    assert kept.max_budget == 2_000_000_000_000


async def test_a_key_that_others_never_leave_alone_is_a_conflict(desk: Desk) -> None:
    token = await make(desk)
    update, moments = desk.keys.update, iter(range(1_000_000))
    meanwhile(
        desk, "keys", "rotate", lambda: update(token, KeyChanges(updated_at=2.0, rpm_limit=next(moments))), times=99
    )
    answer = await desk.ask("POST", "/key/regenerate", {"key": KEY})
    assert (answer.status, answer.error.code) == (409, "key_changed_meanwhile")
    assert await desk.keys.get(token) is not None


async def test_a_team_never_gets_all_models_because_two_took_one_each_away(desk: Desk) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="core", models=("llama3", "vip")))
    update = desk.directory.update

    async def other() -> None:
        await update(TEAMS, "core", lambda team: msgspec.structs.replace(team, models=("llama3",)))

    meanwhile(desk, "directory", "update", other)
    answer = await desk.ask("POST", "/team/model/delete", {"team_id": "core", "models": ["llama3"]})
    assert answer.status == 400
    team = await desk.directory.get(TEAMS, "core")
    assert team is not None
    assert team.models == ("llama3",)


async def test_a_customer_who_is_made_while_being_blocked_keeps_what_they_were_given(desk: Desk) -> None:
    insert = desk.directory.insert
    made = Customer(customer_id="eve", limits=Limits(max_budget=5))
    meanwhile(desk, "directory", "insert", lambda: insert(CUSTOMERS, made))
    answer = await desk.ask("POST", "/customer/block", {"user_ids": ["eve"]})
    assert answer.status == 200, answer.body
    kept = await desk.directory.get(CUSTOMERS, "eve")
    assert kept is not None
    assert (kept.blocked, kept.limits.max_budget) == (True, 5)


async def test_a_limit_that_a_budget_gets_while_its_project_gets_another_stays(desk: Desk) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="core"))
    answer = await desk.ask("POST", "/project/new", {"project_id": "p", "team_id": "core", "max_budget": 1})
    assert answer.status == 200, answer.body
    budget_id = answer.json()["budget_id"]
    update = desk.directory.update

    async def other() -> None:
        await update(BUDGETS, budget_id, _limited)

    meanwhile(desk, "directory", "update", other)
    await desk.ask("POST", "/project/update", {"project_id": "p", "rpm_limit": 5})
    budget = await desk.directory.get(BUDGETS, budget_id)
    assert budget is not None
    assert (budget.limits.rpm_limit, budget.limits.tpm_limit) == (5, 77)


def _limited(budget: Budget) -> Budget:
    return msgspec.structs.replace(budget, limits=msgspec.structs.replace(budget.limits, tpm_limit=77))
