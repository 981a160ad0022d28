from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from pointsman.admin.key_names import alias_rule
from pointsman.admin.keys.replies import GeneratedKeyReply, KeyInfoReply, KeyListReply, StoredKeyRow
from pointsman.admin.keys.restrictions import KEPT_FIELDS, REFUSED_FIELDS
from pointsman.config.people_sections import KeyGeneration, PersonalKeys, TeamKeys
from pointsman.config.sections import KeyBounds
from pointsman.core.errors import Misconfigured
from pointsman.core.identity import KeyRecord, token_of
from pointsman.core.price import picodollars
from pointsman.policies.durations import next_reset
from pointsman.policies.key_terms import terms_of
from pointsman.stores.directory.kinds import TEAM_MEMBERS, TEAMS, USERS
from pointsman.stores.directory.records import BudgetWindow, Limits, MemberRole, ModelLimits, Team, TeamMember, User
from tests.unit.admin.office_desk import MASTER, NOW, Desk, call_record

EVERYTHING = {
    "key_alias": "team-a",
    "duration": "30d",
    "models": ["llama3", "openai/*"],
    "aliases": {"gpt-4": "llama3"},
    "metadata": {"team": "core", "deep": {"a": [1, None]}},
    "spend": 0.5,
    "max_budget": 12.25,
    "soft_budget": 10,
    "budget_duration": "1mo",
    "rpm_limit": 60,
    "tpm_limit": 1000,
    "max_parallel_requests": 3,
    "blocked": False,
    "user_id": "ann",
    "team_id": "core",
    "tags": ["a", "b"],
}


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# -- making -------------------------------------------------------------------------------------------


async def test_a_new_key_is_told_once_and_stored_as_its_hash(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/generate", {})
    reply = answer.json()
    msgspec.json.decode(answer.body, type=GeneratedKeyReply)
    key = reply["key"]
    assert key.startswith("sk-") and len(key) == 25
    assert reply["token"] == reply["token_id"] == token_of(key)
    assert reply["key_name"] == f"sk-...{key[-4:]}"
    assert key not in repr(desk.database.keys)
    assert desk.changes == [(token_of(key), desk.record(key))]


async def test_an_empty_body_makes_a_key_without_limits(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/generate")
    record = desk.record(answer.json()["key"])
    assert (record.models, record.max_budget, record.expires, record.rpm_limit) == ((), None, None, None)


async def test_every_enforced_field_is_kept_and_shown(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/generate", EVERYTHING)
    reply = answer.json()
    assert {name: reply[name] for name in EVERYTHING} == EVERYTHING
    assert moment(reply["expires"]) == NOW + 30 * 86400
    assert moment(reply["budget_reset_at"]) == next_reset("1mo", NOW)
    assert "x-pointsman-not-enforced" not in answer.headers
    record = desk.record(reply["key"])
    assert record.max_budget == picodollars("12.25")
    assert record.spend == picodollars("0.5")
    assert record.tags == ("a", "b")
    info = (await desk.ask("GET", f"/key/info?key={reply['key']}")).json()
    shown = set(EVERYTHING) - {"duration"}
    assert {name: info["info"][name] for name in shown} == {name: EVERYTHING[name] for name in shown}
    assert info["key"] == reply["key"]


async def test_who_made_a_key_is_on_record(desk: Desk) -> None:
    assert desk.record(await desk.new_key()).created_by == "master"
    answer = await desk.ask("POST", "/key/generate", {}, headers={"litellm-changed-by": "ann"})
    assert answer.json()["created_by"] == "ann"


async def test_no_key_may_be_chosen_where_the_operator_forbids_it() -> None:
    desk = Desk(own_keys=False)
    made = await desk.ask("POST", "/key/generate", {"key_alias": "a"})
    assert made.status == 200
    path = f"/key/{made.json()['token']}/regenerate"
    for answer in (
        await desk.ask("POST", "/key/generate", {"key": "sk-chosen-by-hand-1"}),
        await desk.ask("POST", path, {"new_key": "sk-chosen-by-hand-1"}),
    ):
        assert answer.status == 403
        assert "cannot be chosen" in answer.error.message
    assert (await desk.ask("POST", path, {})).status == 200


async def test_a_chosen_key_works(desk: Desk) -> None:
    await desk.ask("POST", "/key/generate", {"key": "sk-chosen-by-hand-1"})
    assert (await desk.ask("GET", "/v1/models", key="sk-chosen-by-hand-1")).status == 200


@pytest.mark.parametrize("key", ["sk-short", "pk-0123456789abcdef", "sk-0123456789 abcdef", "sk-0123456789abcé", ""])
async def test_a_key_that_cannot_be_one_is_refused(desk: Desk, key: str) -> None:
    answer = await desk.ask("POST", "/key/generate", {"key": key})
    assert answer.status == 400
    assert answer.error.param == "key"


async def test_a_key_that_exists_is_refused(desk: Desk) -> None:
    key = await desk.new_key()
    assert (await desk.ask("POST", "/key/generate", {"key": key})).error.code == "key_exists"
    assert (await desk.ask("POST", "/key/generate", {"key": MASTER})).error.code == "key_exists"


async def test_an_alias_is_one_keys_alone(desk: Desk) -> None:
    first = await desk.new_key(key_alias="one")
    answer = await desk.ask("POST", "/key/generate", {"key_alias": "one"})
    assert (answer.status, answer.error.code) == (400, "key_alias_exists")
    other = await desk.new_key(key_alias="two")
    assert (await desk.ask("POST", "/key/update", {"key": other, "key_alias": "one"})).status == 400
    assert (await desk.ask("POST", "/key/update", {"key": first, "key_alias": "one"})).status == 200


@pytest.mark.parametrize("field", ["max_budget", "soft_budget", "spend", "rpm_limit", "tpm_limit"])
@pytest.mark.parametrize("value", [b"-1", b"-0.001", b"NaN", b"Infinity", b"1e999", b"1e300", b'"much"', b"[]", b"{}"])
async def test_a_number_that_is_none_is_refused_by_its_name(desk: Desk, field: str, value: bytes) -> None:
    answer = await desk.ask("POST", "/key/generate", b'{"%b": %b}' % (field.encode(), value))
    assert answer.status == 400, answer.body
    assert value in {b"NaN", b"Infinity"} or answer.error.param == field
    assert not desk.database.keys


async def test_whole_numbers_have_a_bound(desk: Desk) -> None:
    assert (await desk.ask("POST", "/key/generate", {"rpm_limit": 2**53})).status == 200
    assert (await desk.ask("POST", "/key/generate", {"rpm_limit": 2**53 + 1})).status == 400


async def test_numbers_in_strings_count_as_in_litellm(desk: Desk) -> None:
    record = desk.record(await desk.new_key(rpm_limit="5", max_budget="1.5"))
    assert (record.rpm_limit, record.max_budget) == (5, picodollars("1.5"))


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("30s", 30), ("30m", 1800), ("30h", 108_000), ("30d", 2_592_000), ("1w", 604_800), (None, None), ("-1", None)],
)
async def test_a_duration_is_when_the_key_ends(desk: Desk, duration: str | None, seconds: int | None) -> None:
    record = desk.record(await desk.new_key(duration=duration))
    assert record.expires == (None if seconds is None else NOW + seconds)


@pytest.mark.parametrize("duration", ["soon", "5", "5y", "-5d", "0d", "1.5h", "999999999mo", "1d 2h", "٣d"])
async def test_what_is_no_duration_is_refused(desk: Desk, duration: str) -> None:
    for field in ("duration", "budget_duration"):
        answer = await desk.ask("POST", "/key/generate", {field: duration})
        assert (answer.status, answer.error.param) == (400, field)


async def test_tags_are_found_in_the_metadata_too(desk: Desk) -> None:
    assert desk.record(await desk.new_key(metadata={"tags": ["x"]})).tags == ("x",)
    assert desk.record(await desk.new_key(metadata={"tags": ["x"]}, tags=["y"])).tags == ("y",)


@pytest.mark.parametrize("field", ["key_alias", "user_id", "team_id"])
async def test_names_have_no_control_characters(desk: Desk, field: str) -> None:
    for value in ("a\r\nx-evil: 1", "nul\x00", "\x1b[2J"):
        answer = await desk.ask("POST", "/key/generate", {field: value})
        assert (answer.status, answer.error.param) == (400, field)


# -- what is not enforced -----------------------------------------------------------------------------


@pytest.mark.parametrize("field", sorted(REFUSED_FIELDS))
@pytest.mark.parametrize("path", ["/key/generate", "/key/update", "/key/regenerate"])
async def test_a_restriction_that_is_not_enforced_is_refused(desk: Desk, field: str, path: str) -> None:
    key = await desk.new_key()
    before = dict(desk.database.keys)
    body = {} if path == "/key/generate" else {"key": key}
    for value in (["x"], {"a": 1}, 0, 5, "x", True):
        answer = await desk.ask("POST", path, {**body, field: value})
        assert (answer.status, answer.error.param, answer.error.code) == (400, field, "unsupported_parameter")
    assert desk.database.keys == before
    for value in (None, [], {}, ""):  # type: ignore[assignment]
        answer = await desk.ask("POST", "/key/generate", {field: value})
        assert answer.status == 200
        assert "x-pointsman-not-enforced" not in answer.headers


WELL_FORMED: dict[str, object] = {
    "agent_id": "a",
    "budget_fallbacks": {"gpt-4": ["llama3"]},
    "config": {"a": 1},
    "project_id": "p",
    "rpm_limit_type": "dynamic",
    "temp_budget_expiry": "2026-12-31",
    "temp_budget_increase": 5,
    "tpm_limit_type": "guaranteed_throughput",
}


@pytest.mark.parametrize("field", sorted(KEPT_FIELDS - {"key_type"}))
async def test_other_fields_are_kept_shown_and_named(desk: Desk, field: str) -> None:
    value = WELL_FORMED.get(field, ["x"])
    answer = await desk.ask("POST", "/key/generate", {field: value, "models": ["llama3"]})
    reply = answer.json()
    assert reply[field] == value
    assert answer.headers["x-pointsman-not-enforced"] == field
    info = (await desk.ask("GET", f"/key/info?key={reply['token']}")).json()
    assert info["info"][field] == value


@pytest.mark.parametrize("field", ["allowed_passthrough_routes", "denied_passthrough_routes"])
async def test_routes_to_providers_are_kept_and_heeded(desk: Desk, field: str) -> None:
    answer = await desk.ask("POST", "/key/generate", {field: ["/anthropic/*"]})
    assert answer.json()[field] == ["/anthropic/*"] and "x-pointsman-not-enforced" not in answer.headers
    key = answer.json()["key"]
    assert msgspec.json.decode(desk.record(key).extra) == {field: ["/anthropic/*"]}
    await desk.ask("POST", "/key/update", {"key": key, field: None})
    assert msgspec.json.decode(desk.record(key).extra) == {}
    refused = await desk.ask("POST", "/key/generate", {field: "/anthropic"})
    assert (refused.status, refused.error.param) == (400, field)


async def test_kept_fields_are_merged_and_taken_away_by_null(desk: Desk) -> None:
    key = await desk.new_key(agent_id="a", config={"a": 1})
    await desk.ask("POST", "/key/update", {"key": key, "agent_id": None, "organization_id": "o"})
    assert msgspec.json.decode(desk.record(key).extra) == {"config": {"a": 1}, "organization_id": "o"}


@pytest.mark.parametrize(("kind", "status"), [("default", 200), ("llm_api", 200), ("root", 400), (["x"], 400)])
async def test_only_key_types_that_hold_are_given(desk: Desk, kind: object, status: int) -> None:
    assert (await desk.ask("POST", "/key/generate", {"key_type": kind})).status == status


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("allowed_routes", ["llm_api_routes", "/key/info", "/v1/*"], 200),
        ("allowed_routes", ["no_such_routes"], 400),
        ("allowed_routes", "llm_api_routes", 400),
        ("allowed_ips", ["10.0.0.7", "2001:db8::/32"], 200),
        ("allowed_ips", ["everywhere"], 400),
    ],
)
async def test_what_guards_a_key_is_read_with_care_and_shown(
    desk: Desk, field: str, value: object, status: int
) -> None:
    answer = await desk.ask("POST", "/key/generate", {field: value})
    assert answer.status == status
    if status == 200:
        assert answer.json()[field] == value and "x-pointsman-not-enforced" not in answer.headers
        key = answer.json()["key"]
        await desk.ask("POST", "/key/update", {"key": key, field: []})
        assert msgspec.json.decode(desk.record(key).extra) == {}


@pytest.mark.parametrize(
    ("kind", "routes"),
    [("llm_api", ["llm_api_routes"]), ("management", ["management_routes"]), ("read_only", ["info_routes"])],
)
async def test_the_type_of_a_key_says_which_routes_it_may_call(desk: Desk, kind: str, routes: list[str]) -> None:
    key = await desk.new_key(key_type=kind)
    assert msgspec.json.decode(desk.record(key).extra)["allowed_routes"] == routes
    chosen = await desk.new_key(key_type=kind, allowed_routes=["/key/info"])
    assert msgspec.json.decode(desk.record(chosen).extra)["allowed_routes"] == ["/key/info"]
    assert (await desk.ask("GET", "/key/info", key=chosen)).status == 200
    assert (await desk.ask("GET", "/v1/models", key=chosen)).status == 403


async def test_a_slip_of_the_pen_is_told(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/generate", {"max_budgt": 1})
    assert (answer.status, answer.error.code) == (400, "unknown_field")
    assert "max_budget?" in answer.error.message


async def test_a_field_nobody_knows_cannot_pose_as_one_of_ours(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/generate", {"token_id": "mine", "zzz\r\nx": 1, "favourite_colour": "red"})
    reply = answer.json()
    assert reply["token_id"] == token_of(reply["key"])
    assert "favourite_colour" not in reply
    assert answer.headers["x-pointsman-not-enforced"] == "token_id,favourite_colour"


# -- the operator's defaults and bounds ---------------------------------------------------------------


async def test_defaults_fill_in_what_is_left_out() -> None:
    defaults = {"max_budget": msgspec.Raw(b"5"), "models": msgspec.Raw(b'["llama3"]'), "duration": msgspec.Raw(b'"1d"')}
    desk = Desk(key_defaults=defaults)
    record = desk.record(await desk.new_key(models=[], duration=None))
    assert (record.max_budget, record.models, record.expires) == (picodollars(5), ("llama3",), NOW + 86400)
    assert desk.record(await desk.new_key(max_budget=1)).max_budget == picodollars(1)


@pytest.mark.parametrize("raw", [b'{"max_budget": -1}', b'{"guardrails": ["x"]}', b'{"duration": "soon"}'])
def test_defaults_that_no_key_can_have_are_refused_at_start(raw: bytes) -> None:
    with pytest.raises(Misconfigured, match="default_key_generate_params"):
        Desk(key_defaults=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))


async def test_bounds_hold_and_fill_in() -> None:
    desk = Desk(key_bounds=KeyBounds(max_budget=10.0, rpm_limit=5, duration="7d", budget_duration="1mo"))
    record = desk.record(await desk.new_key())
    assert (record.max_budget, record.rpm_limit, record.expires) == (picodollars(10), 5, NOW + 604_800)
    assert desk.record(await desk.new_key(max_budget=10, duration="1w")).max_budget == picodollars(10)
    for over in ({"max_budget": 10.01}, {"rpm_limit": 6}, {"duration": "8d"}, {"budget_duration": "31d"}):
        answer = await desk.ask("POST", "/key/generate", over)
        assert (answer.status, answer.error.param) == (400, next(iter(over)))


async def test_bounds_hold_for_changes_too_and_leave_what_is_not_named() -> None:
    desk = Desk()
    key = await desk.new_key(max_budget=20, rpm_limit=3)
    old = desk.record(key)
    desk = Desk(key_bounds=KeyBounds(max_budget=10.0, rpm_limit=5, duration="7d"))
    await desk.keys.insert(old)
    for over in ({"max_budget": 10.01}, {"rpm_limit": 6}, {"duration": "8d"}, {"duration": "-1"}):
        for path in ("/key/update", f"/key/{token_of(key)}/regenerate"):
            answer = await desk.ask("POST", path, {"key": key, **over})
            assert (answer.status, answer.error.param) == (400, next(iter(over))), answer.body
    assert (await desk.ask("POST", "/key/update", {"key": key, "tpm_limit": 9})).status == 200
    record = desk.record(key)
    assert (record.max_budget, record.rpm_limit, record.expires) == (picodollars(20), 3, None)
    unlimited = {"key": key, "max_budget": None, "rpm_limit": None, "duration": None}
    assert (await desk.ask("POST", "/key/update", unlimited)).status == 200
    record = desk.record(key)
    assert (record.max_budget, record.rpm_limit, record.expires) == (picodollars(10), 5, NOW + 604_800)


async def test_the_operator_says_who_makes_keys_and_what_is_said_of_them() -> None:
    settings = KeyGeneration(
        team_key_generation=TeamKeys(allowed_team_member_roles=("admin",), required_params=("tags",)),
        personal_key_generation=PersonalKeys(allowed_user_roles=("proxy_admin",), required_params=("key_alias",)),
    )
    desk = Desk(key_generation=settings)
    await desk.directory.insert(TEAMS, Team(team_id="core", member_permissions=("/key/generate",)))
    members: tuple[tuple[str, MemberRole], ...] = (("ann", "admin"), ("bob", "user"))
    for user_id, role in members:
        await desk.directory.insert(USERS, User(user_id=user_id))
        await desk.directory.insert(TEAM_MEMBERS, TeamMember(team_id="core", user_id=user_id, role=role))
        await desk.keys.insert(KeyRecord(token_of(f"sk-{user_id}"), user_id, user_id=user_id))
    for who, body, status, param in (
        ("ann", {"team_id": "core", "tags": ["a"]}, 200, None),
        ("ann", {"team_id": "core"}, 400, "tags"),
        ("bob", {"team_id": "core", "tags": ["a"]}, 403, None),
        ("ann", {"key_alias": "mine"}, 403, None),
        (None, {"team_id": "core"}, 200, None),
        (None, {"key_alias": "the operator's"}, 200, None),
        (None, {}, 400, "key_alias"),
    ):
        answer = await desk.ask("POST", "/key/generate", body, key=MASTER if who is None else f"sk-{who}")
        assert answer.status == status, (who, body, answer.body)
        assert param is None or answer.error.param == param


# -- changing -----------------------------------------------------------------------------------------


async def test_an_update_changes_what_it_names_and_nothing_else(desk: Desk) -> None:
    key = await desk.new_key(**EVERYTHING)
    before = desk.record(key)
    desk.clock.now += 10
    answer = await desk.ask("POST", "/key/update", {"key": key, "rpm_limit": None, "max_budget": 0})
    assert answer.status == 200
    changed = msgspec.structs.replace(before, rpm_limit=None, max_budget=0, updated_at=NOW + 10)
    assert desk.record(key) == changed
    assert desk.changes[-1] == (before.token, changed)
    assert answer.json()["key"] == key


async def test_null_means_none_in_an_update(desk: Desk) -> None:
    key = await desk.new_key(**EVERYTHING)
    nothing = dict.fromkeys(set(EVERYTHING) - {"blocked"})
    assert (await desk.ask("POST", "/key/update", {"key": key, **nothing})).status == 200
    record = desk.record(key)
    assert (record.key_alias, record.models, record.aliases, record.tags, record.spend) == (None, (), {}, (), 0)
    assert (record.expires, record.max_budget, record.budget_reset_at, record.budget_duration) == (None,) * 4
    assert bytes(record.metadata) == b"{}"


async def test_a_key_is_named_by_itself_or_by_its_hash(desk: Desk) -> None:
    key = await desk.new_key()
    for name in (key, token_of(key)):
        assert (await desk.ask("POST", "/key/update", {"key": name, "user_id": "x"})).status == 200
        assert (await desk.ask("GET", f"/key/info?key={name}")).status == 200
    for name in ("sk-not-made-here-at-all", "0" * 64):
        for path, body in [
            ("/key/update", {"key": name}),
            ("/key/block", {"key": name}),
            ("/key/regenerate", {"key": name}),
        ]:
            assert (await desk.ask("POST", path, body)).status == 404
        assert (await desk.ask("GET", f"/key/info?key={name}")).status == 404


async def test_an_update_without_a_key_means_the_one_with_the_alias(desk: Desk) -> None:
    key = await desk.new_key(key_alias="ada")
    answer = await desk.ask("POST", "/key/update", {"key_alias": "ada", "rpm_limit": 7})
    assert (answer.status, answer.json()["key"]) == (200, token_of(key))
    assert (desk.record(key).rpm_limit, desk.record(key).key_alias) == (7, "ada")
    unknown = await desk.ask("POST", "/key/update", {"key_alias": "bob", "rpm_limit": 7})
    assert (unknown.status, unknown.error.param) == (404, "key_alias")
    assert (await desk.ask("POST", "/key/update", {"rpm_limit": 7})).status == 400


async def test_a_blocked_key_is_turned_away_at_once_and_until_unblocked(desk: Desk) -> None:
    key = await desk.new_key()
    assert (await desk.ask("GET", "/v1/models", key=key)).status == 200
    blocked = await desk.ask("POST", "/key/block", {"key": key})
    assert msgspec.json.decode(blocked.body, type=StoredKeyRow).blocked
    assert (await desk.ask("GET", "/v1/models", key=key)).status == 403
    await desk.ask("POST", "/key/unblock", {"key": token_of(key)})
    assert (await desk.ask("GET", "/v1/models", key=key)).status == 200


async def test_a_deleted_key_is_a_stranger_at_once(desk: Desk) -> None:
    one, two = await desk.new_key(), await desk.new_key(key_alias="two")
    assert (await desk.ask("GET", "/v1/models", key=one)).status == 200
    answer = await desk.ask("POST", "/key/delete", {"keys": [one, "0" * 64], "key_aliases": ["two", "three"]})
    assert answer.json() == {"deleted_keys": [one, "two"]}
    assert (await desk.ask("GET", "/v1/models", key=one)).status == 401
    assert (await desk.ask("GET", "/v1/models", key=two)).status == 401
    assert (await desk.ask("POST", "/key/delete", {"keys": [one]})).status == 404
    assert (await desk.ask("POST", "/key/delete", {})).status == 400
    history = (await desk.ask("GET", "/key/list?status=deleted&return_full_object=true")).json()
    assert {row["deleted_by"] for row in history["keys"]} == {"master"}
    assert history["total_count"] == 2


async def test_what_became_of_a_key_is_shown(desk: Desk) -> None:
    key = await desk.new_key(duration="1h", key_alias="short")

    async def shown() -> dict[str, Any]:
        answer = await desk.ask("GET", f"/key/info?key={key}")
        reply = msgspec.json.decode(answer.body, type=KeyInfoReply)
        assert reply.key == key
        assert "token" not in answer.json()["info"]
        info: dict[str, Any] = answer.json()["info"]
        return info

    assert (await shown())["status"] == "active"
    await desk.ask("POST", "/key/block", {"key": key})
    assert (await shown())["status"] == "revoked"
    await desk.ask("POST", "/key/unblock", {"key": key})
    desk.clock.now += 3600
    assert (await shown())["status"] == "expired"
    await desk.ask("POST", "/key/delete", {"keys": [key]})
    deleted = await shown()
    assert (deleted["status"], deleted["deleted_by"], deleted["key_alias"]) == ("deleted", "master", "short")
    assert moment(deleted["deleted_at"]) == desk.clock.now


async def test_the_row_has_what_clients_of_litellm_read(desk: Desk) -> None:
    key = await desk.new_key(config={"a": 1})
    info = (await desk.ask("GET", f"/key/info?key={key}")).json()["info"]
    assert info["config"] == {"a": 1}
    empty: dict[str, Any] = {"permissions": {}, "model_max_budget": {}, "model_spend": {}, "allowed_routes": [],
             "allowed_cache_controls": [], "budget_id": None, "organization_id": None}  # fmt: skip
    assert {name: info[name] for name in empty} == empty


# -- regenerating -------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_path", [True, False])
async def test_a_regenerated_key_takes_the_place_of_the_old_one(desk: Desk, in_path: bool) -> None:
    old = await desk.new_key(**{**EVERYTHING, "spend": 1.25})
    assert (await desk.ask("GET", "/v1/models", key=old)).status == 200
    body = {"max_budget": 3} if in_path else {"key": old, "max_budget": 3}
    path = f"/key/{token_of(old)}/regenerate" if in_path else "/key/regenerate"
    answer = await desk.ask("POST", path, body)
    reply = msgspec.json.decode(answer.body, type=GeneratedKeyReply)
    assert reply.key != old
    assert (reply.key_alias, reply.max_budget, reply.spend) == ("team-a", 3.0, 1.25)
    assert (await desk.ask("GET", "/v1/models", key=old)).status == 401
    assert (await desk.ask("GET", "/v1/models", key=reply.key)).status == 200


async def test_a_new_key_may_be_chosen_and_what_is_not_heeded_is_said(desk: Desk) -> None:
    old = await desk.new_key()
    body = {"new_key": "sk-the-new-one-12345", "grace_period": "1h"}
    answer = await desk.ask("POST", f"/key/{old}/regenerate", body)
    assert answer.json()["key"] == "sk-the-new-one-12345"
    assert "x-pointsman-not-enforced" not in answer.headers
    answer = await desk.ask("POST", "/key/sk-the-new-one-12345/regenerate", {"grace_period": "soon"})
    assert (answer.status, answer.error.param) == (400, "grace_period")


async def test_regenerating_changes_no_master_key_and_no_spend(desk: Desk) -> None:
    key = await desk.new_key()
    for field, value in (("new_master_key", "sk-x"), ("spend", 0)):
        answer = await desk.ask("POST", "/key/regenerate", {"key": key, field: value})
        assert (answer.status, answer.error.param) == (400, field)
    assert (await desk.ask("POST", "/key/regenerate")).error.param == "key"
    assert (await desk.ask("POST", "/key/regenerate", {"key": MASTER})).status == 404


# -- spend --------------------------------------------------------------------------------------------


async def test_reset_spend_counts_what_is_still_spooled(desk: Desk) -> None:
    key = await desk.new_key(max_budget=2)
    desk.spooled = [call_record("a", key_token=token_of(key), cost=picodollars(1))]
    answer = await desk.ask("POST", f"/key/{key}/reset_spend", {"reset_to": 0.25})
    assert answer.json() == {
        "key_hash": token_of(key), "spend": 0.25, "previous_spend": 1.0, "max_budget": 2.0, "budget_reset_at": None,
    }  # fmt: skip
    assert (await desk.ask("GET", f"/key/info?key={key}")).json()["info"]["spend"] == 0.25
    for wrong in (0.26, -1, None, "x"):
        answer = await desk.ask("POST", f"/key/{key}/reset_spend", {"reset_to": wrong})
        assert (answer.status, answer.error.param) == (400, "reset_to")
    assert (await desk.ask("POST", f"/key/{key}/reset_spend", {})).error.param == "reset_to"


async def test_a_spend_that_is_set_is_what_counts_from_then_on(desk: Desk) -> None:
    key = await desk.new_key()
    desk.spooled = [call_record("a", key_token=token_of(key), cost=picodollars(1))]
    await desk.ask("POST", "/key/update", {"key": key, "spend": 0})
    assert desk.record(key).spend == 0


# -- showing ------------------------------------------------------------------------------------------


async def test_info_shows_what_was_spent_just_now(desk: Desk) -> None:
    key = await desk.new_key()
    desk.spooled = [call_record("a", key_token=token_of(key), cost=picodollars("0.125"))]
    answer = await desk.ask("GET", "/key/info", key=key)
    assert msgspec.json.decode(answer.body, type=KeyInfoReply).info.spend == 0.125


async def test_the_master_key_has_no_row(desk: Desk) -> None:
    answer = await desk.ask("GET", "/key/info")
    assert (answer.status, answer.error.param) == (400, "key")


async def test_several_keys_at_once(desk: Desk) -> None:
    one, two = await desk.new_key(), await desk.new_key(key_alias="two")
    reply = (await desk.ask("POST", "/v2/key/info", {"keys": [one, "0" * 64], "key_aliases": ["two"]})).json()
    assert reply["key"] == [token_of(one), token_of(two)] == [row["token"] for row in reply["info"]]


async def test_the_list_has_pages(desk: Desk) -> None:
    for number in range(5):
        desk.clock.now += 1
        await desk.new_key(key_alias=f"n{number}", user_id="ann" if number % 2 else "bob")
    answer = await desk.ask("GET", "/key/list?size=2&page=2&sort_order=asc&return_full_object=true")
    msgspec.json.decode(answer.body, type=KeyListReply)
    reply = answer.json()
    assert [row["key_alias"] for row in reply["keys"]] == ["n2", "n3"]
    assert (reply["total_count"], reply["current_page"], reply["total_pages"]) == (5, 2, 3)
    assert (await desk.ask("GET", "/key/list?user_id=ann")).json()["total_count"] == 2
    assert (await desk.ask("GET", "/key/list?key_alias=N&substring_matching=true")).json()["total_count"] == 5


@pytest.mark.parametrize("query", ["size=0", "size=101", "page=0", "sort_by=token;drop", "sort_order=up", "page=x"])
async def test_a_list_that_cannot_be_is_refused(desk: Desk, query: str) -> None:
    answer = await desk.ask("GET", f"/key/list?{query}")
    assert (answer.status, answer.error.param) == (400, query.partition("=")[0])


async def test_no_answer_about_keys_holds_a_key_that_the_request_does_not_name(desk: Desk) -> None:
    key = await desk.new_key(key_alias="quiet")
    own = await desk.ask("GET", "/key/info", key=key)
    assert own.json()["key"] == token_of(key)
    assert key.encode() not in own.body
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"/key/info?key={token_of(key)}", None),
        ("POST", "/v2/key/info", {"keys": [key]}),
        ("GET", "/key/list?return_full_object=true", None),
        ("POST", "/key/update", {"key": token_of(key), "user_id": "x"}),
        ("POST", "/key/block", {"key": key}),
        ("GET", "/spend/keys", None),
        ("GET", "/global/spend/keys", None),
    ]
    for method, target, body in requests:
        answer = await desk.ask(method, target, body)
        assert answer.status == 200
        assert key.encode() not in answer.body and MASTER.encode() not in answer.body


# -- further limits -----------------------------------------------------------------------------------

HEEDED: dict[str, Any] = {
    "budget_id": "b",
    "budget_limits": [{"budget_duration": "1d", "max_budget": 5}],
    "model_max_budget": {"m": {"budget_limit": 2.5, "time_period": "7d", "rpm_limit": 3}, "n": 1},
    "model_rpm_limit": {"m": 5},
    "model_tpm_limit": {"m": 500},
    "model_itpm_limit": {"m": 400},
    "model_otpm_limit": {"m": 40},
    "itpm_limit": 800,
    "otpm_limit": 80,
    "tag_rpm_limit": {"x": 1},
    "tpd_limit": 9,
    "temp_budget_increase": 1.5,
    "temp_budget_expiry": "2030-01-31T12:00:00Z",
    "access_group_ids": ["g"],
    "rpm_limit_type": "dynamic",
}


async def test_further_limits_are_kept_heeded_and_shown(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/generate", HEEDED)
    assert "x-pointsman-not-enforced" not in answer.headers
    reply = answer.json()
    assert {name: reply[name] for name in HEEDED if name in reply} == {
        name: value for name, value in HEEDED.items() if name in reply
    }
    terms = terms_of(desk.record(reply["key"]))
    limits = terms.limits
    assert (terms.is_readable, terms.budget_id, terms.access_group_ids) == (True, "b", ("g",))
    assert limits.budget_limits == (BudgetWindow(duration="1d", max_budget=picodollars(5)),)
    assert limits.model_limits == {
        "m": ModelLimits(max_budget=picodollars("2.5"), duration="7d", rpm_limit=3),
        "n": ModelLimits(max_budget=picodollars(1)),
    }
    assert (limits.model_rpm_limit, limits.tag_rpm_limit, limits.tpd_limit) == ({"m": 5}, {"x": 1}, 9)
    assert (limits.model_itpm_limit, limits.model_otpm_limit) == ({"m": 400}, {"m": 40})
    assert (limits.itpm_limit, limits.otpm_limit) == (800, 80)
    assert limits.temp_budget_expiry == moment("2030-01-31T12:00:00+00:00")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_rpm_limit", {"m": "many"}), ("model_rpm_limit", {"m": -1}), ("model_rpm_limit", ["m"]),
        ("budget_limits", [{"budget_duration": "soon", "max_budget": 5}]), ("budget_limits", [{"max_budget": 5}]),
        ("model_max_budget", {"m": {"budget_limit": -1}}), ("model_max_budget", {"m": {"time_period": "x"}}),
        ("tpd_limit", -5), ("model_otpm_limit", {"m": "many"}), ("itpm_limit", -1),
        ("temp_budget_expiry", "some day"), ("temp_budget_increase", "much"),
    ],
)  # fmt: skip
async def test_a_limit_that_cannot_be_meant_is_refused_by_its_name(desk: Desk, field: str, value: object) -> None:
    answer = await desk.ask("POST", "/key/generate", {field: value})
    assert answer.status == 400
    assert answer.json()["error"]["param"].startswith(field)


async def test_guaranteed_rates_of_a_team_are_not_promised_twice(desk: Desk) -> None:
    limits = Limits(rpm_limit=10, model_tpm_limit={"m": 100})
    await desk.office.directory.insert(TEAMS, Team(team_id="t", limits=limits))
    guaranteed = {"team_id": "t", "rpm_limit_type": "guaranteed_throughput", "tpm_limit_type": "guaranteed_throughput"}
    first = await desk.ask("POST", "/key/generate", {**guaranteed, "rpm_limit": 6, "model_tpm_limit": {"m": 60}})
    assert first.status == 200
    refused = await desk.ask("POST", "/key/generate", {**guaranteed, "rpm_limit": 5})
    assert refused.status == 400
    assert (
        "Allocated RPM limit=6 + Key RPM limit=5 is greater than team RPM limit=10"
        in refused.json()["error"]["message"]
    )
    refused = await desk.ask("POST", "/key/generate", {**guaranteed, "model_tpm_limit": {"m": 41}})
    assert refused.status == 400
    assert (await desk.ask("POST", "/key/generate", {"team_id": "t", "rpm_limit": 5})).status == 200
    key = first.json()["key"]
    assert (await desk.ask("POST", "/key/update", {"key": key, "rpm_limit": 5})).status == 200
    assert (await desk.ask("POST", "/key/update", {"key": key, "rpm_limit": 6})).status == 400


@pytest.mark.parametrize(
    ("pattern", "litellms", "good", "bad"),
    [
        (r"team-[a-z]+", True, "team-a", "team-a1"),
        (None, True, "a.b@c/d", "a b"),
        (None, False, "a b", None),
        (r"a*", False, "a" * 255, "a" * 256),
    ],
)
async def test_keys_are_called_as_the_operator_wants(
    pattern: str | None, litellms: bool, good: str, bad: str | None
) -> None:
    desk = Desk(alias_rule=alias_rule(pattern, litellms=litellms))
    made = await desk.ask("POST", "/key/generate", {"key_alias": good})
    assert made.status == 200
    assert (await desk.ask("POST", "/key/generate", {})).status == 200
    if bad is not None:
        key = made.json()["key"]
        for path, body in (("generate", {}), ("update", {"key": key}), ("regenerate", {"key": key})):
            refused = await desk.ask("POST", f"/key/{path}", {**body, "key_alias": bad})
            assert (refused.status, refused.json()["error"]["param"]) == (400, "key_alias")
