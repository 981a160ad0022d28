"""What each actor is shown where nobody is refused: the sums tell whose calls are counted.

The house is that of ``test_matrix.py``, the actors too, and two keys of the team red: K, of its member mia, and L, of
its admin tom. What each call costs, and its tokens, are a power of two, so that every sum says what is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from pointsman.core.identity import token_of
from pointsman.core.price import picodollars
from pointsman.core.usage import Usage
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import Limits, Team, TeamMember, member_id
from pointsman.stores.ports import KeyChanges
from tests.unit.admin.office_desk import Desk, call_record
from tests.unit.admin.test_matrix import House, asking_key, own_key

SPAN: Final = "start_date=2026-09-01&end_date=2026-09-30"
CALLS: Final = (
    (1, own_key("M"), "mia", None),
    (2, asking_key("K"), "mia", "red"),
    (4, "sk-mate-in-red-0123456789", "mate", "red"),
    (8, "sk-stranger-0123456789", "stranger", None),
    (16, asking_key("S"), None, "red"),
    (32, own_key("T"), "tom", None),
    (64, asking_key("L"), "tom", "red"),
    (128, own_key("O"), "olga", None),
)
OWN: Final = {"A": 255, "V": 255, "O": 128, "T": 96, "M": 3, "W": 0, "S": 16, "C": 0, "K": 2, "L": 64}
RED: Final = 2 + 4 + 16 + 64
OWN_AND_TEAMS: Final = {**OWN, "T": 32 + RED, "L": RED}
OF_MY_TEAMS: Final = {"A": RED, "V": RED, "O": 0, "T": RED, "M": 2, "W": 0, "S": 16, "C": 0, "K": 2, "L": RED}
OF_RED: Final = {"A": RED, "V": RED, "O": RED, "T": RED, "M": 2, "W": 0, "S": 16, "K": 2, "L": RED}
REPORT_OF_RED: Final = {"A": RED, "V": RED, "O": RED, "T": RED, "S": RED, "K": 2, "L": RED}


async def housed() -> Desk:
    desk = await (house := House()).built()
    await house.key(asking_key("K"), "mia", "red")
    await house.key(asking_key("L"), "tom", "red")
    await desk.ledger.append([
        call_record(
            f"call-{cost}", key_token=token_of(key), user_id=user_id, team_id=team_id, cost=picodollars(cost),
            usage=Usage(prompt=cost, source="measured"), tags=("t",), end_user="c", provider="ollama", model="m",
            prompt=msgspec.Raw(b'"said"'),
        )
        for cost, key, user_id, team_id in CALLS
    ])  # fmt: skip
    return desk


def total(name: str) -> Callable[[Any], float]:
    return lambda rows: float(sum(row[name] for row in rows))


ROUTES: Final[tuple[tuple[str, dict[str, int], Callable[[Any], float]], ...]] = (
    ("/spend/logs", OWN, total("spend")),
    ("/spend/logs?start_date=2026-09-01", OWN, total("spend")),
    ("/spend/logs/v2", OWN_AND_TEAMS, lambda told: total("spend")(told["data"])),
    ("/spend/logs/v2?user_id=mia", {"A": 3, "V": 3, "M": 3, "K": 2, "S": 0}, lambda told: total("spend")(told["data"])),
    ("/spend/logs/v2?team_id=red", {**OF_RED, "O": 0}, lambda told: total("spend")(told["data"])),
    ("/spend/logs/v2?team_id=blue", dict.fromkeys(OWN, 0), lambda told: total("spend")(told["data"])),
    ("/spend/keys", OWN, total("spend")),
    ("/global/spend/keys", OWN, total("total_spend")),
    ("/global/spend/logs", OWN, total("spend")),
    ("/global/spend/models", OWN, total("total_spend")),
    (f"/global/spend/provider?{SPAN}", OWN, total("spend")),
    (f"/global/spend/tags?{SPAN}", OWN, lambda told: total("spend")(told["spend_per_tag"])),
    ("/spend/tags", OWN, total("total_spend")),
    (f"/global/activity?{SPAN}", OWN, lambda told: float(told["sum_total_tokens"])),
    (f"/global/activity/model?{SPAN}", OWN, total("sum_total_tokens")),
    *(
        (f"/{whose}/daily/activity{suffix}?{SPAN}", seen, lambda told: float(told["metadata"]["total_spend"]))
        for suffix in ("", "/aggregated")
        for whose, seen in (("user", OWN), ("customer", OWN), ("tag", OWN), ("team", OF_MY_TEAMS))
    ),
    (f"/team/daily/activity?team_ids=red&{SPAN}", OF_RED, lambda told: float(told["metadata"]["total_spend"])),
    (f"/team/spend/by_user?team_ids=red&{SPAN}", OF_RED, lambda told: total("spend")(told["results"])),
    (f"/team/spend/report?team_id=red&{SPAN}", REPORT_OF_RED, total("total_cost")),
    (f"/user/spend/report?{SPAN}", {"O": 128, "T": 96, "M": 3, "W": 0, "C": 0, "K": 2, "L": 64}, total("total_cost")),
    (f"/key/spend/report?{SPAN}", {"S": 16, "K": 2, "L": 64, "M": 0}, total("total_cost")),
)  # fmt: skip


@pytest.mark.parametrize(("target", "expected", "figure"), ROUTES, ids=[target for target, *_ in ROUTES])
async def test_sums_have_the_calls_that_the_actor_sees(
    target: str, expected: dict[str, int], figure: Callable[[Any], float]
) -> None:
    desk = await housed()
    found = {}
    for actor in expected:
        answer = await desk.ask("GET", target, key=asking_key(actor))
        assert answer.status == 200, (actor, answer.body)
        found[actor] = figure(answer.json())
    assert found == expected


async def test_an_export_has_what_the_actor_sees() -> None:
    desk = await housed()
    for actor, expected in OWN_AND_TEAMS.items():
        answer = await desk.ask("GET", "/spend/export?format=jsonl", key=asking_key(actor))
        rows = [msgspec.json.decode(line) for line in answer.body.splitlines()]
        assert sum(row["spend_picodollars"] for row in rows) == picodollars(expected), actor


async def test_a_single_call_is_shown_to_whoever_sees_it_in_the_list() -> None:
    desk = await housed()
    for actor, expected in OWN_AND_TEAMS.items():
        for cost, *_ in CALLS:
            answer = await desk.ask("GET", f"/spend/logs/ui/call-{cost}", key=asking_key(actor))
            assert answer.status == (200 if cost & expected else 404), (actor, cost)
            listed = await desk.ask("GET", f"/spend/logs?request_id=call-{cost}", key=asking_key(actor))
            assert bool(listed.json()) == bool(cost & OWN[actor]), (actor, cost)


@pytest.mark.parametrize("path", ["/global/spend/all_tag_names", "/global/all_end_users"])
async def test_names_are_of_what_the_actor_sees(path: str) -> None:
    desk = await housed()
    for actor, expected in OWN.items():
        (names,) = (await desk.ask("GET", path, key=asking_key(actor))).json().values()
        assert bool(names) == bool(expected), actor


# -- a key of a team is not its user ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        f"/key/info?key={own_key('M')}", f"/key/list?key_hash={token_of(own_key('M'))}", "/key/list?team_id=blue",
        f"/spend/logs?api_key={own_key('M')}", f"/spend/logs/v2?api_key={own_key('M')}",
        f"/key/spend/report?{SPAN}&api_key={own_key('M')}", f"/billing/statement?{SPAN}&user_id=mia",
        f"/billing/statement?{SPAN}&api_key={own_key('M')}",
    ],
)  # fmt: skip
async def test_a_key_of_a_team_does_not_see_what_its_user_has_elsewhere(target: str) -> None:
    desk = await housed()
    assert (await desk.ask("GET", target, key=asking_key("K"))).status == 403
    if "blue" not in target:
        assert (await desk.ask("GET", target, key=asking_key("M"))).status == 200


async def test_a_key_of_a_team_lists_keys_teams_and_tags_of_that_team() -> None:
    desk = await housed()
    house_keys = {asking_key("M"), own_key("M"), asking_key("K")}
    await desk.keys.update(token_of(own_key("M")), KeyChanges(updated_at=1.0, tags=("private",)))
    desk.keyring.changed(token_of(own_key("M")), None)
    await desk.ask("POST", "/tag/new", {"name": "private"})
    for actor, keys, tags in (("M", house_keys, {"private", "t"}), ("K", {asking_key("K")}, {"t"})):
        key = asking_key(actor)
        listed = (await desk.ask("GET", "/key/list?size=100", key=key)).json()["keys"]
        assert set(listed) == {token_of(one) for one in keys}
        shown = (await desk.ask("GET", "/user/info", key=key)).json()["keys"]
        assert {row["token"] for row in shown} == {token_of(one) for one in keys}
        assert {tag["name"] for tag in (await desk.ask("GET", "/tag/list", key=key)).json()} == tags


async def test_a_session_names_the_teams_that_the_key_sees() -> None:
    desk = await housed()
    await desk.directory.insert(TEAMS, Team(team_id="green"))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="green", user_id="mia"))
    for actor, teams in (("M", {"red", "green"}), ("K", {"red"}), ("S", set())):
        assert set((await desk.ask("GET", "/session", key=asking_key(actor))).json()["teams"]) == teams


# -- who administers somebody's team sees of them what is the team's ---------------------------------------


async def test_an_admin_of_a_team_sees_of_its_members_what_is_of_the_team() -> None:
    desk = await housed()
    await desk.directory.insert(TEAMS, Team(team_id="green"))
    await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="green", user_id="mia"))
    for actor, keys, teams in (
        ("T", {asking_key("K")}, {"red"}),
        ("A", {asking_key("K"), asking_key("M"), own_key("M")}, {"red", "green"}),
    ):
        told = (await desk.ask("GET", "/user/info?user_id=mia", key=asking_key(actor))).json()
        assert {row["token"] for row in told["keys"]} == {token_of(one) for one in keys}
        assert {team["team_id"] for team in told["teams"]} == teams


@pytest.mark.parametrize(
    ("permissions", "aliases"),
    [(None, ["mine"]), (("/key/aliases",), ["mates", "mine"]), (("/key/list",), ["mine"])],
)
async def test_members_see_the_aliases_of_the_team_where_it_lets_them(
    permissions: tuple[str, ...] | None, aliases: list[str]
) -> None:
    desk = await housed()
    for key, alias in (("sk-mate-in-red-0123456789", "mates"), (own_key("M"), "mine")):
        await desk.keys.update(token_of(key), KeyChanges(updated_at=1.0, key_alias=alias))
    await desk.directory.update(
        TEAMS, "red", lambda team: msgspec.structs.replace(team, member_permissions=permissions)
    )
    for actor, expected in (("M", aliases), ("T", ["mates"]), ("C", []), ("A", ["mates", "mine"])):
        told = (await desk.ask("GET", "/key/aliases", key=asking_key(actor))).json()
        assert told["aliases"] == expected, actor


async def test_a_key_of_a_team_learns_of_its_user_what_is_of_the_team() -> None:
    desk = await housed()
    await desk.directory.update(
        USERS,
        "mia",
        lambda mia: msgspec.structs.replace(
            mia, email="mia@example.com", metadata=msgspec.Raw(b'{"a":1}'), limits=Limits(max_budget=7)
        ),
    )
    for account, spent in ((Meter("user", "mia"), 3), (Meter("member", member_id("red", "mia")), 2)):
        await desk.spend.set_amount(account, picodollars(spent))
    for actor, email, spend, budgeted in (("M", "mia@example.com", 3, True), ("K", None, 2, False)):
        for path in ("/user/info", "/v2/user/info"):
            told = (await desk.ask("GET", path, key=asking_key(actor))).json()
            told = told.get("user_info", told)
            assert (told["user_email"], told["spend"], told["max_budget"] is not None) == (email, spend, budgeted)
            assert bool(told["metadata"]) is budgeted
    await desk.directory.update(
        TEAM_MEMBERS, member_id("red", "mia"), lambda member: msgspec.structs.replace(member, role="admin")
    )
    told = (await desk.ask("GET", "/user/info", key=asking_key("K"))).json()["user_info"]
    assert told["user_email"] == "mia@example.com"


# -- keys of others, as far as their team is overseen ------------------------------------------------------

MATES: Final = "sk-mate-in-red-0123456789"
OF_KEYS: Final[tuple[tuple[str, Callable[[Any], float]], ...]] = (
    ("/spend/logs?", total("spend")),
    ("/spend/logs?start_date=2026-09-01&", total("spend")),
    ("/spend/logs/v2?", lambda told: total("spend")(told["data"])),
    (f"/key/spend/report?{SPAN}&", total("total_cost")),
    (f"/user/daily/activity?{SPAN}&", lambda told: float(told["metadata"]["total_spend"])),
    (f"/team/daily/activity?team_ids=red&{SPAN}&", lambda told: float(told["metadata"]["total_spend"])),
    (f"/billing/statement?{SPAN}&", lambda told: float(told["total"]["billed"])),
)  # fmt: skip


@pytest.mark.parametrize(("path", "figure"), OF_KEYS, ids=[path for path, _ in OF_KEYS])
async def test_an_admin_of_a_team_sees_the_spending_of_each_of_its_keys(
    path: str, figure: Callable[[Any], float]
) -> None:
    desk = await housed()
    # The key was its user's own before it became the team's, and that is none of the team's business.
    before = call_record(
        "call-256", key_token=token_of(MATES), user_id="mate", cost=picodollars(256), provider="ollama", model="m"
    )
    await desk.ledger.append([before])
    for actor, expected in (("O", 4), ("T", 4), ("L", 4), ("M", None), ("K", None), ("S", None)):
        answer = await desk.ask("GET", f"{path}api_key={MATES}", key=asking_key(actor))
        assert answer.status == (403 if expected is None else 200), (actor, answer.body)
        assert expected is None or figure(answer.json()) == expected, actor
    for other in (own_key("M"), "sk-stranger-in-blue-0123456789"):
        assert (await desk.ask("GET", f"{path}api_key={other}", key=asking_key("T"))).status == 403
    both = await desk.ask("GET", f"{path}api_key={MATES},{own_key('T')}", key=asking_key("T"))
    assert both.status == 400


@pytest.mark.parametrize(
    ("permission", "opened"),
    [
        ("/spend/logs", {"/spend/logs/v2?", "/spend/logs?"}),
        ("/spend/logs/v2", {"/spend/logs/v2?"}),
        ("/team/daily/activity", {"/team/daily/activity", "/team/daily/activity/aggregated"}),
        ("/team/daily/activity/aggregated", {"/team/daily/activity/aggregated"}),
    ],
)
async def test_a_team_lets_its_members_see_what_everybody_in_it_does(permission: str, opened: set[str]) -> None:
    desk = await housed()
    await desk.directory.update(
        TEAMS, "red", lambda team: msgspec.structs.replace(team, member_permissions=(permission,))
    )
    for actor in ("M", "K"):
        for path in ("/spend/logs?", "/spend/logs/v2?"):
            answer = await desk.ask("GET", f"{path}api_key={MATES}", key=asking_key(actor))
            assert answer.status == (200 if path in opened else 403), (actor, path)
        listed = (await desk.ask("GET", "/spend/logs/v2", key=asking_key(actor))).json()["data"]
        own = OWN[actor] | RED if "/spend/logs/v2?" in opened else OWN[actor]
        assert sum(row["spend"] for row in listed) == own
        for path in ("/team/daily/activity", "/team/daily/activity/aggregated"):
            told = (await desk.ask("GET", f"{path}?team_ids=red&{SPAN}", key=asking_key(actor))).json()
            assert told["metadata"]["total_spend"] == (RED if path in opened else 2), (actor, path)
