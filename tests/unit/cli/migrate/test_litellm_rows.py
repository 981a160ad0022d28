"""From LiteLLM's rows to ours, without a database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pointsman.admin.keys.restrictions import REFUSED_FIELDS
from pointsman.cli.migrate import entries
from pointsman.cli.migrate.keys import key_of
from pointsman.cli.migrate.rows import Row
from pointsman.cli.migrate.secrets import opened
from pointsman.cli.migrate.source import _plain
from pointsman.core.identity import KeyRecord
from pointsman.core.price import picodollars
from pointsman.core.secret import Secret
from pointsman.policies.own_routing import own_routing_in
from pointsman.stores.directory.records import (
    AccessGroup,
    Budget,
    BudgetWindow,
    Customer,
    Limits,
    ModelGroupBudget,
    ModelLimits,
    Organization,
    OrganizationMember,
    Project,
    RetiredKey,
    Role,
    Tag,
    Team,
    TeamMember,
    User,
)

SALT = Secret("sk-salt-0123456789abcdef")
# Made by PyNaCl 1.6 as LiteLLM makes them: base64url of SecretBox(sha256(salt)).
NACL_VALUE = "vxGBP9Za0lKOqJwUGavcGgeaT8oPLVKc1FQvew4Wj6q1Ti1svxNH84wIwtZHBUSX85WLxj4p"


def test_columns_that_are_not_there_or_of_another_type_say_nothing() -> None:
    row = Row({"a": 5, "b": "", "c": "text", "d": True, "e": "{broken"})
    assert (row.text("a"), row.text("b"), row.text("none"), row.named("none")) == (None, None, None, "")
    assert (row.whole("a"), row.whole("c"), row.whole("d")) == (5, None, None)
    assert (row.money("a"), row.money("d"), row.money("none")) == (picodollars(5), None, None)
    assert (row.flag("d"), row.flag("a"), row.moment("c"), row.texts("c")) == (True, False, None, ())
    assert (row.json("e"), row.fields("e"), row.fields("none")) == (None, {}, {})


def test_json_may_be_a_text_within_json() -> None:
    assert Row({"a": '{"x": 1}'}).fields("a") == {"x": 1}
    assert Row({"a": '"{\\"x\\": 1}"'}).fields("a") == {"x": 1}
    assert Row({"a": "[1]"}).json("a") == [1]


def test_moments_are_utc() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert Row({"a": datetime(2026, 1, 2)}).moment("a") == moment  # noqa: DTZ001 - as PostgreSQL gives them
    assert Row({"a": datetime(2026, 1, 2, tzinfo=UTC)}).moment("a") == moment


def test_a_moment_that_never_comes_is_none() -> None:
    never = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    row = Row({"expires": never, "revoke_at": never.replace(tzinfo=None), "past": datetime(1, 1, 1, tzinfo=UTC)})
    assert (row.moment("expires"), row.moment("revoke_at")) == (None, None)
    assert (row.moment("past") or 0.0) < 0


def test_amounts_are_exact() -> None:
    assert Row({"a": 0.1 + 0.2}).money("a") == 300_000_000_000
    assert Row({"a": 1e-12}).money("a") == 1


def test_all_limits_of_a_row() -> None:
    limits, notes = entries.limits_of(
        Row({
            "max_budget": 5.0, "soft_budget": 4, "budget_duration": "30d", "rpm_limit": 0, "tpm_limit": 7,
            "tpd_limit": 8, "max_parallel_requests": 9, "budget_limits": '[{"budget_duration": "1d", "max_budget": 1}]',
            "model_max_budget": '{"a": {"budget_limit": 1, "time_period": "1d", "rpm_limit": 3}, "b": 2, "c": "x"}',
            "metadata": '{"model_rpm_limit": {"a": 1, "b": true, "c": 1e300}, "model_tpm_limit": {"a": "many"}}',
        })
    )  # fmt: skip
    assert limits == Limits(
        max_budget=picodollars(5),
        soft_budget=picodollars(4),
        budget_duration="30d",
        budget_limits=(BudgetWindow(duration="1d", max_budget=picodollars(1)),),
        rpm_limit=0,
        tpm_limit=7,
        tpd_limit=8,
        max_parallel_requests=9,
        model_limits={
            "a": ModelLimits(max_budget=picodollars(1), duration="1d", rpm_limit=3),
            "b": ModelLimits(max_budget=picodollars(2)),
        },
        model_rpm_limit={"a": 1},
    )
    assert notes == ("model_max_budget of c cannot be read and is left out.",)


def test_a_duration_that_is_none_is_told() -> None:
    limits, notes = entries.limits_of(Row({"max_budget": 1, "budget_duration": "soon"}))
    assert limits.budget_duration is None and "soon" in notes[0]


def test_roles_of_people_and_members() -> None:
    made = entries.user_of(Row({"user_id": "a", "user_role": "proxy_admin_viewer"}))
    assert isinstance(made.record, User) and made.record.role is Role.VIEWER and not made.notes
    made = entries.user_of(Row({"user_id": "a", "user_role": "wizard"}))
    assert isinstance(made.record, User) and made.record.role is Role.USER and "wizard" in made.notes[0]
    row = Row({
        "members_with_roles": '[{"user_id": "a", "role": "admin"}, {"user_id": "b"}, {"user_email": "x"}, 5]',
        "members": ["c"], "admins": ["b"],
    })  # fmt: skip
    assert entries.member_roles(row) == {"a": "admin", "b": "admin", "c": "user"}
    assert entries.member_roles(Row({"members_with_roles": "{}"})) == {}


def test_a_customer_keeps_its_region() -> None:
    made = entries.customer_of(Row({"user_id": "a", "allowed_model_region": "eu"}))
    assert isinstance(made.record, Customer) and made.record.allowed_model_region == "eu"
    assert not made.record.blocked and not made.notes


def test_who_is_restricted_by_what_is_not_enforced_comes_over_blocked() -> None:
    team = entries.team_of(Row({"team_id": "t", "metadata": '{"guardrails": ["pii"]}'}), {})
    assert isinstance(team.record, Team) and team.record.blocked and "guardrails" in team.notes[0]


@pytest.mark.parametrize("field", sorted(REFUSED_FIELDS & {"guardrails", "enforced_params", "policies"}))
def test_keys_too(field: str) -> None:
    made = key_of(Row({"token": "t", "metadata": msgspec.json.encode({field: ["x"]}).decode()}), {}, {})
    assert made.record.blocked and field in " ".join(made.notes)
    assert msgspec.json.decode(made.record.extra) == {field: ["x"]}
    assert msgspec.json.decode(made.record.metadata) == {}


def test_permissions_of_members_that_are_unknown_here_are_told() -> None:
    made = entries.team_of(Row({"team_id": "t", "team_member_permissions": ["/key/info", "/key/paint"]}), {})
    assert isinstance(made.record, Team)
    assert made.record.member_permissions == ("/key/info", "/key/paint")
    assert made.notes == ("team_member_permissions: /key/paint is kept and lets nobody do anything here.",)


def test_what_says_nothing_restricts_nobody() -> None:
    row = Row({"token": "t", "permissions": "{}", "allowed_routes": [], "metadata": '{"guardrails": [], "x": 1}'})
    made = key_of(row, {}, {})
    assert (made.record.blocked, made.notes, bytes(made.record.extra)) == (False, (), b"{}")
    assert msgspec.json.decode(made.record.metadata) == {"x": 1}


def test_a_key_for_calling_models_is_like_every_key_here() -> None:
    made = key_of(Row({"token": "t", "key_type": "llm_api", "allowed_routes": ["llm_api_routes"]}), {}, {})
    assert not made.record.blocked and msgspec.json.decode(made.record.extra) == {"key_type": "llm_api"}


def test_permissions_on_objects_come_with_the_key() -> None:
    row = Row({"token": "t", "object_permission_id": "p"})
    made = key_of(row, {}, {"p": {"models": ["a"]}})
    assert msgspec.json.decode(made.record.extra) == {"object_permission": {"models": ["a"]}}


def test_settings_of_the_router_come_with_keys_and_teams() -> None:
    said = {"fallbacks": [{"m": ["n"]}], "cooldown_time": 3, "timeout": None, "model_group_alias": {}}
    settings = msgspec.json.encode(said).decode()
    key = key_of(Row({"token": "t", "router_settings": settings}), {}, {})
    team = entries.team_of(Row({"team_id": "t", "router_settings": settings}), {})
    told = "router_settings.cooldown_time is kept and has no effect here."
    assert key.notes == team.notes == (told,)
    assert isinstance(team.record, Team)
    for extra in (key.record.extra, team.record.extra):
        own = own_routing_in(msgspec.json.decode(extra, type=dict[str, msgspec.Raw])["router_settings"])
        assert own is not None and own.names == ("fallbacks",)
    plain = entries.team_of(Row({"team_id": "t", "router_settings": "{}"}), {}).record
    assert isinstance(plain, Team) and plain.extra == msgspec.Raw(b"{}")


def test_rotation_comes_with_the_key() -> None:
    due = datetime(2099, 1, 1, tzinfo=UTC)
    row = Row({"token": "t", "auto_rotate": True, "rotation_interval": "30d", "key_rotation_at": due})
    extra = msgspec.json.decode(key_of(row, {}, {}).record.extra)
    assert extra["auto_rotate"] is True and extra["key_rotation_at"] == due.timestamp()


def test_texts_are_opened_one_by_one() -> None:
    told = opened({"api_key": NACL_VALUE, "rpm": 5, "model": "openai/gpt-4o"}, [Secret("sk-wrong"), SALT])
    assert told.closed == () and told.fields["rpm"] == 5 and told.fields["model"] == "openai/gpt-4o"
    assert told.fields["api_key"] != NACL_VALUE
    told = opened({"api_key": NACL_VALUE, "other": "v2:gcm:AAAA"}, [Secret("sk-wrong")])
    assert told == ({}, ("api_key", "other"))


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("postgresql://a@h/d", "postgresql://a@h/d"),
        ("postgresql://a@h/d?sslmode=require", "postgresql://a@h/d?sslmode=require"),
        ("postgresql://a@h/d?connection_limit=5&pool_timeout=9", "postgresql://a@h/d"),
        ("postgresql://a@h/d?schema=llm", "postgresql://a@h/d?options=-csearch_path%3Dllm"),
    ],
)
def test_parameters_of_prisma_are_taken_off(url: str, plain: str) -> None:
    assert _plain(url) == plain


def test_limits_below_nought_let_nothing_through() -> None:
    row = Row({"rpm_limit": -1, "tpm_limit": 5, "tpd_limit": -3, "metadata": {"model_rpm_limit": {"a": -2}}})
    limits, notes = entries.limits_of(row)
    assert (limits.rpm_limit, limits.tpm_limit, limits.tpd_limit) == (0, 5, 0)
    assert limits.model_rpm_limit == {"a": 0}
    assert [note.split(",")[0] for note in notes] == ["rpm_limit is -1", "tpd_limit is -3"]


def test_amounts_that_are_none_are_told() -> None:
    row = Row({"max_budget": float("nan"), "soft_budget": float("inf"), "temp_budget_increase": -1.0, "spend": 1e300})
    limits, notes = entries.limits_of(row)
    assert (limits.max_budget, limits.soft_budget, limits.temp_budget_increase) == (None, None, 0)
    assert [note.split(":")[0] for note in notes] == [
        "max_budget is nan, which is no amount here",
        "soft_budget is inf, which is no amount here",
        "temp_budget_increase is -1.0, which is no amount here",
    ]
    assert row.money("spend") is None and row.strange_amounts("spend")
    assert Row({"models": ["a", "", None]}).texts("models") == ("a",)
    odd = Row({"model_max_budget": {"a": float("nan")}, "metadata": {"model_rpm_limit": {"a": float("inf")}}})
    assert entries.limits_of(odd)[0].model_rpm_limit == {}


MADE, CHANGED = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
WHEN = {"created_at": MADE, "updated_at": CHANGED, "created_by": "maker", "updated_by": "changer"}
STAMPS: dict[str, Any] = {**WHEN, "created_at": MADE.timestamp(), "updated_at": CHANGED.timestamp()}


def json_of(**fields: object) -> str:
    return msgspec.json.encode(fields).decode()


ENTRIES: list[tuple[Callable[[Row], entries.Made], dict[str, Any], msgspec.Struct]] = [
    (
        entries.budget_of,
        {"budget_id": "b", "max_budget": 2, "rpm_limit": 3, **WHEN},
        Budget(budget_id="b", limits=Limits(max_budget=picodollars(2), rpm_limit=3), **STAMPS),
    ),
    (
        entries.organization_of,
        {"organization_id": "o", "organization_alias": "Org", "models": ["m"], "budget_id": "b",
         "metadata": json_of(model_rpm_limit={"m": 1}, model_tpm_limit={"m": 2}), **WHEN},
        Organization(
            organization_id="o", alias="Org", models=("m",), budget_id="b",
            limits=Limits(model_rpm_limit={"m": 1}, model_tpm_limit={"m": 2}),
            metadata=msgspec.Raw(b'{"model_rpm_limit":{"m":1},"model_tpm_limit":{"m":2}}'), **STAMPS,
        ),
    ),
    (
        entries.organization_member_of,
        {"organization_id": "o", "user_id": "u", "user_role": "org_admin", "budget_id": "b", **WHEN},
        OrganizationMember(organization_id="o", user_id="u", role=Role.ORGANIZATION_ADMIN, budget_id="b", **STAMPS),
    ),
    (
        entries.user_of,
        {"user_id": "u", "user_alias": "Ann", "user_email": "a@x", "user_role": "proxy_admin", "sso_user_id": "sso",
         "models": ["m"], "tpm_limit": 4, "metadata": '{"a":1}', **WHEN},
        User(
            user_id="u", alias="Ann", email="a@x", role=Role.ADMIN, sso_user_id="sso", models=("m",),
            limits=Limits(tpm_limit=4), metadata=msgspec.Raw(b'{"a":1}'), **STAMPS,
        ),
    ),
    (
        lambda row: entries.team_of(row, {7: {"fast": "m"}}),
        {"team_id": "t", "team_alias": "Red", "organization_id": "o", "models": ["m"], "model_id": 7,
         "default_team_member_models": ["d"], "access_group_ids": ["g"], "max_parallel_requests": 5, "blocked": True,
         "team_member_permissions": ["/key/generate"], **WHEN,
         "metadata": json_of(tags=["x"], team_member_budget_id="mb", team_member_key_duration="1d")},
        Team(
            team_id="t", alias="Red", organization_id="o", models=("m",), model_aliases={"fast": "m"},
            default_member_models=("d",), access_group_ids=("g",), tags=("x",), limits=Limits(max_parallel_requests=5),
            member_budget_id="mb", member_permissions=("/key/generate",), member_key_duration="1d", blocked=True,
            metadata=msgspec.Raw(b'{"tags":["x"],"team_member_budget_id":"mb","team_member_key_duration":"1d"}'),
            extra=msgspec.Raw(b"{}"), **STAMPS,
        ),
    ),
    (
        lambda row: entries.team_member_of("t", "u", "admin", row, ("m",)),
        {"budget_id": "b"},
        TeamMember(team_id="t", user_id="u", role="admin", models=("m",), budget_id="b"),
    ),
    (
        entries.customer_of,
        {"user_id": "c", "alias": "Shop", "blocked": True, "default_model": "d", "allowed_model_region": "eu",
         "models": ["m"], "budget_id": "b"},
        Customer(
            customer_id="c", alias="Shop", blocked=True, default_model="d", allowed_model_region="eu", models=("m",),
            budget_id="b",
        ),
    ),
    (
        entries.tag_of,
        {"tag_name": "x", "description": "said", "models": ["m"], "budget_id": "b", **WHEN},
        Tag(name="x", description="said", models=("m",), budget_id="b", **STAMPS),
    ),
    (
        entries.project_of,
        {"project_id": "p", "project_alias": "Plan", "description": "said", "team_id": "t", "models": ["m"],
         "budget_id": "b", "blocked": True, "model_rpm_limit": '{"m": 1}', **WHEN,
         "metadata": json_of(tags=["x"], model_tpm_limit={"m": 2}, model_itpm_limit={"m": 4}, other=3)},
        Project(
            project_id="p", alias="Plan", description="said", team_id="t", models=("m",), tags=("x",), budget_id="b",
            limits=Limits(model_rpm_limit={"m": 1}, model_tpm_limit={"m": 2}, model_itpm_limit={"m": 4}), blocked=True,
            metadata=msgspec.Raw(b'{"other":3}'), **STAMPS,
        ),
    ),
    (
        entries.model_group_budget_of,
        {"access_group_name": "g", "budget_id": "b", **WHEN},
        ModelGroupBudget(name="g", budget_id="b", **STAMPS),
    ),
    (
        entries.access_group_of,
        {"access_group_id": "g", "access_group_name": "beta", "description": "said", "access_model_names": ["m"],
         "assigned_team_ids": ["t"], "assigned_key_ids": ["k"], **WHEN},
        AccessGroup(
            access_group_id="g", name="beta", description="said", models=("m",), team_ids=("t",), key_tokens=("k",),
            **STAMPS,
        ),
    ),
    (
        entries.retired_of,
        {"token": "old", "active_token_id": "new", "revoke_at": CHANGED, "created_at": MADE},
        RetiredKey(token="old", successor="new", until=CHANGED.timestamp(), created_at=MADE.timestamp()),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("read", "row", "record"), ENTRIES, ids=lambda one: type(one).__name__)
def test_every_field_of_an_entry_comes_over(
    read: Callable[[Row], entries.Made], row: dict[str, Any], record: msgspec.Struct
) -> None:
    assert read(Row(row)) == entries.Made(record)
    if "updated_at" in row:
        bare = read(Row({**row, "updated_at": None, "created_by": None, "updated_by": None})).record
        stamps = {"updated_at": MADE.timestamp(), "created_by": None, "updated_by": None}
        assert bare == msgspec.structs.replace(record, **stamps)


def test_every_field_of_a_key_comes_over() -> None:
    row = {
        "token": "t", "key_name": "sk-...ab", "key_alias": "alias", "models": ["m"], "aliases": '{"fast": "m"}',
        "metadata": json_of(tags=["x"], note=1), "user_id": "u", "team_id": "team", "spend": 0.5, "max_budget": 2,
        "soft_budget": 1, "budget_duration": "30d", "budget_reset_at": CHANGED, "rpm_limit": 3, "tpm_limit": 4,
        "max_parallel_requests": 5, "expires": CHANGED, "blocked": True, "last_active": CHANGED, **WHEN,
        "organization_id": "o", "allowed_routes": ["/v1/models"],
    }  # fmt: skip
    moment = CHANGED.timestamp()
    made = key_of(Row(row), {}, {}).record
    assert made == KeyRecord(
        token="t", key_name="sk-...ab", key_alias="alias", models=("m",), aliases={"fast": "m"},
        metadata=made.metadata, user_id="u", team_id="team", spend=picodollars("0.5"), max_budget=picodollars(2),
        soft_budget=picodollars(1), budget_duration="30d", budget_reset_at=moment, rpm_limit=3, tpm_limit=4,
        max_parallel_requests=5, expires=moment, blocked=True, tags=("x",), created_at=MADE.timestamp(),
        updated_at=moment, created_by="maker", last_active=moment, extra=made.extra,
    )  # fmt: skip
    assert msgspec.json.decode(made.extra) == {"organization_id": "o", "allowed_routes": ["/v1/models"]}
    assert msgspec.json.decode(made.metadata)["note"] == 1
    bare = key_of(Row({"token": "t", "budget_reset_at": CHANGED, "created_at": MADE}), {}, {}).record
    assert (bare.budget_reset_at, bare.updated_at, bare.blocked) == (None, MADE.timestamp(), False)
    assert key_of(Row({"token": "t"}), {}, {}).record.created_at == 0.0


def test_windows_that_cannot_be_read_are_left_out() -> None:
    windows = [{"budget_duration": "1d"}, {"max_budget": 1}, {"budget_duration": "soon", "max_budget": 1}, 5]
    assert entries.limits_of(Row({"budget_limits": windows}))[0] == Limits()


def test_a_project_is_restricted_by_what_is_not_enforced_too() -> None:
    made = entries.project_of(Row({"project_id": "p", "object_permission_id": "x"}))
    assert isinstance(made.record, Project) and made.record.blocked and "object_permission" in made.notes[0]


def test_what_the_metadata_of_a_project_says_of_rates_wins() -> None:
    said = json_of(model_rpm_limit={"m": 1})
    row = {"project_id": "p", "metadata": said, "model_rpm_limit": {"m": 9}, "model_tpm_limit": {"m": 2}}
    made = entries.project_of(Row(row)).record
    assert isinstance(made, Project) and made.limits == Limits(model_rpm_limit={"m": 1}, model_tpm_limit={"m": 2})
