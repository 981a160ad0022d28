"""Entries are kept as they were given, found by what they can be found by, and changed by one at a time."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

import msgspec
import pytest

from pointsman.core.errors import Malformed, NotFound
from pointsman.stores.directory.kinds import ACCESS_GROUPS, TEAM_MEMBERS, TEAMS, USERS, Kind
from pointsman.stores.directory.ports import (
    AliasTaken,
    Changed,
    DirectoryQuery,
    DirectoryStore,
    EntryExists,
    Meter,
    SpendStore,
    Write,
)
from pointsman.stores.directory.records import (
    AccessGroup,
    BudgetWindow,
    Limits,
    ModelLimits,
    Role,
    Team,
    TeamMember,
    User,
    member_id,
)
from pointsman.stores.ports import LedgerStore
from tests.stores.samples import bare_call

FULL = Team(
    team_id="t1",
    alias="Würzburg",
    organization_id="o1",
    models=("gpt-*",),
    model_aliases={"fast": "llama3"},
    tags=("a",),
    limits=Limits(
        max_budget=5,
        budget_limits=(BudgetWindow(duration="1d", max_budget=2),),
        model_limits={"gpt-5": ModelLimits(max_budget=1, duration="1h")},
    ),
    member_permissions=("/key/generate",),
    blocked=True,
    metadata=msgspec.Raw(b'{"a":[1,null]}'),
    created_at=5.5,
    updated_at=6.5,
)


class Thing(msgspec.Struct, frozen=True):
    """What can be found by everything that any kind can be found by."""

    name: str
    alias: str | None = None
    parent: str | None = None
    owner: str | None = None
    created_at: float = 0.0
    updated_at: float = 0.0


def _things(kind: str) -> Kind[Thing]:
    return Kind(
        kind,
        Thing,
        lambda one: one.name,
        alias=lambda one: one.alias,
        parent=lambda one: one.parent,
        owner=lambda one: one.owner,
    )


THINGS: Final = _things("thing")
OTHERS: Final = _things("other")


async def test_an_entry_is_given_as_it_was_kept(directory: DirectoryStore) -> None:
    await directory.insert(TEAMS, FULL)
    assert await directory.get(TEAMS, "t1") == FULL
    assert await directory.get(USERS, "t1") is None
    user = User(user_id="u1", role=Role.VIEWER)
    await directory.insert(USERS, user)
    assert await directory.look_up([(USERS, "u1"), (TEAMS, "gone"), (TEAMS, "t1")]) == (user, None, FULL)


async def test_an_id_is_taken_once(directory: DirectoryStore) -> None:
    await directory.insert(TEAMS, FULL)
    with pytest.raises(EntryExists) as refused:
        await directory.insert(TEAMS, Team(team_id="t1"))
    assert "'t1'" in refused.value.message
    assert await directory.get(TEAMS, "t1") == FULL


async def test_an_alias_is_unique_only_where_the_kind_says_so(directory: DirectoryStore) -> None:
    await directory.insert(TEAMS, FULL)
    await directory.insert(TEAMS, Team(team_id="t2", alias=FULL.alias))
    await directory.insert(ACCESS_GROUPS, AccessGroup(access_group_id="a1", name="beta"))
    with pytest.raises(AliasTaken):
        await directory.insert(ACCESS_GROUPS, AccessGroup(access_group_id="a2", name="beta"))
    await directory.insert(ACCESS_GROUPS, AccessGroup(access_group_id="a3", name="gamma"))
    with pytest.raises(AliasTaken):
        await directory.update(ACCESS_GROUPS, "a3", lambda one: msgspec.structs.replace(one, name="beta"))
    kept = await directory.get(ACCESS_GROUPS, "a3")
    assert kept is not None
    assert kept.name == "gamma"


async def test_text_that_is_no_unicode_is_refused(directory: DirectoryStore) -> None:
    with pytest.raises(Malformed):
        await directory.insert(TEAMS, Team(team_id="t", alias="\ud800"))
    assert await directory.get(TEAMS, "t") is None


async def test_changes_that_run_at_once_are_all_made(directory: DirectoryStore) -> None:
    await directory.insert(TEAMS, FULL)

    def one_more(team: Team) -> Team:
        return msgspec.structs.replace(team, tags=(*team.tags, "x"))

    await directory.insert(TEAMS, Team(team_id="t2"))
    await asyncio.gather(*(directory.update(TEAMS, "t1", one_more) for _ in range(20)))
    team = await directory.get(TEAMS, "t1")
    assert team is not None
    assert len(team.tags) == 21
    assert await directory.get(TEAMS, "t2") == Team(team_id="t2")


async def test_a_change_that_is_refused_changes_nothing(directory: DirectoryStore) -> None:
    await directory.insert(TEAMS, FULL)

    def refuse(_team: Team) -> Team:
        raise Malformed("no")

    with pytest.raises(Malformed):
        await directory.update(TEAMS, "t1", refuse)
    with pytest.raises(NotFound) as refused:
        await directory.update(TEAMS, "gone", refuse)
    assert refused.value.code == "team_not_found"
    assert await directory.get(TEAMS, "t1") == FULL


async def test_several_writes_are_one(directory: DirectoryStore) -> None:
    await directory.insert(TEAMS, FULL)
    member = TeamMember(team_id="t1", user_id="u1", role="admin")
    group = AccessGroup(access_group_id="a1", name="beta")
    await directory.write([Write(TEAM_MEMBERS, member_id("t1", "u1"), member), Write(TEAMS, "t1", None)])
    await directory.insert(ACCESS_GROUPS, group)
    with pytest.raises(AliasTaken):
        await directory.write(
            [
                Write(TEAM_MEMBERS, member_id("t1", "u1"), None),
                Write(ACCESS_GROUPS, "a2", msgspec.structs.replace(group, access_group_id="a2")),
            ]
        )
    assert await directory.get(TEAM_MEMBERS, member_id("t1", "u1")) == member
    assert await directory.get(TEAMS, "t1") is None


async def test_entries_are_found_by_group_by_user_and_by_name(directory: DirectoryStore) -> None:
    for team in ("a", "b"):
        for user in ("x", "y", "z"):
            await directory.insert(TEAM_MEMBERS, TeamMember(team_id=team, user_id=user))
    of_a = await directory.find(TEAM_MEMBERS, DirectoryQuery(parent="a", sort_by="id", sort_order="asc", size=2))
    assert [member.user_id for member in of_a.records] == ["x", "y"]
    assert of_a.total == 3
    of_x = await directory.find(TEAM_MEMBERS, DirectoryQuery(owner="x", sort_by="id", sort_order="asc"))
    assert [member.team_id for member in of_x.records] == ["a", "b"]
    await directory.insert(TEAMS, FULL)
    await directory.insert(TEAMS, Team(team_id="WÜRZ", created_at=9.0))
    assert [one.team_id for one in (await directory.find(TEAMS, DirectoryQuery(stored='"WÜRZ"'))).records] == ["WÜRZ"]
    assert (await directory.find(TEAMS, DirectoryQuery(stored='"WÜRZ"', ids=("t1",)))).total == 0
    found = await directory.find(TEAMS, DirectoryQuery(search="rZ"))
    assert [team.team_id for team in found.records] == ["WÜRZ", "t1"]
    assert (await directory.find(TEAMS, DirectoryQuery(alias="Würzburg", ids=("t1", "other")))).total == 1
    assert (await directory.find(TEAMS, DirectoryQuery(ids=()))).total == 0
    by_alias = await directory.find(TEAMS, DirectoryQuery(sort_by="alias", sort_order="asc"))
    assert [team.alias for team in by_alias.records] == [None, "Würzburg"]
    second = await directory.find(TEAMS, DirectoryQuery(sort_by="created_at", page=2, size=1))
    assert [team.team_id for team in second.records] == ["t1"]


@pytest.mark.parametrize("at_once", [False, True])
async def test_an_entry_is_found_by_what_it_is_now(directory: DirectoryStore, *, at_once: bool) -> None:
    before, after = Thing("1", "red", "a", "x", 1.0, 9.0), Thing("1", "blue", "b", "y", 3.0, 4.0)
    other = Thing("2", "green", "c", "z", 2.0, 5.0)
    await directory.write([Write(THINGS, "1", before), Write(THINGS, "2", other)])
    if at_once:
        await directory.write([Write(THINGS, "1", after)])
    else:
        await directory.update(THINGS, "1", lambda _: after)
    for field in ("alias", "parent", "owner"):
        for one, found in ((before, ()), (after, (after,)), (other, (other,))):
            page = await directory.find(THINGS, DirectoryQuery(**{field: getattr(one, field)}))
            assert page.records == found
    assert (await directory.find(THINGS, DirectoryQuery())).records == (after, other)
    assert (await directory.find(THINGS, DirectoryQuery(sort_by="updated_at"))).records == (other, after)


async def test_a_name_that_an_entry_had_before_is_free(directory: DirectoryStore) -> None:
    groups = [AccessGroup(access_group_id="a1", name=name) for name in ("beta", "gamma", "delta")]
    await directory.write([Write(ACCESS_GROUPS, "a1", groups[0])])
    await directory.write([Write(ACCESS_GROUPS, "a1", groups[1])])
    await directory.insert(ACCESS_GROUPS, AccessGroup(access_group_id="a2", name="beta"))
    with pytest.raises(AliasTaken):
        await directory.insert(ACCESS_GROUPS, AccessGroup(access_group_id="a3", name="gamma"))
    await directory.update(ACCESS_GROUPS, "a1", lambda _: groups[2])
    await directory.insert(ACCESS_GROUPS, AccessGroup(access_group_id="a3", name="gamma"))


async def test_all_filters_hold_together_in_any_order(directory: DirectoryStore, spend: SpendStore) -> None:
    places = itertools.product(("Red", "blue"), ("a", "b"), ("x", "y"))
    things = [Thing(f"{number}", *place, created_at=float(number)) for number, place in enumerate(places)]
    things.append(Thing("edge", "green", "a", "x", created_at=9.0))
    await directory.write([Write(kind, one.name, one) for kind in (THINGS, OTHERS) for one in things])
    spent = {one.name: 7 * number % 10 for number, one in enumerate(things)}
    for number, one in enumerate(things):
        if spent[one.name]:
            await spend.set_amount(Meter("thing", one.name), spent[one.name])
        for besides in (Meter("thing", one.name, "m"), Meter("thing", one.name, "", "1h"), Meter("other", one.name)):
            await spend.set_amount(besides, 100 * number + 50)
    for ids, parent, owner, alias, search in itertools.product(
        (None, ("0", "1", "2", "4", "edge")), (None, "a"), (None, "x"), (None, "Red"), (None, "eD")
    ):
        query = DirectoryQuery(ids=ids, parent=parent, owner=owner, alias=alias, search=search)
        wanted = [
            one
            for one in things
            if (ids is None or one.name in ids)
            and parent in {None, one.parent}
            and owner in {None, one.owner}
            and alias in {None, one.alias}
            and (search is None or one.alias == "Red" or one.name == "edge")
        ]
        for sort_by, sort_order in itertools.product(("id", "alias", "created_at", "spend"), ("asc", "desc")):
            query = msgspec.structs.replace(query, sort_by=sort_by, sort_order=sort_order)
            page = await directory.find(THINGS, query)
            ranks = {one.name: getattr(one, {"id": "name"}.get(sort_by, sort_by), spent[one.name]) for one in wanted}
            expected = sorted(wanted, key=lambda one, ranks=ranks: ranks[one.name], reverse=sort_order == "desc")  # type: ignore[misc]
            assert list(page.records) == expected, query
            assert page.total == len(wanted)
            part = await directory.find(THINGS, msgspec.structs.replace(query, page=2, size=2))
            assert (part.records, part.total) == (page.records[2:4], len(wanted))


async def test_entries_of_one_rank_come_by_their_ids(directory: DirectoryStore) -> None:
    await directory.write([Write(THINGS, name, Thing(name)) for name in ("c", "a", "b")])
    for sort_by, sort_order in itertools.product(("alias", "created_at", "updated_at", "spend"), ("asc", "desc")):
        query = msgspec.structs.replace(DirectoryQuery(), sort_by=sort_by, sort_order=sort_order)
        page = await directory.find(THINGS, query)
        assert [one.name for one in page.records] == ["a", "b", "c"]


async def test_entries_come_in_the_order_of_what_they_spent(
    directory: DirectoryStore, ledger: LedgerStore, spend: SpendStore
) -> None:
    for user in ("u1", "u2", "u3", "u4"):
        await directory.insert(USERS, User(user_id=user))
    for user, cost in (("u1", 5), ("u2", 9), ("u3", 7)):
        await ledger.append([bare_call(user, user_id=user, cost=cost)])
    await spend.set_amount(Meter("user", "u2"), 1)
    dearest = await directory.find(USERS, DirectoryQuery(sort_by="spend"))
    assert [user.user_id for user in dearest.records] == ["u3", "u1", "u2", "u4"]
    some = await directory.find(
        USERS, DirectoryQuery(sort_by="spend", sort_order="asc", ids=("u1", "u2", "u3"), page=2, size=1)
    )
    assert ([user.user_id for user in some.records], some.total) == (["u1"], 3)


async def test_others_learn_what_changed(directory: DirectoryStore) -> None:
    start = await directory.version()
    await directory.insert(TEAMS, FULL)
    await directory.insert(USERS, User(user_id="u1"))
    await directory.update(TEAMS, "t1", lambda team: team)
    version, changed = await directory.changed_since(start)
    assert changed == (Changed("user", "u1"), Changed("team", "t1"))
    assert version == await directory.version()
    assert await directory.changed_since(version) == (version, ())
    assert await directory.delete(TEAMS, ["gone", "t1", "t1"]) == ("t1",)
    assert (await directory.changed_since(version))[1] == (Changed("team", "t1"),)


def test_ids_of_members_are_told_apart() -> None:
    assert member_id("a/b", "c") != member_id("a", "b/c")
