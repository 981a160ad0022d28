"""What :class:`pointsman.stores.ports.KeyStore` promises, for every backend."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Malformed, NotFound
from pointsman.core.identity import KeyRecord
from pointsman.stores.ports import INTEGER_MAX, Conflict, KeyChanges, KeyQuery, KeyStore, LedgerStore, Removal
from tests.stores.samples import DAY, NOON, bare_call, bare_key, full_key


@pytest.mark.parametrize("record", [full_key(), bare_key()], ids=["full", "bare"])
async def test_a_key_comes_back_as_it_was_kept(keys: KeyStore, record: Any) -> None:
    assert set(msgspec.structs.asdict(full_key())) == set(full_key().__struct_fields__)
    await keys.insert(record)
    assert await keys.get("t1") == record


async def test_a_sample_sets_every_field() -> None:
    full, bare = msgspec.structs.asdict(full_key()), msgspec.structs.asdict(bare_key())
    assert {name for name in full if full[name] == bare[name]} == {"token", "spend"}


async def test_an_unknown_key_is_none(keys: KeyStore) -> None:
    assert await keys.get("nobody") is None


async def test_an_alias_belongs_to_one_key(keys: KeyStore) -> None:
    await keys.insert(full_key("t1", key_alias="same"))
    with pytest.raises(Conflict) as refused:
        await keys.insert(full_key("t2", key_alias="same"))
    assert (refused.value.code, refused.value.status) == ("key_alias_exists", 400)
    assert await keys.get("t2") is None


async def test_keys_without_an_alias_do_not_conflict(keys: KeyStore) -> None:
    await keys.insert(bare_key("t1"))
    await keys.insert(bare_key("t2"))
    assert (await keys.find(KeyQuery())).total == 2


async def test_a_token_belongs_to_one_key(keys: KeyStore) -> None:
    await keys.insert(bare_key("t1", key_alias="a"))
    with pytest.raises(Conflict) as refused:
        await keys.insert(bare_key("t1", key_alias="b"))
    assert refused.value.code == "key_exists"
    stored = await keys.get("t1")
    assert stored is not None
    assert stored.key_alias == "a"


async def test_only_given_fields_change(keys: KeyStore) -> None:
    await keys.insert(full_key())
    changes = KeyChanges(updated_at=NOON + 1, key_alias=None, blocked=False, max_budget=None, models=())
    changed = await keys.update("t1", changes)
    expected = full_key(updated_at=NOON + 1, key_alias=None, blocked=False, max_budget=None, models=())
    assert changed == expected
    assert await keys.get("t1") == expected


async def test_every_changeable_field_can_change(keys: KeyStore) -> None:
    await keys.insert(bare_key())
    fields = set(KeyChanges.__struct_fields__)
    given = {name: value for name, value in msgspec.structs.asdict(full_key(spend=7)).items() if name in fields}
    await keys.update("t1", KeyChanges(**given))
    unchanged: dict[str, Any] = {"created_at": 0.0, "created_by": None, "last_active": None}
    assert await keys.get("t1") == full_key(spend=7, **unchanged)


async def test_changes_made_of_the_key_as_it_is_lose_nothing_of_one_another(keys: KeyStore) -> None:
    await keys.insert(bare_key(extra=msgspec.Raw(b"{}")))

    def adding(name: str) -> Callable[[KeyRecord], KeyChanges]:
        def change(record: KeyRecord) -> KeyChanges:
            said = {**msgspec.json.decode(record.extra), name: True}
            return KeyChanges(updated_at=1.0, extra=msgspec.Raw(msgspec.json.encode(said)))

        return change

    await asyncio.gather(*[keys.update("t1", adding(f"field {number}")) for number in range(20)])
    stored = await keys.get("t1")
    assert stored is not None
    assert len(msgspec.json.decode(stored.extra)) == 20
    rotated = await keys.rotate("t1", lambda old: msgspec.structs.replace(old, token="t2"))
    assert rotated.extra == stored.extra


async def test_a_change_that_is_refused_for_the_key_as_it_is_changes_nothing(keys: KeyStore) -> None:
    await keys.insert(full_key())

    def refuse(record: KeyRecord) -> Any:
        raise Conflict(record.key_name)

    with pytest.raises(Conflict):
        await keys.update("t1", refuse)
    with pytest.raises(Conflict):
        await keys.rotate("t1", refuse)
    assert await keys.get("t1") == full_key()


async def test_a_change_to_a_taken_alias_is_refused_whole(keys: KeyStore) -> None:
    await keys.insert(full_key("t1"))
    await keys.insert(full_key("t2"))
    with pytest.raises(Conflict):
        await keys.update("t2", KeyChanges(updated_at=0.0, key_alias="alias of t1", blocked=False))
    assert await keys.get("t2") == full_key("t2")


async def test_a_key_may_keep_its_own_alias(keys: KeyStore) -> None:
    await keys.insert(full_key("t1"))
    await keys.update("t1", KeyChanges(updated_at=1.0, key_alias="alias of t1"))


async def test_an_unknown_key_cannot_be_changed_or_rotated(keys: KeyStore) -> None:
    with pytest.raises(NotFound):
        await keys.update("nobody", KeyChanges(updated_at=0.0))
    with pytest.raises(NotFound):
        await keys.rotate("nobody", bare_key("t2"))
    assert await keys.get("t2") is None


@pytest.mark.parametrize("field", ["spend", "max_budget", "soft_budget", "rpm_limit", "tpm_limit"])
async def test_numbers_are_kept_up_to_63_bits_and_refused_beyond(keys: KeyStore, field: str) -> None:
    await keys.insert(bare_key("t1", **{field: INTEGER_MAX}))
    stored = await keys.get("t1")
    assert getattr(stored, field) == INTEGER_MAX
    with pytest.raises(Malformed) as refused:
        await keys.insert(bare_key("t2", **{field: INTEGER_MAX + 1}))
    assert refused.value.param == field
    changes: dict[str, Any] = {"updated_at": 0.0, field: INTEGER_MAX + 1}
    with pytest.raises(Malformed):
        await keys.update("t1", KeyChanges(**changes))


async def test_text_that_is_not_unicode_is_refused(keys: KeyStore) -> None:
    with pytest.raises(Malformed):
        await keys.insert(bare_key("t1", key_alias="\ud800"))


@pytest.mark.parametrize("alias", ["'; DROP TABLE keys; --", 'a"b', "%", "a\x00b", "", "Ωμέγα"])
async def test_any_text_is_only_text(keys: KeyStore, alias: str) -> None:
    await keys.insert(bare_key("t1", key_alias=alias))
    await keys.insert(bare_key("t2", key_alias="other"))
    page = await keys.find(KeyQuery(key_alias=alias))
    assert [(record.token, record.key_alias) for record in page.records] == [("t1", alias)]


# -- rotation and deletion ---------------------------------------------------------------------------


async def test_a_rotated_key_goes_on_under_its_new_token(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(full_key("t1"))
    await ledger.append([bare_call("c1", key_token="t1", cost=5)])
    new = full_key("t2", key_alias="alias of t1", created_at=NOON + DAY, updated_at=NOON + DAY, last_active=None)
    kept = await keys.rotate("t1", new)
    assert kept == full_key("t2", key_alias="alias of t1", spend=5, updated_at=NOON + DAY, last_active=NOON + 1)
    assert await keys.get("t2") == kept
    assert await keys.get("t1") is None


async def test_late_calls_of_a_rotated_key_are_charged_to_its_latest_successor(
    keys: KeyStore, ledger: LedgerStore
) -> None:
    await keys.insert(bare_key("t1"))
    await keys.rotate("t1", bare_key("t2"))
    await keys.rotate("t2", bare_key("t3"))
    await ledger.append([bare_call("c1", key_token="t1", cost=3), bare_call("c2", key_token="t2", cost=4)])
    latest = await keys.get("t3")
    assert latest is not None
    assert latest.spend == 7


async def test_a_rotation_to_a_taken_token_or_alias_changes_nothing(keys: KeyStore) -> None:
    await keys.insert(full_key("t1"))
    await keys.insert(full_key("t2"))
    for taken in (full_key("t2"), full_key("t3", key_alias="alias of t2"), full_key("t1")):
        with pytest.raises(Conflict):
            await keys.rotate("t1", taken)
    assert await keys.get("t1") == full_key("t1")
    assert (await keys.find(KeyQuery(status="deleted"))).total == 0


async def test_deletion_names_what_was_there_and_keeps_it_in_the_history(keys: KeyStore) -> None:
    await keys.insert(full_key("t1"))
    await keys.insert(bare_key("t2"))
    assert await keys.delete(["t2", "nobody", "t1", "t2"], NOON, "admin") == ("t2", "t1")
    assert await keys.get("t1") is None
    page = await keys.find(KeyQuery(status="deleted", sort_by="token", sort_order="asc"))
    assert page.records == (full_key("t1"), bare_key("t2"))
    assert page.removals == (Removal(NOON, "admin"), Removal(NOON, "admin"))


async def test_the_history_tells_what_replaced_a_key(keys: KeyStore) -> None:
    await keys.insert(bare_key("t1"))
    await keys.rotate("t1", bare_key("t2", updated_at=NOON, created_by="admin"))
    page = await keys.find(KeyQuery(status="deleted"))
    assert page.removals == (Removal(NOON, "admin", "t2"),)


async def test_a_deleted_key_frees_its_alias_and_its_token(keys: KeyStore) -> None:
    await keys.insert(full_key("t1"))
    await keys.delete(["t1"], NOON)
    await keys.insert(full_key("t1"))
    await keys.delete(["t1"], NOON + 1, "b")
    assert (await keys.find(KeyQuery(status="deleted"))).removals == (Removal(NOON + 1, "b"),)


async def test_late_calls_of_a_deleted_key_are_charged_in_the_history(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(bare_key("t1"))
    await keys.delete(["t1"], NOON)
    await ledger.append([bare_call(key_token="t1", cost=9)])
    (record,) = (await keys.find(KeyQuery(status="deleted"))).records
    assert (record.spend, record.last_active) == (9, NOON + 1)


# -- lists --------------------------------------------------------------------------------------------


async def test_the_live_keys_of_users_and_teams_are_counted(keys: KeyStore) -> None:
    for number in range(12):
        await keys.insert(bare_key(f"t{number}", user_id=f"u{number % 3}", team_id="a" if number < 5 else None))
    await keys.delete(["t0", "t1"], 1.0)
    assert await keys.count_of("user", ["u0", "u1", "u1", "nobody"]) == {"u0": 3, "u1": 3}
    assert await keys.count_of("team", ["a", "b"]) == {"a": 3}
    assert await keys.count_of("team", []) == {}


async def test_pages_cover_everything_once(keys: KeyStore) -> None:
    for number in range(7):
        await keys.insert(bare_key(f"t{number}", created_at=float(number // 2)))
    pages = [await keys.find(KeyQuery(page=page, size=3)) for page in (1, 2, 3, 4)]
    assert [page.total for page in pages] == [7, 7, 7, 7]
    found = [[record.token for record in page.records] for page in pages]
    assert found == [["t6", "t4", "t5"], ["t2", "t3", "t0"], ["t1"], []]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("spend", [3, 1, 2]),
        ("max_budget", [None, 5, 2]),
        ("key_alias", ["b", None, "a"]),
        ("created_at", [1.5, 3.0, 2.0]),
        ("updated_at", [1.5, 3.0, 2.0]),
        ("key_name", ["Z", "a", "ä"]),
        ("token", ["t0", "t1", "t2"]),
        ("expires", [5.0, None, 2.0]),
        ("last_active", [5.0, None, 2.0]),
        ("budget_reset_at", [None, 7.0, 2.0]),
        ("rpm_limit", [5, None, 2]),
        ("tpm_limit", [5, 1, None]),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_lists_are_in_the_order_asked_for(keys: KeyStore, field: Any, values: Any, order: Any) -> None:
    for number, value in enumerate(values):
        await keys.insert(bare_key(**{"token": f"t{number}", field: value}))
    page = await keys.find(KeyQuery(sort_by=field, sort_order=order))
    rising = sorted(values, key=lambda value: (value is not None, value))
    assert [getattr(record, field) for record in page.records] == (rising if order == "asc" else rising[::-1])


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        (KeyQuery(user_id="Ann"), {"t1"}),
        (KeyQuery(user_id="an"), set()),
        (KeyQuery(user_id="an", substring=True), {"t1", "t3"}),
        (KeyQuery(key_alias="PROD", substring=True), {"t1", "t2"}),
        (KeyQuery(key_alias="prod%", substring=True), set()),
        (KeyQuery(key_alias="prod", user_id="bob", substring=True), {"t2"}),
        (KeyQuery(team_id="x"), {"t2", "t3"}),
        (KeyQuery(team_id="x", substring=True, user_id="N"), {"t3"}),
        (KeyQuery(key_hash="t3"), {"t3"}),
        (KeyQuery(key_hash="t"), set()),
    ],
)
async def test_filters_hold_together(keys: KeyStore, query: KeyQuery, tokens: set[str]) -> None:
    await keys.insert(bare_key("t1", user_id="Ann", key_alias="prod-1"))
    await keys.insert(bare_key("t2", user_id="bob", key_alias="Prod-2", team_id="x"))
    await keys.insert(bare_key("t3", user_id="Hans", team_id="x"))
    page = await keys.find(query)
    assert ({record.token for record in page.records}, page.total) == (tokens, len(tokens))
    uncounted = await keys.find(msgspec.structs.replace(query, counted=False))
    assert (uncounted.records, uncounted.total) == (page.records, 0)


async def test_all_filters_hold_together_in_any_order(keys: KeyStore) -> None:
    places = itertools.product(("Ann", "bob"), ("x", None), (False, True), (50.0, 49.0, None))
    made = [
        bare_key(f"t{n:02}", key_alias=f"{('prod', 'Test')[n % 2]}-{n}", created_at=float(n // 2), spend=n % 3,
                 user_id=user, team_id=team, blocked=blocked, expires=expires)
        for n, (user, team, blocked, expires) in enumerate(places)
    ]  # fmt: skip
    for one in made:
        await keys.insert(one)
    latest = sorted(made, key=lambda one: -one.created_at)
    dearest = sorted(made, key=lambda one: -one.spend)
    options = itertools.product(
        (None, "Ann", "bob"), (None, "x"), (None, "prod-0", "Test-7"), (None, "t00", "t07"), (None, "PROD"),
        (None, False), (None, "active", "expired"),
    )  # fmt: skip
    for number, (user, team, alias, token, search, blocked, expires) in enumerate(options):
        sort_by, order = ("created_at", latest) if number % 2 else ("spend", dearest)
        query = msgspec.structs.replace(
            KeyQuery(now=50.0, size=30), user_id=user, team_id=team, key_alias=alias, key_hash=token, search=search,
            blocked=blocked, expires=expires, sort_by=sort_by,
        )  # fmt: skip
        wanted = [
            one.token
            for one in order
            if user in {None, one.user_id}
            and team in {None, one.team_id}
            and alias in {None, one.key_alias}
            and token in {None, one.token}
            and (search is None or str(one.key_alias).startswith("prod"))
            and blocked in {None, one.blocked}
            and expires in {None, "expired" if one.expires == 49.0 else "active"}
        ]
        page = await keys.find(query)
        assert ([one.token for one in page.records], page.total) == (wanted, len(wanted)), query


_SAID = {
    "t1": {"organization_id": "acme", "access_group_ids": ["cheap", "fast"]},
    "t2": {"project_id": "p", "agent_id": "a"},
    "t3": {"organization_id": "a\x00b", "access_group_ids": None},
    "t4": {},
}


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        (KeyQuery(search="PROD"), {"t1", "t2"}),
        (KeyQuery(search="t3"), {"t3"}),
        (KeyQuery(search="prod", team_id="x"), {"t2"}),
        (KeyQuery(blocked=True), {"t2"}),
        (KeyQuery(blocked=False, expires="active", now=50.0), {"t1", "t4"}),
        (KeyQuery(expires="expired", now=50.0), {"t3"}),
        (KeyQuery(organization_id="acme"), {"t1"}),
        (KeyQuery(organization_id="acme", organization_teams=("x",)), {"t1", "t2", "t3"}),
        (KeyQuery(project_id="p"), {"t2"}),
        (KeyQuery(agent_id="a"), {"t2"}),
        (KeyQuery(agent_id="b"), set()),
        (KeyQuery(access_group_id="fast"), {"t1"}),
        (KeyQuery(user_id="Ann", also_teams=("x",)), {"t1", "t2", "t3"}),
        (KeyQuery(user_id="Ann", also_teams=("y",)), {"t1"}),
        (KeyQuery(user_id="Ann", also_teams=("x",), search="prod-2"), {"t2"}),
    ],
)
async def test_what_has_no_index_is_found_too(keys: KeyStore, query: KeyQuery, tokens: set[str]) -> None:
    said = {token: msgspec.Raw(msgspec.json.encode(extra)) for token, extra in _SAID.items()}
    await keys.insert(bare_key("t1", user_id="Ann", key_alias="prod-1", extra=said["t1"], expires=90.0))
    await keys.insert(bare_key("t2", user_id="bob", key_alias="Prod-2", team_id="x", extra=said["t2"], blocked=True))
    await keys.insert(bare_key("t3", team_id="x", extra=said["t3"], expires=10.0))
    await keys.insert(bare_key("t4", extra=said["t4"]))
    for sort_by, size in (("created_at", 10), ("key_name", 10), ("token", 1)):
        page = await keys.find(msgspec.structs.replace(query, sort_by=sort_by, size=size))
        assert page.total == len(tokens)
        if size > 1:
            assert {record.token for record in page.records} == tokens


async def test_a_text_that_very_many_have_is_found_in_all_of_them(
    keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman.stores.sqlite.keys._FOUND_MAX", 2)
    for number in range(4):
        await keys.insert(bare_key(f"t{number}", user_id=f"user-{number}", key_alias=f"alias-{number}"))
    for query in (KeyQuery(key_alias="ALIAS", substring=True, size=3), KeyQuery(user_id="ser", substring=True, size=3)):
        page = await keys.find(query)
        assert (len(page.records), page.total) == (3, 4)


# -- changes and budgets --------------------------------------------------------------------------------


async def test_every_kind_of_change_is_told_once_to_those_who_ask(keys: KeyStore, ledger: LedgerStore) -> None:
    assert await keys.changed_since(0) == (0, ())
    for token in ("t1", "t2", "t3", "t4", "t5"):
        await keys.insert(bare_key(token, budget_reset_at=NOON))
    version, tokens = await keys.changed_since(0)
    assert tokens == ("t1", "t2", "t3", "t4", "t5")
    assert await keys.changed_since(version) == (version, ())

    await keys.update("t4", KeyChanges(updated_at=1.0))
    await keys.delete(["t1"], NOON)
    await keys.rotate("t2", bare_key("t9"))
    await ledger.append([bare_call(key_token="t3", cost=1)])  # which the directory tells of
    await keys.reset_budget("t5", NOON, None)
    later, tokens = await keys.changed_since(version)
    assert tokens == ("t4", "t1", "t2", "t9", "t5")
    assert later > version
    assert await keys.changed_since(later) == (later, ())
    assert await keys.version() == later


async def test_a_key_that_changed_twice_is_told_once(keys: KeyStore) -> None:
    await keys.insert(bare_key("t1"))
    await keys.insert(bare_key("t2"))
    await keys.update("t1", KeyChanges(updated_at=1.0))
    assert (await keys.changed_since(0))[1] == ("t2", "t1")


async def test_calls_that_cost_nothing_and_refused_writes_are_no_change(keys: KeyStore, ledger: LedgerStore) -> None:
    await keys.insert(full_key("t1"))
    version = await keys.version()
    await ledger.append([bare_call(key_token="t1", cost=0), bare_call("c2", key_token="master", cost=5)])
    with pytest.raises(Conflict):
        await keys.insert(full_key("t2", key_alias="alias of t1"))
    assert await keys.reset_budget("t1", NOON, None) is None
    assert await keys.delete(["nobody"], NOON) == ()
    assert await keys.changed_since(version) == (version, ())


async def test_a_budget_is_reset_when_it_is_due_and_only_once(keys: KeyStore) -> None:
    await keys.insert(full_key("t1", spend=100, budget_reset_at=NOON))
    assert await keys.reset_budget("t1", NOON - 1, NOON + DAY) is None
    expected = full_key("t1", spend=0, budget_reset_at=NOON + DAY)
    assert await keys.reset_budget("t1", NOON, NOON + DAY) == expected
    assert await keys.get("t1") == expected
    assert await keys.reset_budget("t1", NOON, NOON + DAY) is None
    assert await keys.reset_budget("nobody", NOON, None) is None


@pytest.mark.parametrize(("at_most", "left"), [(30, 70), (100, 0), (200, 0)])
async def test_what_a_key_spent_beyond_its_budget_can_be_carried_on(keys: KeyStore, at_most: int, left: int) -> None:
    await keys.insert(full_key("t1", spend=100, budget_reset_at=NOON))
    record = await keys.reset_budget("t1", NOON, NOON + DAY, at_most)
    assert record is not None and (record.spend, record.budget_reset_at) == (left, NOON + DAY)


async def test_due_budgets_are_found_the_longest_due_first(keys: KeyStore) -> None:
    await keys.insert(bare_key("t1", budget_reset_at=NOON - 1))
    await keys.insert(bare_key("t2", budget_reset_at=NOON + 1))
    await keys.insert(bare_key("t3", budget_reset_at=NOON - 2))
    await keys.insert(bare_key("t4"))
    assert [record.token for record in await keys.budgets_due(NOON)] == ["t3", "t1"]
    assert [record.token for record in await keys.budgets_due(NOON - 1)] == ["t3", "t1"], "at the very moment"
    assert [record.token for record in await keys.budgets_due(NOON, limit=1)] == ["t3"]
