"""The commands that ask a gateway: what they ask for, and how they show what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from pointsman.cli import budgets, keys, teams, users
from pointsman.cli.main import cli
from pointsman.cli.remote import naming
from pointsman.cli.remote.client import GatewayClient, found_gateway
from pointsman.core.errors import Broken, Forbidden, Malformed, Misconfigured, NotFound, Unauthenticated

HASH = "a" * 64
Asked = list[tuple[str, str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, object]], Asked]:
    """Answers by path; what was asked for is in the list."""

    def answer(answers: dict[str, object]) -> Asked:
        seen: Asked = []

        def ask(_client: GatewayClient, method: str, path: str, body: object = None, **query: object) -> bytes:
            said = body if body is not None else {name: value for name, value in query.items() if value is not None}
            seen.append((method, path, said))
            found = answers[path]
            if isinstance(found, Exception):
                raise found
            return msgspec.json.encode(found)

        for module in (budgets, keys, naming, teams, users):
            monkeypatch.setattr(module, "asked", ask)
        return seen

    return answer


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, list(arguments), **options)


def test_fields_become_a_body(asked: Any) -> None:
    seen = asked({"/key/generate": {"key": "sk-new"}})
    done = run(
        "keys", "create", "--alias", "ann", "--model", "a", "--model", "b", "--max-budget", "2.5", "--rpm", "none",
        "--set", 'metadata={"x": [1]}', "--set", "agent_id=robot",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    body = {"key_alias": "ann", "models": ["a", "b"], "max_budget": 2.5, "rpm_limit": None}
    assert seen == [("POST", "/key/generate", {**body, "metadata": {"x": [1]}, "agent_id": "robot"})]
    assert done.stdout == "sk-new\n"
    assert "not shown again" in done.stderr


def test_an_alias_is_looked_up(asked: Any) -> None:
    seen = asked({"/key/list": {"keys": [{"token": HASH}]}, "/key/block": {"key_name": "sk-...1", "blocked": True}})
    assert "yes" in run("keys", "block", "ann").stdout
    assert seen[0][2]["key_alias"] == "ann"
    assert seen[1] == ("POST", "/key/block", {"key": HASH})
    seen.clear()
    run("keys", "block", "sk-itself")
    assert seen == [("POST", "/key/block", {"key": "sk-itself"})]


def test_nobody_is_called_so(asked: Any) -> None:
    asked({"/key/list": {"keys": []}})
    done = run("keys", "show", "nobody")
    assert isinstance(done.exception, NotFound) and "keys list shows all" in (done.exception.hint or "")
    short = run("keys", "show", HASH[:12])
    assert isinstance(short.exception, NotFound) and "keys list --json" in (short.exception.hint or "")


def test_a_list_is_a_table_or_json(asked: Any) -> None:
    row = {"key_name": "sk-...1234", "key_alias": "ann", "token": HASH, "spend": 0.5, "models": [], "max_budget": None}
    asked({"/key/list": {"keys": [row], "total_count": 60, "current_page": 1, "total_pages": 2}})
    done = run("keys", "list")
    head, line = done.stdout.splitlines()
    assert head.split()[:3] == ["KEY", "ALIAS", "HASH"]
    assert line.split() == ["sk-...1234", "ann", "a" * 12, "-", "-", "all", "0.5000", "-", "-", "-"]
    assert done.stderr == "Page 1 of 2, 60 keys.\n"
    assert json.loads(run("keys", "list", "--json").stdout)["keys"] == [row]


def test_deleting_asks_first(asked: Any) -> None:
    seen = asked({"/key/delete": {}, "/budget/delete": {}, "/team/info": {}, "/team/delete": 1, "/user/delete": 1})
    done = run("keys", "delete", "sk-1", "sk-2", input="n\n")
    assert done.exit_code == 1 and "Delete sk-1, sk-2?" in done.stderr and seen == []
    assert run("keys", "delete", "sk-1", input="y\n").exit_code == 0
    for command in ("budgets", "teams", "users"):
        assert run(command, "delete", "x", "--yes").exit_code == 0
    changes = [path for method, path, _ in seen if method == "POST"]
    assert changes == ["/key/delete", "/budget/delete", "/team/delete", "/user/delete"]


def test_a_key_is_rotated_with_an_overlap(asked: Any) -> None:
    seen = asked({"/key/regenerate": {"key": "sk-new"}})
    assert run("keys", "rotate", HASH, "--grace", "24h").stdout == "sk-new\n"
    assert seen == [("POST", "/key/regenerate", {"key": HASH, "grace_period": "24h"})]


@pytest.mark.parametrize("command", ["keys", "budgets", "teams", "users"])
def test_a_change_says_what(command: str) -> None:
    done = run(command, "update", "x")
    assert done.exit_code == 2 and "what to change" in done.stderr


@pytest.mark.parametrize("command", ["keys", "budgets", "teams", "users"])
def test_help_has_examples(command: str) -> None:
    assert f"\n  pointsman {command} " in run(command, "--help").stdout


def test_what_is_no_field_is_refused() -> None:
    done = run("keys", "create", "--set", "metadata")
    assert done.exit_code == 2 and "FIELD=JSON" in done.stderr


def test_budgets_are_shown(asked: Any) -> None:
    row = {"budget_id": "free", "max_budget": 5.0, "rpm_limit": 0, "model_max_budget": None}
    asked({"/budget/info": [row], "/budget/list": [], "/budget/new": row})
    assert run("budgets", "show", "free").stdout.split() == ["budget_id", "free", "max_budget", "5", "rpm_limit", "0"]
    assert run("budgets", "list").stderr == "There are no budgets.\n"
    assert "free" in run("budgets", "create", "free", "--max-budget", "5").stdout


def test_teams_and_users_are_shown_and_changed(asked: Any) -> None:
    team = {"team_id": "core", "members_with_roles": [{"user_id": "ann"}], "blocked": False}
    user = {"user_id": "ann", "teams": ["core"], "spend": 1.0}
    seen = asked({
        "/team/list": [team], "/team/info": {"team_info": team}, "/team/new": team, "/team/update": {"data": team},
        "/team/block": team, "/team/unblock": team, "/team/member_add": team, "/team/member_delete": team,
        "/user/list": {"users": [user], "total": 1}, "/user/info": {"user_info": user}, "/user/update": {"data": user},
        "/user/new": {**user, "key": "sk-ann"},
    })  # fmt: skip
    for arguments in (
        "teams list", "teams show core", "teams create --alias Core", "teams update core --rpm 5", "teams block core",
        "teams unblock core", "teams add-member core ann --role admin", "teams remove-member core ann", "users list",
        "users show ann", "users create ann --with-key", "users update ann --role internal_user", "users block ann",
        "users unblock ann",
    ):  # fmt: skip
        done = run(*arguments.split())
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        assert ("core" in done.stdout) or ("ann" in done.stdout), arguments
        assert json.loads(run(*arguments.split(), "--json").stdout), arguments
    assert ("POST", "/team/member_add", {"team_id": "core", "member": {"user_id": "ann", "role": "admin"}}) in seen
    assert ("POST", "/user/new", {"auto_create_key": True, "user_id": "ann"}) in seen


# -- which gateway, and with which key --------------------------------------------------------------------


def key_of(client: GatewayClient) -> str | None:
    return client._headers[0][1].removeprefix("Bearer ") if client._headers else None


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("POINTSMAN_URL", "POINTSMAN_API_KEY", "POINTSMAN_MASTER_KEY", "LITELLM_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "master.key").write_text("sk-kept\n")
    return monkeypatch


def test_options_go_before_the_environment_and_that_before_the_file(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert found_gateway(None, None, tmp_path).url == "http://127.0.0.1:4000"
    assert key_of(found_gateway(None, None, tmp_path)) == "sk-kept"
    environment.setenv("POINTSMAN_MASTER_KEY", "sk-master")
    assert key_of(found_gateway(None, None, tmp_path)) == "sk-master"
    environment.setenv("POINTSMAN_API_KEY", "sk-api")
    environment.setenv("POINTSMAN_URL", "http://gateway:1/")
    assert key_of(found_gateway(None, None, tmp_path)) == "sk-api"
    assert found_gateway(None, None, tmp_path).url == "http://gateway:1"
    assert key_of(found_gateway("http://x", "sk-own", tmp_path)) == "sk-own"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://localhost:4000", True),
        ("http://[::1]:4000", True),
        ("https://gateway.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.5", False),
    ],
)
@pytest.mark.usefixtures("environment")
def test_the_kept_key_goes_to_nobody_else(tmp_path: Path, url: str, sent: bool) -> None:
    assert (key_of(found_gateway(url, None, tmp_path)) is not None) == sent


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Malformed), (401, Unauthenticated), (403, Forbidden), (404, NotFound), (500, Broken)]
)
def test_a_refusal_is_told_in_the_words_of_the_gateway(status: int, kind: type[Exception]) -> None:
    refusal = GatewayClient("http://gw", None)._refusal(status, b'{"error": {"message": "No."}}')
    assert isinstance(refusal, kind) and "No." in str(refusal.message)
    assert "http://gw" in GatewayClient("http://gw", None)._refusal(status, b"<html>").message


def test_a_team_is_found_by_its_alias_and_a_key_is_made_for_none_that_is_not_there(asked: Any) -> None:
    teams_called = {"teams": [{"team_id": "t-1", "team_alias": "core"}, {"team_id": "t-2", "team_alias": "core2"}]}
    seen = asked({"/team/info": NotFound("no"), "/v2/team/list": teams_called, "/key/generate": {"key": "sk-new"}})
    assert run("keys", "create", "--team", "core").exit_code == 0
    assert seen[-1] == ("POST", "/key/generate", {"team_id": "t-1"})
    nobody = run("keys", "create", "--team", "cor")
    assert isinstance(nobody.exception, NotFound)
    assert seen[-1][1] != "/key/generate"
    teams_called["teams"][1]["team_alias"] = "core"
    unclear = run("keys", "create", "--team", "core")
    assert isinstance(unclear.exception, Malformed)
    assert "t-1, t-2" in str(unclear.exception.hint)


@pytest.mark.parametrize("url", ["elsewhere", "ftp://h", "http://", "http://h:99999", "http://[::1"])
def test_what_is_no_address_is_said_of_the_option(url: str) -> None:
    done = run("keys", "list", "--url", url)
    assert isinstance(done.exception, Misconfigured)
    assert done.exception.message.startswith("--url is not the address of a gateway")
