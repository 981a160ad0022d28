from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pointsman.assembly.key_rotation import KeyRotationTask
from pointsman.core.errors import StorageUnavailable, Unauthenticated
from pointsman.core.identity import KeyRecord, token_of
from pointsman.policies.rotation import KeyRotation, RetiredKeys
from pointsman.stores.audit import AuditQuery
from pointsman.stores.directory.kinds import PLANNED_ROTATIONS, RETIRED_KEYS, TEAMS
from pointsman.stores.directory.records import RetiredKey, Team
from pointsman.stores.ports import Conflict
from tests.unit.admin.office_desk import NOW, Desk, call_record

DAY = 86_400.0


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.keyring.retired = RetiredKeys(desk.directory, desk.clock)
    return desk


async def regenerate(desk: Desk, key: str, **fields: object) -> str:
    answer = await desk.ask("POST", f"/key/{token_of(key)}/regenerate", fields)
    assert answer.status == 200, answer.body
    return str(answer.json()["key"])


async def works(desk: Desk, key: str) -> bool:
    return (await desk.ask("GET", "/v1/models", key=key)).status == 200


def task_of(desk: Desk, folder: Path) -> KeyRotationTask:
    rotation = KeyRotation(desk.keys, desk.directory, desk.clock, desk.on_key_change)
    return KeyRotationTask(rotation, desk.audit, folder, desk.clock)


async def test_both_keys_work_until_the_grace_period_is_over(desk: Desk) -> None:
    old = await desk.new_key(key_alias="ann", max_budget=5)
    new = await regenerate(desk, old, grace_period="2d")
    assert await works(desk, old) and await works(desk, new)
    desk.clock.now = NOW + 2 * DAY - 1
    assert await works(desk, old)
    desk.clock.now = NOW + 2 * DAY + 1
    assert not await works(desk, old)
    assert await works(desk, new)


async def test_without_a_grace_period_the_old_key_ends_at_once(desk: Desk) -> None:
    old = await desk.new_key()
    new = await regenerate(desk, old)
    assert not await works(desk, old)
    assert await works(desk, new)


async def test_the_old_key_is_another_way_to_say_the_new_one(desk: Desk) -> None:
    old = await desk.new_key()
    new = await regenerate(desk, old, grace_period="1d")
    principal = await desk.keyring.find(token_of(old))
    assert principal is await desk.keyring.find(token_of(new))
    assert principal.record.token == token_of(new)
    desk.spooled.append(call_record("1", key_token=principal.record.token))
    info = (await desk.ask("GET", "/key/info", key=old)).json()
    assert info["info"]["spend"] == 0.25


async def test_what_ends_the_new_key_ends_the_old_one(desk: Desk) -> None:
    old = await desk.new_key()
    new = await regenerate(desk, old, grace_period="1d")
    await desk.ask("POST", "/key/block", {"key": new})
    assert (await desk.ask("GET", "/v1/models", key=old)).status == 403
    await desk.ask("POST", "/key/delete", {"keys": [new]})
    assert not await works(desk, old)


async def test_over_several_replacements_the_shortest_time_counts(desk: Desk) -> None:
    first = await desk.new_key()
    second = await regenerate(desk, first, grace_period="7d")
    third = await regenerate(desk, second, grace_period="1d")
    assert await works(desk, first) and await works(desk, second)
    desk.clock.now = NOW + DAY + 1
    assert not await works(desk, first) and not await works(desk, second)
    assert await works(desk, third)


async def test_a_chain_ends_where_a_key_ended_at_once(desk: Desk) -> None:
    first = await desk.new_key()
    second = await regenerate(desk, first, grace_period="7d")
    assert await works(desk, first)
    await regenerate(desk, second)
    assert not await works(desk, first)


async def test_a_memory_of_another_process_learns_of_it(desk: Desk) -> None:
    old = await desk.new_key()
    principal = await desk.keyring.find(token_of(old))
    await regenerate(desk, old, grace_period="1d")
    assert await desk.keyring.find(token_of(old)) is not principal
    desk.clock.now = NOW + DAY + 1
    with pytest.raises(Unauthenticated):
        await desk.keyring.find(token_of(old))


async def test_a_key_that_is_being_replaced_is_not_replaced_twice(desk: Desk) -> None:
    old = desk.record(await desk.new_key())
    rotation = KeyRotation(desk.keys, desk.directory, desk.clock, desk.on_key_change)
    await rotation._retire(_retired(old.token))
    with pytest.raises(Conflict):
        await rotation.replace(old, _renamed("b"), NOW + DAY)
    desk.clock.now += 61
    assert (await rotation.replace(old, _renamed("b"), NOW + DAY)).token == "b"


async def test_a_replacement_that_fails_leaves_nothing(desk: Desk) -> None:
    one, other = desk.record(await desk.new_key()), desk.record(await desk.new_key())
    rotation = KeyRotation(desk.keys, desk.directory, desk.clock, desk.on_key_change)
    with pytest.raises(Conflict):
        await rotation.replace(one, _renamed(other.token), NOW + DAY)
    assert await desk.directory.get(RETIRED_KEYS, one.token) is None
    assert await desk.keys.get(one.token) == one


def _retired(token: str) -> RetiredKey:
    return RetiredKey(token=token, successor="a", until=NOW + DAY)


def _renamed(token: str) -> Callable[[KeyRecord], KeyRecord]:
    return lambda record: msgspec.structs.replace(record, token=token, updated_at=NOW)


async def test_a_key_is_rotated_when_it_is_due(desk: Desk, tmp_path: Path) -> None:
    old = await desk.new_key(key_alias="ann", auto_rotate=True, rotation_interval="30d")
    row = (await desk.ask("GET", "/key/info", key=old)).json()["info"]
    assert (row["auto_rotate"], row["rotation_interval"], row["rotation_count"]) == (True, "30d", 0)
    assert row["key_rotation_at"] == "2026-10-21T14:13:20.000Z" and row["last_rotation_at"] is None
    task = task_of(desk, tmp_path / "keys")
    desk.clock.now = NOW + 30 * DAY - 1
    assert await task.look() == 0
    desk.clock.now = NOW + 30 * DAY
    assert await task.look() == 1
    path = tmp_path / "keys" / "ann.key"
    assert path.stat().st_mode & 0o777 == 0o600
    new = path.read_text().strip()
    assert new != old and await works(desk, new) and await works(desk, old)
    row = (await desk.ask("GET", "/key/info", key=new)).json()["info"]
    assert (row["rotation_count"], row["key_alias"]) == (1, "ann")
    assert row["key_rotation_at"] == "2026-11-20T14:13:20.000Z"
    assert await task.look() == 0
    desk.clock.now += DAY + 1
    await task.look()
    assert not await works(desk, old)
    assert await desk.directory.get(RETIRED_KEYS, token_of(old)) is None


async def test_two_processes_rotate_a_key_once(desk: Desk, tmp_path: Path) -> None:
    await desk.new_key(auto_rotate=True, rotation_interval="1d")
    desk.clock.now = NOW + DAY
    one, other = (KeyRotation(desk.keys, desk.directory, desk.clock, desk.on_key_change) for _ in range(2))
    assert await one.claim_due() is not None
    assert await other.claim_due() is None
    # Should the first one die over it, another takes it up.
    desk.clock.now += 60
    assert await other.claim_due() is not None


async def test_a_key_that_cannot_be_handed_over_stays(desk: Desk, tmp_path: Path) -> None:
    key = await desk.new_key(auto_rotate=True, rotation_interval="1d")
    desk.clock.now = NOW + DAY
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert await task_of(desk, blocked).look() == 0
    assert await works(desk, key)


async def test_rotation_can_be_switched_on_and_off(desk: Desk) -> None:
    key = await desk.new_key()
    answer = await desk.ask("POST", "/key/update", {"key": key, "auto_rotate": True})
    assert (answer.status, answer.error.param) == (400, "rotation_interval")
    await desk.ask("POST", "/key/update", {"key": key, "auto_rotate": True, "rotation_interval": "7d"})
    plan = await desk.directory.get(PLANNED_ROTATIONS, token_of(key))
    assert plan is not None and plan.due_at == NOW + 7 * DAY
    answer = await desk.ask("POST", "/key/update", {"key": key, "auto_rotate": False})
    assert answer.json()["key_rotation_at"] is None
    assert await desk.directory.get(PLANNED_ROTATIONS, token_of(key)) is None


async def test_a_deleted_key_is_not_rotated(desk: Desk, tmp_path: Path) -> None:
    key = await desk.new_key(auto_rotate=True, rotation_interval="1d")
    await desk.ask("POST", "/key/delete", {"keys": [key]})
    desk.clock.now = NOW + DAY
    assert await task_of(desk, tmp_path).look() == 0
    assert await desk.directory.get(PLANNED_ROTATIONS, token_of(key)) is None


# -- further routes -------------------------------------------------------------------------------------


async def test_a_service_account_has_a_team_and_no_user(desk: Desk) -> None:
    await desk.directory.insert(TEAMS, Team(team_id="core"))
    body = {"team_id": "core", "user_id": "ann", "key_alias": "robot", "metadata": {"a": 1}}
    row = (await desk.ask("POST", "/key/service-account/generate", body)).json()
    assert (row["team_id"], row["user_id"]) == ("core", None)
    assert row["metadata"] == {"a": 1, "service_account_id": "robot"}
    for wrong in ({}, {"team_id": "nobody"}):
        answer = await desk.ask("POST", "/key/service-account/generate", wrong)
        assert (answer.status, answer.error.param) == (400, "team_id")


async def test_many_keys_are_changed_each_by_itself(desk: Desk) -> None:
    key = await desk.new_key()
    body = {"keys": [{"key": key, "max_budget": 3, "tags": ["a"]}, {"key": "nobody", "max_budget": 1}]}
    reply = (await desk.ask("POST", "/key/bulk_update", body)).json()
    assert reply["total_requested"] == 2
    assert [one["key_info"]["max_budget"] for one in reply["successful_updates"]] == [3.0]
    assert [(one["key"], "not found" in one["failed_reason"]) for one in reply["failed_updates"]] == [("nobody", True)]
    assert desk.record(key).tags == ("a",)


@pytest.mark.parametrize(
    ("keys", "param"),
    [
        ([], "keys"),
        ([{"max_budget": 1}], "keys[0].key"),
        ([{"key": "a", "max_budget": -1}], "keys[0].max_budget"),
        ([{"key": "a", "models": []}], "keys[0].models"),
        (["a"], "keys[0]"),
    ],
)
async def test_changes_that_are_none_are_refused(desk: Desk, keys: list[object], param: str) -> None:
    answer = await desk.ask("POST", "/key/bulk_update", {"keys": keys})
    assert (answer.status, answer.error.param) == (400, param)


async def test_aliases_are_listed_by_page(desk: Desk) -> None:
    await desk.ask("POST", "/user/new", {"user_id": "ann", "auto_create_key": False})
    await desk.new_key()
    keys = {alias: await desk.new_key(key_alias=alias, user_id="ann") for alias in ("cc", "ab", "ac")}
    listed = (await desk.ask("GET", "/key/aliases", size=2)).json()
    assert listed == {"aliases": ["ab", "ac"], "total_count": 3, "current_page": 1, "total_pages": 2, "size": 2}
    assert (await desk.ask("GET", "/key/aliases", search="C")).json()["aliases"] == ["ac", "cc"]
    assert (await desk.ask("GET", "/key/aliases", key=keys["ab"])).json()["aliases"] == ["ab", "ac", "cc"]
    alone = await desk.new_key(key_alias="zz")
    assert (await desk.ask("GET", "/key/aliases", key=alone)).json()["aliases"] == ["zz"]


async def test_a_key_that_works_is_healthy(desk: Desk) -> None:
    key = await desk.new_key()
    assert (await desk.ask("POST", "/key/health", key=key)).json() == {"key": "healthy", "logging_callbacks": None}


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("rotation_interval", "soon", "rotation_interval"),
        ("auto_rotate", "maybe", "auto_rotate"),
        ("organization_id", 5, "organization_id"),
        ("temp_budget_expiry", "soon", "temp_budget_expiry"),
        ("temp_budget_increase", -1, "temp_budget_increase"),
        ("rpm_limit_type", "fast", "rpm_limit_type"),
        ("allowed_cache_controls", [1], "allowed_cache_controls[0]"),
        ("budget_fallbacks", {"a": "b"}, "budget_fallbacks[...]"),
    ],
)
async def test_fields_of_a_wrong_form_are_refused_with_their_path(
    desk: Desk, field: str, value: object, param: str
) -> None:
    answer = await desk.ask("POST", "/key/generate", {field: value})
    assert (answer.status, answer.error.param) == (400, param), answer.body


async def test_a_rotation_is_in_the_audit_log(desk: Desk, tmp_path: Path) -> None:
    old = await desk.new_key(key_alias="ann", auto_rotate=True, rotation_interval="30d")
    desk.clock.now = NOW + 31 * DAY
    assert await task_of(desk, tmp_path).look() == 1
    found = await desk.audit.find(AuditQuery(action="rotated"))
    (entry,) = found.entries
    assert (entry.object_id, entry.changed_by, entry.outcome) == (token_of(old), "rotation", "done")
    assert entry.before_value is not None and entry.updated_values is not None
    before, after = msgspec.json.decode(entry.before_value), msgspec.json.decode(entry.updated_values)
    assert before["token"] == token_of(old) and before["key_alias"] == after["key_alias"] == "ann"
    assert after["rotation_count"] == 1 and after["token"] != before["token"]
    assert (tmp_path / "ann.key").read_text().strip().encode() not in bytes(entry.updated_values)


async def test_a_rotation_that_cannot_be_made_is_in_the_audit_log_too(desk: Desk, tmp_path: Path) -> None:
    await desk.new_key(key_alias="ann", auto_rotate=True, rotation_interval="30d")
    desk.clock.now = NOW + 31 * DAY
    (tmp_path / "keys").write_text("a file, where a directory is needed")
    assert await task_of(desk, tmp_path / "keys").look() == 0
    (entry,) = (await desk.audit.find(AuditQuery(action="rotated"))).entries
    assert entry.outcome == "failed" and entry.updated_values is None


async def test_what_cannot_be_written_down_is_not_rotated(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await desk.new_key(key_alias="ann", auto_rotate=True, rotation_interval="30d")
    desk.clock.now = NOW + 31 * DAY

    async def gone(_entries: object) -> None:
        raise StorageUnavailable("The database is away.")

    monkeypatch.setattr(desk.audit, "append", gone)
    assert await task_of(desk, tmp_path).look() == 0
    assert await works(desk, old) and not list(tmp_path.iterdir())
