"""Keys and budgets from the command line, at a gateway that runs."""

from __future__ import annotations

import json
from typing import Any

from tests.support.gateway import MASTER_KEY, Gateway
from tests.support.preloaded import run_command
from tests.upstreams import FakeOpenAI

Shared = tuple[Gateway, FakeOpenAI]


def pointsman(gateway: Gateway, *arguments: str, key: str | None = MASTER_KEY, status: int = 0) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(gateway.directory), "POINTSMAN_URL": gateway.url}
    if key is not None:
        environment["POINTSMAN_API_KEY"] = key
    done = run_command(arguments, env=environment)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


def told(gateway: Gateway, *arguments: str) -> Any:
    return json.loads(pointsman(gateway, *arguments, "--json"))


def test_the_life_of_a_key(shared: Shared) -> None:
    gateway, _ = shared
    key = pointsman(gateway, "keys", "create", "--alias", "cli-ann", "--max-budget", "5", "--duration", "1d").strip()
    assert gateway.chat("fast", key=key).status == 200
    assert told(gateway, "keys", "show", "cli-ann")["info"]["max_budget"] == 5.0
    pointsman(gateway, "keys", "block", "cli-ann")
    assert gateway.chat("fast", key=key).status == 403
    pointsman(gateway, "keys", "unblock", key)
    pointsman(gateway, "keys", "update", "cli-ann", "--max-budget", "none", "--rpm", "100")
    info = told(gateway, "keys", "show", "cli-ann")["info"]
    assert (info["max_budget"], info["rpm_limit"]) == (None, 100)
    new = pointsman(gateway, "keys", "rotate", "cli-ann", "--grace", "1h").strip()
    assert new != key
    for one in (new, key):
        assert gateway.chat("fast", key=one).status == 200
    assert "cli-ann" in pointsman(gateway, "keys", "list", "--alias", "cli-")
    pointsman(gateway, "keys", "delete", "cli-ann", "--yes")
    for one in (new, key):
        assert gateway.chat("fast", key=one).status == 401


def test_budgets(shared: Shared) -> None:
    gateway, _ = shared
    pointsman(gateway, "budgets", "create", "cli-free", "--max-budget", "5", "--budget-duration", "1mo")
    assert "cli-free" in pointsman(gateway, "budgets", "list")
    pointsman(gateway, "budgets", "update", "cli-free", "--max-budget", "6")
    assert told(gateway, "budgets", "show", "cli-free")["max_budget"] == 6.0
    pointsman(gateway, "budgets", "delete", "cli-free", "--yes")
    assert "no budget" in pointsman(gateway, "budgets", "show", "cli-free", status=2)


def test_what_goes_wrong_is_said_with_what_to_do(shared: Shared) -> None:
    gateway, _ = shared
    assert "max_budget must be at least 0" in pointsman(gateway, "keys", "create", "--max-budget=-1", status=2)
    assert "Give a key" in pointsman(gateway, "keys", "list", key="sk-nobody-has-this", status=2)
    nowhere = pointsman(gateway, "keys", "list", "--url", "http://127.0.0.1:9", status=2)
    assert "pointsman serve" in nowhere
    assert "Cannot reach the gateway" in nowhere
    assert "No team is called 'nowhere'" in pointsman(gateway, "keys", "create", "--team", "nowhere", status=2)
    assert "Aborted" in pointsman(gateway, "keys", "delete", "x", status=1)


def test_teams_and_users(shared: Shared) -> None:
    gateway, _ = shared
    pointsman(gateway, "users", "create", "cli-bob", "--email", "bob@example.org", "--role", "internal_user")
    assert "cli-bob" in pointsman(gateway, "users", "list", "--email", "bob@")
    pointsman(gateway, "teams", "create", "--id", "cli-core", "--alias", "Core", "--max-budget", "100")
    pointsman(gateway, "teams", "add-member", "cli-core", "cli-bob", "--role", "admin")
    assert "cli-core" in pointsman(gateway, "teams", "list")
    assert "100" in pointsman(gateway, "teams", "show", "cli-core")
    pointsman(gateway, "teams", "update", "Core", "--rpm", "7")
    made = pointsman(
        gateway, "projects", "create", "Core", "--id", "cli-search", "--tag", "flights", "--max-budget", "5"
    )
    assert "cli-search" in made and "cli-search" in pointsman(gateway, "projects", "list")
    key = told(gateway, "keys", "create", "--team", "Core", "--project", "cli-search")["key"]
    pointsman(gateway, "projects", "update", "cli-search", "--max-budget", "6")
    pointsman(gateway, "projects", "block", "cli-search")
    assert told(gateway, "projects", "show", "cli-search")["blocked"] is True
    pointsman(gateway, "projects", "unblock", "cli-search")
    assert "associated with it" in pointsman(gateway, "projects", "delete", "cli-search", "--yes", status=2)
    pointsman(gateway, "keys", "delete", key, "--yes")
    assert "Deleted: cli-search" in pointsman(gateway, "projects", "delete", "cli-search", "--yes")
    pointsman(gateway, "teams", "block", "cli-core")
    assert told(gateway, "teams", "show", "cli-core")["team_info"]["blocked"] is True
    pointsman(gateway, "teams", "unblock", "cli-core")
    pointsman(gateway, "teams", "remove-member", "cli-core", "cli-bob")
    pointsman(gateway, "users", "update", "cli-bob", "--max-budget", "3")
    assert "cli-bob" in pointsman(gateway, "users", "show", "cli-bob")
    pointsman(gateway, "teams", "delete", "cli-core", "--yes")
    pointsman(gateway, "users", "delete", "cli-bob", "--yes")


def test_exports_go_to_the_same_gateway_as_everything_else(shared: Shared) -> None:
    gateway, _ = shared
    assert pointsman(gateway, "spend", "export", "--format", "csv").startswith("request_id,")
