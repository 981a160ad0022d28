"""Scope × route × caller: every route lets in exactly those that its scope names."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.admin.route import Route
from pointsman.admin.table import ROUTES
from pointsman.core.errors import StorageUnavailable
from pointsman.core.identity import KeyRecord, Scope
from tests.unit.admin.office_desk import MASTER, NOW, Desk, call_record

CALLERS = ("nobody", "stranger", "virtual", "blocked", "expired", "deleted", "master")

REFUSALS = {"nobody": 401, "stranger": 401, "blocked": 403, "expired": 401, "deleted": 401}


NEEDS_SESSION = b"for whoever is signed in, not for keys"


async def key_of(desk: Desk, caller: str) -> str | None:
    if caller == "nobody":
        return None
    if caller in {"stranger", "master"}:
        return MASTER if caller == "master" else "sk-nobody-has-this-one"
    key = await desk.new_key(duration="1h", blocked=caller == "blocked")
    if caller == "expired":
        desk.clock.now += 3601
    if caller == "deleted":
        await desk.ask("POST", "/key/delete", {"keys": [key]})
    return key


def expected(scope: Scope, caller: str) -> int | None:
    """The status with which the caller is turned away; None: let in."""
    if scope is Scope.PUBLIC:
        return None
    if caller in REFUSALS:
        return REFUSALS[caller]
    return 403 if scope in {Scope.ADMIN, Scope.VIEWER} and caller == "virtual" else None


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.paths[0]}")
async def test_a_route_lets_in_whom_its_scope_names(route: Route[Any, Any], caller: str) -> None:
    desk = Desk()
    key = await key_of(desk, caller)
    for path in route.paths:
        target = path.replace("{key:path}", "none").replace("{model_id:path}", "llama3")
        answer = await desk.ask(route.method, target, b"{}" if route.takes_body else None, key=key)
        wanted = expected(route.scope, caller)
        if wanted is None:
            # What a key finds behind a route of the management is in test_matrix.py.
            turned_away = {401} if route.scope is Scope.MANAGEMENT and caller == "virtual" else {401, 403}
            assert answer.status not in turned_away or NEEDS_SESSION in answer.body, (target, answer.body)
        else:
            assert answer.status == wanted, (target, answer.body)
            assert answer.error.message


async def test_the_refused_body_is_not_read() -> None:
    answer = await Desk().ask("POST", "/key/generate", b"not json at all", key=None)
    assert answer.status == 401


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-litellm-api-key", "x-goog-api-key"])
async def test_a_restriction_holds_whichever_header_bears_the_key(desk: Desk, header: str) -> None:
    key = await desk.new_key()
    answer = await desk.ask("GET", "/routes", key=None, headers={header: f"Bearer {key}"})
    assert answer.status == 403
    assert answer.error.code == "admin_only"
    answer = await desk.ask("POST", "/key/generate", {}, key=None, headers={header: f"Bearer {key}"})
    assert answer.status == 403
    answer = await desk.ask("GET", "/v1/models", key=None, headers={header: f"Bearer {key}"})
    assert answer.status == 200


async def test_a_store_that_cannot_say_is_503_and_not_401() -> None:
    class DownStore:
        async def get(self, token: str) -> KeyRecord | None:
            raise StorageUnavailable("The database does not answer.")

    desk = Desk()
    desk.keyring._source = DownStore()
    answer = await desk.ask("GET", "/v1/models", key="sk-unknown-0123456789")
    assert answer.status == 503
    assert answer.error.type == "no_db_connection"
    assert (await desk.ask("GET", "/v1/models")).status == 200


# -- a virtual key and what belongs to others ---------------------------------------------------------


async def test_a_key_sees_itself_and_no_other(desk: Desk) -> None:
    mine, other = await desk.new_key(key_alias="mine"), await desk.new_key(key_alias="other")
    assert (await desk.ask("GET", "/key/info", key=mine)).json()["info"]["key_alias"] == "mine"
    assert (await desk.ask("GET", f"/key/info?key={mine}", key=mine)).status == 200
    theirs = await desk.ask("GET", f"/key/info?key={other}", key=mine)
    nobodys = await desk.ask("GET", "/key/info?key=sk-does-not-exist-at-all", key=mine)
    assert theirs.status == nobodys.status == 403
    assert theirs.error.message == nobodys.error.message


async def test_a_key_lists_only_itself(desk: Desk) -> None:
    mine, other = await desk.new_key(), await desk.new_key()
    hashes = [desk.record(mine).token]
    assert (await desk.ask("GET", "/key/list", key=mine)).json()["keys"] == hashes
    assert (await desk.ask("GET", "/key/list?status=deleted", key=mine)).json()["keys"] == []
    assert (await desk.ask("GET", f"/key/list?key_hash={desk.record(other).token}", key=mine)).status == 403


async def test_a_key_sees_only_its_own_calls(desk: Desk) -> None:
    mine, other = await desk.new_key(), await desk.new_key()
    await desk.ledger.append(
        [
            call_record("a", key_token=desk.record(mine).token, api_base="http://10.0.0.7"),
            call_record("b", key_token=desk.record(other).token, user_id="u"),
        ]
    )
    rows = (await desk.ask("GET", "/spend/logs", key=mine)).json()
    assert [row["request_id"] for row in rows] == ["a"]
    assert rows[0]["api_base"] == ""
    assert (await desk.ask("GET", "/spend/logs?request_id=b", key=mine)).json() == []
    assert (await desk.ask("GET", "/spend/logs?user_id=u", key=mine)).json() == []
    assert (await desk.ask("GET", f"/spend/logs?api_key={other}", key=mine)).status == 403
    day = (await desk.ask("GET", "/spend/logs?start_date=2026-01-01", key=mine)).json()
    assert [set(row["api_keys"]) for row in day] == [{desk.record(mine).token}]


# -- without keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:4000", "origin": "https://evil.example"},
        {"host": "evil.example:4000"},
        {"host": "evil.example:4000", "origin": "http://evil.example:4000"},
        {"host": "127.0.0.1:4000", "origin": "null"},
        {"host": "127.0.0.1:4000", "origin": "http://127.0.0.1:9000"},
        {"host": "[not-an-address"},
    ],
)
async def test_without_keys_no_foreign_page_is_served(headers: dict[str, str]) -> None:
    answer = await Desk(master_key=None).ask("POST", "/key/generate", {}, key=None, headers=headers)
    assert answer.status == 403
    assert answer.error.code == "foreign_page"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:4000"},
        {"host": "localhost:4000", "origin": "http://localhost:4000"},
        {"host": "[::1]:4000"},
        {"host": "pointsman:4000"},
        {"host": "gateway.internal"},
        {"host": "192.168.1.4:4000"},
    ],
)
async def test_without_keys_local_callers_are_the_operator(headers: dict[str, str]) -> None:
    answer = await Desk(master_key=None).ask("POST", "/key/generate", {}, key=None, headers=headers)
    assert answer.status == 200


# -- advisories of other gateways, replayed -----------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["' OR '1'='1", "sk-' UNION SELECT token FROM keys --", "sk-\x00", "%s", "sk-" + "a" * 5000, "é" * 40]
)
async def test_a_bearer_that_is_sql_is_a_stranger(desk: Desk, key: str) -> None:
    assert (await desk.ask("GET", "/v1/models", key=key)).status == 401
    assert (await desk.ask("GET", "/spend/logs", key=key)).status == 401


@pytest.mark.parametrize("value", ["' OR '1'='1", "%", "sk-x'; DROP TABLE keys; --"])
async def test_a_query_that_is_sql_finds_nothing(desk: Desk, value: str) -> None:
    await desk.new_key(user_id="someone")
    for name in ("api_key", "user_id", "request_id"):
        assert (await desk.ask("GET", "/spend/logs", **{name: value})).json() == []  # type: ignore[arg-type]
    assert (await desk.ask("GET", "/key/list", user_id=value)).json()["keys"] == []
    assert (await desk.ask("GET", "/key/list", sort_by=value)).status == 400


@pytest.mark.parametrize("host", ["x/#@y", "x/health/liveliness?", "x/v1/models#", "127.0.0.1/docs?a=", ""])
async def test_what_the_host_header_says_opens_nothing(desk: Desk, host: str) -> None:
    assert (await desk.ask("POST", "/key/generate", {}, key=None, headers={"host": host})).status == 401


@pytest.mark.parametrize(
    "path", ["/key/generate/", "//key/generate", "/docs/../key/generate", "/health/liveliness/key/generate"]
)
async def test_a_path_spelt_otherwise_is_no_way_in(desk: Desk, path: str) -> None:
    answer = await desk.ask("POST", path, {}, key=None)
    assert answer.status == 404
    assert "location" not in answer.headers
    assert not desk.database.keys


async def test_a_key_cannot_widen_its_rights(desk: Desk) -> None:
    key = await desk.new_key()
    assert (await desk.ask("POST", "/key/update", {"key": key, "max_budget": None}, key=key)).status == 403
    assert (await desk.ask("POST", "/key/update", {"key": key, "allowed_routes": ["/*"]}, key=key)).status == 403
    assert (await desk.ask("POST", "/config/update", {"x": 1}, key=key)).status == 403
    assert desk.record(key).updated_at == NOW
    # Routes that a key is given narrow what it may do, and never widen it.
    assert (await desk.ask("POST", "/key/update", {"key": key, "allowed_routes": ["/*"]})).status == 200
    assert (await desk.ask("POST", "/key/generate", {}, key=key)).status == 403
