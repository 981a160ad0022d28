"""From LiteLLM's database to a gateway that serves its keys: a dry run, the import, the import again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pointsman.core.price import dollars
from pointsman.stores.directory.kinds import ORGANIZATION_MEMBERS, TEAM_MEMBERS, TEAMS
from pointsman.stores.directory.ports import Meter
from pointsman.stores.directory.records import Role, member_id
from pointsman.stores.sqlite import SqliteDatabase, SqliteDirectoryStore, SqliteSpendStore
from tests.support.configs import openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.litellm_database import LiteLLMTables
from tests.support.servers import PASSWORD, PostgresServer
from tests.upstreams import FakeOpenAI

DAYS = ("LiteLLM_DailyUserSpend", "LiteLLM_DailyTeamSpend", "LiteLLM_DailyEndUserSpend", "LiteLLM_DailyTagSpend")
SALT = "sk-salt-of-litellm-1234"
KEY = "sk-made-by-litellm-long-ago"
RICH = "sk-another-key-of-litellm"
UPSTREAM_KEY = "sk-upstream-secret-777"


def digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def sealed(text: str) -> str:
    """As LiteLLM encrypts with ``encryption_algorithm: aes-256-gcm``."""
    nonce = b"0123456789ab"
    box = AESGCM(sha256(SALT.encode()).digest()).encrypt(nonce, text.encode(), None)
    return "v2:gcm:" + urlsafe_b64encode(nonce + box).decode()


@pytest.fixture
def tables(postgres: PostgresServer, upstream: FakeOpenAI) -> LiteLLMTables:
    tables = LiteLLMTables(postgres)
    add = tables.add
    add("LiteLLM_BudgetTable", budget_id="free", max_budget=5.0, budget_duration="30d", created_by="admin",
        budget_reset_at="2099-01-01 00:00:00")  # fmt: skip
    add("LiteLLM_BudgetTable", budget_id="soft-only", soft_budget=3.0, created_by="admin")
    add("LiteLLM_BudgetTable", budget_id="seat", max_budget=2.0, allowed_models=["fast"], created_by="admin")
    add("LiteLLM_OrganizationTable", organization_id="org", organization_alias="Org", budget_id="free", spend=4.5)
    add("LiteLLM_UserTable", user_id="ann", user_email="ann@example.org", user_role="proxy_admin", spend=1.25,
        max_budget=20.0, budget_duration="7d", password="scrypt:x")  # fmt: skip
    add("LiteLLM_OrganizationMembership", user_id="ann", organization_id="org", user_role="org_admin", spend=0.25)
    add("LiteLLM_ModelTable", id=7, aliases={"gpt-4": "fast"})
    add("LiteLLM_TeamTable", team_id="core", team_alias="Core", organization_id="org", spend=2.5, max_budget=100.0,
        rpm_limit=600, models=["fast"], model_id=7, metadata={"model_rpm_limit": {"fast": 5}, "tags": ["a"]},
        members_with_roles=[{"user_id": "ann", "role": "admin"}, {"user_id": "bob", "role": "user"}])  # fmt: skip
    add("LiteLLM_TeamMembership", team_id="core", user_id="bob", spend=0.5, budget_id="seat")
    add("LiteLLM_EndUserTable", user_id="acme", alias="Acme", spend=1.5, budget_id="free")
    add("LiteLLM_EndUserTable", user_id="in-europe", allowed_model_region="eu")
    add("LiteLLM_ProjectTable", project_id="search", project_alias="Search", team_id="core", budget_id="free",
        spend=0.5, models=["fast"],
        metadata={"tags": ["flights"], "model_rpm_limit": {"fast": 7}, "cost": "centre"})  # fmt: skip
    add("LiteLLM_ModelAccessGroupBudgetTable", access_group_name="dear", spend=0.75, budget_id="free")
    add("LiteLLM_TagTable", tag_name="beta", description="Testers", spend=0.75, created_by="ann")
    add("LiteLLM_AccessGroupTable", access_group_id="g1", access_group_name="writers", access_model_names=["fast"])
    add("LiteLLM_CredentialsTable", credential_id="1", credential_name="cloud",
        credential_values={"api_key": sealed(UPSTREAM_KEY)}, credential_info={"description": "d"})  # fmt: skip
    add("LiteLLM_ProxyModelTable", model_id="m1", model_name="stored", model_info={"id": "m1", "db_model": True},
        litellm_params={"model": sealed("openai/fast"), "api_base": sealed(f"{upstream.url}/v1"),
                        "api_key": sealed(UPSTREAM_KEY), "rpm": 60})  # fmt: skip
    add("LiteLLM_VerificationToken", token=digest(KEY), key_name="sk-...ago", key_alias="old", spend=0.5,
        max_budget=10.0, budget_duration="1d", budget_reset_at="2099-01-01 00:00:00", team_id="core", user_id="bob",
        project_id="search", key_type="llm_api", allowed_routes=["llm_api_routes"], budget_id="soft-only",
        rpm_limit=1000, metadata={"tags": ["t"], "note": 1}, created_at="2025-01-02 03:04:05")  # fmt: skip
    add("LiteLLM_VerificationToken", token=digest(RICH), key_alias="rich", metadata={"guardrails": ["pii"]})
    add("LiteLLM_VerificationToken", token="f" * 64, key_alias="old")
    add("LiteLLM_VerificationToken", token="2" * 64, team_id="litellm-dashboard")
    add("LiteLLM_DeprecatedVerificationToken", id="1", token=digest("sk-the-one-before"), active_token_id=digest(KEY),
        revoke_at="2099-01-01 00:00:00")  # fmt: skip
    day = {"date": "2026-01-01", "model": "openai/fast", "model_group": "fast", "custom_llm_provider": "openai",
           "endpoint": "/chat/completions"}  # fmt: skip
    of_key = day | {"api_key": digest(KEY), "spend": 1.0, "api_requests": 4, "failed_requests": 1, "prompt_tokens": 10}
    add("LiteLLM_DailyUserSpend", id="1", user_id="bob", **of_key)
    add("LiteLLM_DailyUserSpend", id="2", user_id="default_user_id", api_key="litellm_proxy_master_key", spend=0.5,
        api_requests=2, **day)  # fmt: skip
    add("LiteLLM_DailyTeamSpend", id="1", team_id="core", **of_key)
    add("LiteLLM_DailyTagSpend", id="1", tag="beta", **of_key)
    add("LiteLLM_DailyEndUserSpend", id="1", end_user_id="acme", **of_key)
    return tables


def migrate(folder: Path, *arguments: str, salt: str | None = SALT, status: int = 0) -> Any:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    environment |= {} if salt is None else {"LITELLM_SALT_KEY": salt}
    done = subprocess.run(
        [sys.executable, "-m", "pointsman", "migrate", "litellm", *arguments], capture_output=True, check=False,
        env=environment, cwd=folder,
    )  # fmt: skip
    assert done.returncode == status, done.stderr.decode()
    for secret in (UPSTREAM_KEY, PASSWORD, SALT):
        assert secret.encode() not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return json.loads(done.stdout) if "--json" in arguments else (done.stdout + done.stderr).decode()


def outcomes(report: Any, kind: str) -> dict[str, str]:
    return {item["id"]: item["outcome"] for item in report["items"] if item["kind"] == kind}


def notes(report: Any, identity: str) -> str:
    return " ".join(note for item in report["items"] if item["id"] == identity for note in item.get("notes", ()))


def test_everything_comes_over_and_keys_go_on_working(
    tables: LiteLLMTables, launch: Launch, upstream: FakeOpenAI, tmp_path: Path
) -> None:
    config = {"model_list": [openai_entry("fast", upstream)]}
    gateway = launch(config, ready=False, env={"LITELLM_SALT_KEY": SALT})
    file = gateway.directory / "litellm.yaml"
    file.write_text(json.dumps(config))
    data = ("--config", str(file), "--database-url", tables.url, "--data-dir", str(gateway.data_dir), "--json")

    dry = migrate(tmp_path, *data, "--dry-run")
    assert dry["dry_run"] and not (gateway.data_dir / "pointsman.db").exists()
    report = migrate(tmp_path, *data)
    assert [item | {"outcome": ""} for item in dry["items"]] == [item | {"outcome": ""} for item in report["items"]]
    assert outcomes(report, "key") == {
        digest(KEY): "imported", digest(RICH): "imported", "f" * 64: "imported", "2" * 64: "skipped",
    }  # fmt: skip
    assert "guardrails" in notes(report, digest(RICH)) and "blocked" in notes(report, digest(RICH))
    assert "alias" in notes(report, "f" * 64)
    assert "password" in notes(report, "ann")
    assert outcomes(report, "daily spending") == dict.fromkeys(DAYS, "imported")
    assert notes(report, "LiteLLM_DailyUserSpend") == "2 rows of 1 days, 1.500000 USD."

    gateway.launch()
    assert gateway.chat("fast", key=KEY).status == 200
    assert gateway.chat("fast", key="sk-the-one-before").status == 200
    assert gateway.chat("fast", key=RICH).status == 403
    assert gateway.chat("stored").status == 200
    assert ("authorization", f"Bearer {UPSTREAM_KEY}") in upstream.inference[-1].headers
    info = gateway.http("GET", f"/key/info?key={KEY}").json()["info"]
    assert info["key_alias"] == "old" and info["team_id"] == "core" and info["tags"] == ["t"]
    assert (info["max_budget"], info["soft_budget"], info["spend"]) == (10.0, 3.0, 0.5)
    assert info["metadata"] == {"note": 1} and info["budget_id"] is None
    assert info["created_at"] == "2025-01-02T03:04:05.000Z"
    organization = gateway.http("GET", "/organization/info?organization_id=org").json()
    assert [member["spend"] for member in organization["members"]] == [0.25]
    project = gateway.http("GET", "/project/info?project_id=search").json()
    assert (project["spend"], project["models"], project["tags"]) == (0.5, ["fast"], ["flights"])
    assert project["model_rpm_limit"] == {"fast": 7} and project["litellm_budget_table"]["max_budget"] == 5.0
    customer = gateway.http("GET", "/customer/info?end_user_id=acme").json()
    assert customer["spend"] == 1.5
    assert customer["litellm_budget_table"]["budget_reset_at"] == "2099-01-01T00:00:00.000Z"
    assert gateway.http("GET", "/customer/info?end_user_id=in-europe").json()["allowed_model_region"] == "eu"
    assert gateway.http("POST", "/tag/info", {"names": ["beta"]}).json()["beta"]["spend"] == 0.75


def spent(gateway: Gateway, path: str) -> dict[str, float]:
    """What each day of a report came to."""
    days = gateway.http("GET", f"{path}start_date=2026-01-01&end_date=2026-01-31").json()["results"]
    return {day["date"]: day["metrics"]["spend"] for day in days}


def test_reports_go_on_where_those_of_litellm_end(
    tables: LiteLLMTables, launch: Launch, upstream: FakeOpenAI, tmp_path: Path
) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, ready=False)
    data = ("--database-url", tables.url, "--data-dir", str(gateway.data_dir), "--json")
    migrate(tmp_path, *data)
    # LiteLLM goes on until it is stopped, and is then looked at once more.
    tables.add("LiteLLM_DailyUserSpend", id="3", user_id="bob", date="2026-01-02", api_key=digest(KEY), spend=0.25,
               api_requests=1, model="openai/fast", custom_llm_provider="openai")  # fmt: skip
    for table in ("LiteLLM_DailyUserSpend", "LiteLLM_DailyTeamSpend"):
        tables.change(table, "1", spend=1.125)
    tables.change("LiteLLM_DailyTeamSpend", "1", team_id="former")
    report = migrate(tmp_path, *data)
    assert outcomes(report, "daily spending") == dict(zip(DAYS, ["imported"] * 2 + ["unchanged"] * 2, strict=True))

    gateway.launch()
    assert spent(gateway, "/user/daily/activity?") == {"2026-01-01": 1.625, "2026-01-02": 0.25}
    assert spent(gateway, "/user/daily/activity?user_id=bob&") == {"2026-01-01": 1.125, "2026-01-02": 0.25}
    # A key's team is the one of that day, or where no team has spent, its team of now.
    assert spent(gateway, "/team/daily/activity?team_ids=former&") == {"2026-01-01": 1.125}
    assert spent(gateway, "/team/daily/activity?team_ids=core&") == {"2026-01-02": 0.25}
    assert spent(gateway, "/tag/daily/activity?tags=beta&") == {"2026-01-01": 1.0}
    assert spent(gateway, "/customer/daily/activity?end_user_ids=acme&") == {"2026-01-01": 1.0}
    (day,) = gateway.http("GET", "/user/daily/activity?start_date=2026-01-01&end_date=2026-01-01").json()["results"]
    assert (day["metrics"]["api_requests"], day["metrics"]["failed_requests"]) == (6, 1)
    assert set(day["breakdown"]["models"]) == {"fast"}
    assert day["breakdown"]["api_keys"][digest(KEY)]["metadata"]["key_alias"] == "old"


def test_it_goes_into_the_database_that_the_configuration_names(
    tables: LiteLLMTables, launch: Launch, upstream: FakeOpenAI, postgres: PostgresServer, tmp_path: Path
) -> None:
    database = postgres.new_database()
    url = postgres.url(database)
    config = {"model_list": [openai_entry("fast", upstream)], "general_settings": {"database_url": url}}
    gateway = launch(config, ready=False, env={"LITELLM_SALT_KEY": SALT})
    data = ("--config", str(gateway.config_file), "--database-url", tables.url, "--data-dir", str(gateway.data_dir))

    dry = migrate(tmp_path, *data, "--json", "--dry-run")
    assert postgres.fetch("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database=database) == [(0,)]
    report = migrate(tmp_path, *data, "--json")
    assert [item | {"outcome": ""} for item in dry["items"]] == [item | {"outcome": ""} for item in report["items"]]
    assert report["into"] == dry["into"] and PASSWORD not in report["into"]
    assert not (gateway.data_dir / "pointsman.db").exists()

    assert outcomes(migrate(tmp_path, *data, "--json", "--dry-run"), "team") == {"core": "unchanged"}
    again = migrate(tmp_path, *data, "--json")
    assert {item["outcome"] for item in again["items"] if item["kind"] != "setting"} == {"unchanged", "skipped"}
    assert report["into"] in migrate(tmp_path, *data)

    gateway.launch()
    assert gateway.chat("fast", key=KEY).status == 200
    assert gateway.chat("stored").status == 200
    assert gateway.http("GET", f"/key/info?key={KEY}").json()["info"]["spend"] >= 0.5
    assert spent(gateway, "/user/daily/activity?") == {"2026-01-01": 1.5}


def test_a_second_run_changes_nothing(tables: LiteLLMTables, tmp_path: Path) -> None:
    data = ("--database-url", tables.url, "--data-dir", str(tmp_path / "data"), "--json")
    first = migrate(tmp_path, *data)
    again = migrate(tmp_path, *data)
    assert [(item["kind"], item["id"]) for item in again["items"]] == [
        (item["kind"], item["id"]) for item in first["items"]
    ]
    assert {item["outcome"] for item in again["items"]} == {"unchanged", "skipped"}
    assert "sk-...ago" not in migrate(tmp_path, *data[:-1])


def test_what_was_spent_comes_over_once(tables: LiteLLMTables, tmp_path: Path) -> None:
    tables.add("LiteLLM_BudgetWindowSpend", entity_type="team", entity_id="core", window_duration="1d", spend=0.25)

    async def spending() -> dict[str, float]:
        database = SqliteDatabase(tmp_path / "pointsman.db")
        await database.open()
        meters = {
            "org": Meter("organization", "org"),
            "ann": Meter("user", "ann"),
            "core": Meter("team", "core"),
            "bob": Meter("member", member_id("core", "bob")),
            "today": Meter("team", "core", window="1d"),
        }
        found = await SqliteSpendStore(database).spent(tuple(meters.values()))
        directory = SqliteDirectoryStore(database)
        bob = await directory.get(TEAM_MEMBERS, member_id("core", "bob"))
        team = await directory.get(TEAMS, "core")
        organization = await directory.get(ORGANIZATION_MEMBERS, member_id("org", "ann"))
        await database.close()
        assert bob is not None and (bob.models, bob.budget_id, bob.role) == (("fast",), "seat", "user")
        assert team is not None and (team.model_aliases, team.limits.rpm_limit) == ({"gpt-4": "fast"}, 600)
        assert team.limits.model_rpm_limit == {"fast": 5} and team.tags == ("a",)
        assert organization is not None and organization.role is Role.ORGANIZATION_ADMIN
        return {name: dollars(found[meter].amount) for name, meter in meters.items()}

    for _ in range(2):
        migrate(tmp_path, "--database-url", tables.url, "--data-dir", str(tmp_path), "--json")
        assert asyncio.run(spending()) == {"org": 4.5, "ann": 1.25, "core": 2.5, "bob": 0.5, "today": 0.25}


def test_what_broke_off_is_taken_up_and_what_changed_here_stays(tables: LiteLLMTables, tmp_path: Path) -> None:
    data = ("--database-url", tables.url, "--data-dir", str(tmp_path / "data"), "--json")
    tables.add("LiteLLM_TagTable", tag_name="later", spend=0.0)
    migrate(tmp_path, *data)
    tables.add("LiteLLM_TagTable", tag_name="even-later", spend=0.0)
    tables.add("LiteLLM_BudgetTable", budget_id="new", max_budget=1.0, created_by="x")
    report = migrate(tmp_path, *data)
    assert outcomes(report, "tag") == {"beta": "unchanged", "even-later": "imported", "later": "unchanged"}
    assert outcomes(report, "budget")["new"] == "imported"


def test_without_the_salt_secrets_stay_out_and_are_told(tables: LiteLLMTables, tmp_path: Path) -> None:
    report = migrate(tmp_path, "--database-url", tables.url, "--data-dir", str(tmp_path), "--json", salt=None)
    assert outcomes(report, "model") == {"m1": "skipped"} and outcomes(report, "credential") == {"cloud": "skipped"}
    assert "LITELLM_SALT_KEY" in notes(report, "m1")


def test_an_older_version_has_fewer_tables(tables: LiteLLMTables, tmp_path: Path) -> None:
    tables.drop("LiteLLM_DeprecatedVerificationToken", "LiteLLM_BudgetWindowSpend", "LiteLLM_AccessGroupTable",
                "LiteLLM_TagTable", "LiteLLM_DailyUserSpend")  # fmt: skip
    report = migrate(tmp_path, "--database-url", tables.url, "--data-dir", str(tmp_path), "--json")
    assert outcomes(report, "key")[digest(KEY)] == "imported" and outcomes(report, "tag") == {}


def test_an_odd_row_does_not_keep_the_others_from_coming(tables: LiteLLMTables, tmp_path: Path) -> None:
    tables.add("LiteLLM_VerificationToken", token="no-hash", key_alias="odd", models=["fast"])
    endless = {"max_budget": "Infinity", "spend": "NaN"}
    tables.add("LiteLLM_VerificationToken", token=digest("sk-endless"), models=["fast"], **endless)
    tables.add("LiteLLM_ProxyModelTable", model_id="none", model_name="x", litellm_params={"a": 1})
    report = migrate(tmp_path, "--database-url", tables.url, "--data-dir", str(tmp_path), "--json")
    keys = outcomes(report, "key")
    assert (keys["no-hash"], keys[digest("sk-endless")], keys[digest(KEY)]) == ("skipped", "imported", "imported")
    assert "max_budget is inf" in notes(report, digest("sk-endless"))
    assert outcomes(report, "model") == {"m1": "imported", "none": "skipped"}


def test_what_is_no_database_of_litellm_is_said(postgres: PostgresServer, tmp_path: Path) -> None:
    data = ("--data-dir", str(tmp_path))
    empty = postgres.url(postgres.new_database())
    assert "no database of LiteLLM" in migrate(tmp_path, "--database-url", empty, *data, status=2)
    nowhere = f"postgresql://pointsman:{PASSWORD}@127.0.0.1:9/x"
    assert "cannot be read" in migrate(tmp_path, "--database-url", nowhere, *data, status=2)
    assert "There is no file" in migrate(tmp_path, "--config", "none.yaml", status=2)


def test_the_database_is_only_read(tables: LiteLLMTables, postgres: PostgresServer, tmp_path: Path) -> None:
    # The role of the tests may only read; that it suffices is the point.
    report = migrate(tmp_path, "--database-url", tables.url + "?schema=public&connection_limit=5",
                     "--data-dir", str(tmp_path), "--json")  # fmt: skip
    assert outcomes(report, "team") == {"core": "imported"}
    assert postgres.fetch('SELECT count(*) FROM "LiteLLM_TeamTable"', database=tables.name) == [(1,)]
