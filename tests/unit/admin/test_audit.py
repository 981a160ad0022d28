"""Who changed what: written down before and after, whoever tries, with no secret in it."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest

from pointsman.admin import table
from pointsman.admin.office import Office
from pointsman.admin.route import Answer, Nothing, Route, Visit
from pointsman.core.errors import StorageUnavailable, Unauthenticated
from pointsman.core.identity import Scope, token_of
from pointsman.stores.audit import AuditQuery
from tests.unit.admin.office_desk import MASTER, Desk


class SignIn(msgspec.Struct):
    username: str
    password: str


async def log(desk: Desk, **query: Any) -> list[dict[str, Any]]:
    answer = await desk.ask("GET", "/audit", page_size=100, sort_order="asc", **query)
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.json()["audit_logs"]
    return rows


async def test_a_key_is_in_the_log_from_its_making_to_its_end(desk: Desk) -> None:
    key = await desk.new_key(key_alias="mine", max_budget=1.0)
    token = token_of(key)
    await desk.ask("POST", "/key/update", {"key": key, "max_budget": 2.0})
    await desk.ask("POST", "/key/block", {"key": key})
    await desk.ask("POST", "/key/unblock", {"key": token})
    await desk.ask("POST", "/key/delete", {"keys": [key]})
    rows = await log(desk)
    assert [row["action"] for row in rows] == ["created", "updated", "blocked", "unblocked", "deleted"]
    assert {row["object_id"] for row in rows} == {token}
    assert {row["table_name"] for row in rows} == {"LiteLLM_VerificationToken"}
    assert {row["outcome"] for row in rows} == {"done"}
    made, updated, *_, deleted = rows
    assert made["before_value"] is None and made["updated_values"]["key_alias"] == "mine"
    assert (updated["before_value"]["max_budget"], updated["updated_values"]["max_budget"]) == (1.0, 2.0)
    assert deleted["updated_values"] is None and deleted["before_value"]["token"] == token
    assert key not in msgspec.json.encode(rows).decode() and MASTER not in msgspec.json.encode(rows).decode()


async def test_an_entry_says_who_when_from_where_and_by_which_request(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/generate", {}, headers={"litellm-changed-by": "ann@example.com"})
    (row,) = await log(desk)
    assert row["changed_by"] == "ann@example.com"
    assert row["changed_by_api_key"] == "master"
    assert row["route"] == "POST /key/generate"
    assert row["call_id"] == answer.headers["x-litellm-call-id"]
    assert row["status"] == 200
    assert row["updated_at"].endswith("Z")
    one = await desk.ask("GET", f"/audit/{row['id']}")
    assert one.json() == row
    assert (await desk.ask("GET", "/audit/nothing")).status == 404


async def test_several_objects_of_one_request_have_an_entry_each(desk: Desk) -> None:
    keys = [await desk.new_key(), await desk.new_key()]
    await desk.ask("POST", "/key/delete", {"keys": keys})
    rows = await log(desk, action="deleted")
    assert {row["object_id"] for row in rows} == {token_of(key) for key in keys}
    assert len({row["id"] for row in rows}) == 2


async def test_a_refused_change_is_an_attempt(desk: Desk) -> None:
    answer = await desk.ask("POST", "/key/update", {"key": "sk-not-there-0123456789", "max_budget": 1})
    assert answer.status == 404
    (row,) = await log(desk)
    assert (row["outcome"], row["status"], row["message"]) == ("refused", 404, "Key not found.")
    assert row["object_id"] == token_of("sk-not-there-0123456789")
    assert row["updated_values"]["max_budget"] == 1
    assert "sk-not-there-0123456789" not in msgspec.json.encode(row).decode()


async def test_who_is_not_let_in_is_written_down_too(desk: Desk) -> None:
    key = await desk.new_key()
    assert (await desk.ask("POST", "/key/generate", {"max_budget": 5}, key=key)).status == 403
    assert (await desk.ask("POST", "/key/generate", {}, key="sk-stranger-0123456789")).status == 401
    assert (await desk.ask("POST", "/key/generate", {}, key=None)).status == 401
    assert (await desk.ask("POST", "/key/generate", b"{")).status == 400
    _, forbidden, stranger, nobody, unreadable = await log(desk)
    assert (forbidden["status"], forbidden["changed_by_api_key"]) == (403, token_of(key))
    assert (stranger["status"], stranger["changed_by"]) == (401, "nobody")
    assert (nobody["status"], nobody["changed_by_api_key"]) == (401, "")
    assert unreadable["status"] == 400
    assert {row["outcome"] for row in (forbidden, stranger, nobody, unreadable)} == {"refused"}


async def test_nobody_can_fill_the_log_by_trying(desk: Desk) -> None:
    for _ in range(200):
        await desk.ask("POST", "/key/generate", {}, key="sk-stranger-0123456789")
    assert (await desk.audit.find(AuditQuery())).total == 60
    desk.clock.now += 61
    await desk.ask("POST", "/key/generate", {}, key="sk-stranger-0123456789")
    assert (await desk.audit.find(AuditQuery())).total == 61


async def test_no_change_is_made_that_cannot_be_written_down() -> None:
    desk = Desk()

    async def broken(entries: object) -> None:
        raise StorageUnavailable("The disk is full.")

    desk.audit.append = broken  # type: ignore[method-assign]
    assert (await desk.ask("POST", "/key/generate", {})).status == 503
    assert desk.database.keys == {}


async def test_a_change_whose_end_cannot_be_written_down_stays_as_unknown() -> None:
    desk = Desk()

    async def broken(entries: object) -> None:
        raise StorageUnavailable("The disk is full.")

    desk.audit.complete = broken  # type: ignore[method-assign]
    assert (await desk.ask("POST", "/key/generate", {})).status == 200
    (row,) = await log(desk)
    assert row["outcome"] == "unknown"


async def test_reading_is_not_written_down(desk: Desk) -> None:
    for method, path, body in (("GET", "/key/list", None), ("GET", "/audit", None), ("POST", "/v2/key/info", {})):
        await desk.ask(method, path, body)
    assert (await desk.audit.find(AuditQuery())).total == 0


async def test_pages_and_filters_are_litellms(desk: Desk) -> None:
    for number in range(5):
        desk.clock.now += 1
        await desk.new_key(key_alias=f"k{number}")
    page = (await desk.ask("GET", "/audit", page=2, page_size=2)).json()
    assert {name: page[name] for name in ("total", "page", "page_size", "total_pages")} == {
        "total": 5, "page": 2, "page_size": 2, "total_pages": 3,
    }  # fmt: skip
    assert [row["updated_values"]["key_alias"] for row in page["audit_logs"]] == ["k2", "k1"]
    assert (await desk.ask("GET", "/audit", page_size=101)).status == 400
    assert (await desk.ask("GET", "/audit", sort_by="no_column")).status == 400
    assert (await desk.ask("GET", "/audit", start_date="yesterday")).status == 400
    assert await log(desk, end_date="2020-01-01") == []


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_the_whole_log_can_be_taken_away(desk: Desk, form: str) -> None:
    for number in range(3):
        await desk.new_key(key_alias=f"=cmd{number}", user_id="u")
    answer = await desk.ask("GET", "/audit/export", format=form)
    text = answer.body.decode()
    if form == "jsonl":
        rows = [msgspec.json.decode(line) for line in text.splitlines()]
        assert [row["updated_values"]["key_alias"] for row in rows] == ["=cmd0", "=cmd1", "=cmd2"]
    else:
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [msgspec.json.decode(row["updated_values"])["key_alias"] for row in rows] == ["=cmd0", "=cmd1", "=cmd2"]
    assert 'filename="audit.' in answer.headers["content-disposition"]


async def test_an_empty_log_is_an_empty_file(desk: Desk) -> None:
    answer = await desk.ask("GET", "/audit/export")
    assert (answer.status, answer.body) == (200, b"")


async def test_only_who_may_see_everything_sees_the_log(desk: Desk) -> None:
    key = await desk.new_key()
    for path in ("/audit", "/audit/export", "/audit/x"):
        assert (await desk.ask("GET", path, key=key)).status == 403
        assert (await desk.ask("GET", path, key=None)).status == 401


async def test_a_door_that_anybody_may_knock_at_is_watched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sign_in(_office: Office, visit: Visit[Nothing, SignIn]) -> Answer:
        """Let in who has the password."""
        if visit.body.password != "right-0123456789":
            raise Unauthenticated("No.")
        return Answer({})

    door = Route(
        "POST", ("/login",), Scope.PUBLIC, sign_in, summary="Sign in", tier="litellm", query=Nothing, body=SignIn
    )
    monkeypatch.setattr(table, "ROUTES", (*table.ROUTES, door))
    desk = Desk()
    for password in (*["wrong-0123456789"] * 100, "right-0123456789"):
        await desk.ask("POST", "/login", {"username": "ann", "password": password}, key=None)
    rows = await log(desk)
    assert len(rows) == 61
    assert (rows[-1]["outcome"], rows[-1]["object_id"]) == ("done", "ann")
    assert {row["status"] for row in rows[:-1]} == {401}
    assert "0123456789" not in msgspec.json.encode(rows).decode()
