"""Stored responses and conversations over HTTP: bounds, refusals, and what nobody may see."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.stores.response_ports import STREAM_SECONDS, ResponseRecord
from tests.unit.admin.office_desk import NOW, Desk

MESSAGE = {"role": "user", "content": "Hi"}


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def put(desk: Desk, name: str = "resp_1", **changes: Any) -> None:
    given: dict[str, Any] = {
        "id": name,
        "owner": "somebody",
        "model": "m",
        "status": "completed",
        "created_at": NOW,
        "expires_at": NOW + 10 * STREAM_SECONDS,
        "body": msgspec.Raw(b'{"id":"resp_1","status":"in_progress","output":[],"error":null}'),
        "input_items": msgspec.Raw(b'[{"id":"msg_1"},{"id":"msg_2"}]'),
        **changes,
    }
    await desk.book.responses.put(ResponseRecord(**given))


@pytest.mark.parametrize("prefix", ["", "/v1", "/openai", "/openai/v1"])
async def test_a_response_is_told_with_the_status_that_it_has_now(desk: Desk, prefix: str) -> None:
    await put(desk, status="failed", worker=0)
    answer = await desk.ask("GET", f"{prefix}/responses/resp_1", include="x")
    assert answer.json()["status"] == "failed" and answer.json()["error"]["code"] == "server_error"


async def test_what_is_not_there_is_not_found_whoever_asks(desk: Desk) -> None:
    await put(desk)
    key = await desk.new_key()
    for method, path in [
        ("GET", ""), ("GET", "?stream=true"), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items"),
    ]:  # fmt: skip
        answer = await desk.ask(method, f"/v1/responses/resp_1{path}", key=key)
        assert answer.status == 404 and answer.error.message == "Response with id 'resp_1' not found."
        assert answer.error.type == "invalid_request_error"
    assert (await desk.ask("GET", "/v1/responses/resp_1", key=None)).status == 401
    assert desk.stopped == []


async def test_work_that_is_cancelled_or_deleted_is_stopped_here(desk: Desk) -> None:
    for name in ("resp_1", "resp_2"):
        await put(desk, name, status="in_progress", worker=0)
    assert (await desk.ask("POST", "/v1/responses/resp_1/cancel")).json()["status"] == "cancelled"
    deleted = await desk.ask("DELETE", "/v1/responses/resp_2")
    assert deleted.json() == {"id": "resp_2", "object": "response", "deleted": True}
    assert desk.stopped == ["resp_1", "resp_2"]


async def test_a_stream_is_told_from_where_it_was_left(desk: Desk) -> None:
    await put(desk, status="in_progress", worker=0)
    await desk.book.responses.add_events("resp_1", 0, [b"event: a\ndata: %d\n\n" % n for n in range(3)])
    await desk.book.responses.cancel("resp_1", desk.keyring.master.owner, NOW)
    answer = await desk.ask("GET", "/v1/responses/resp_1?stream=true&starting_after=1")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body == b"event: a\ndata: 2\n\n"
    desk.clock.now += STREAM_SECONDS
    gone = await desk.ask("GET", "/v1/responses/resp_1?stream=true")
    assert gone.status == 400 and gone.error.param == "stream" and "no longer kept" in gone.error.message


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("order=up", "order"), ("after=x", "after")],
)
async def test_bounds_of_a_page_are_named(desk: Desk, query: str, param: str) -> None:
    await put(desk)
    talk = (await desk.ask("POST", "/v1/conversations", {"items": [MESSAGE]})).json()["id"]
    for path in ("/v1/responses/resp_1/input_items", f"/v1/conversations/{talk}/items"):
        answer = await desk.ask("GET", f"{path}?{query}")
        assert (answer.status, answer.error.param) == (400, param)


async def test_items_are_listed_in_pages(desk: Desk) -> None:
    await put(desk)
    page = (await desk.ask("GET", "/v1/responses/resp_1/input_items?limit=1")).json()
    assert page == {
        "object": "list", "data": [{"id": "msg_2"}], "first_id": "msg_2", "last_id": "msg_2", "has_more": True,
    }  # fmt: skip
    talk = (await desk.ask("POST", "/conversations")).json()["id"]
    empty = (await desk.ask("GET", f"/conversations/{talk}/items")).json()
    assert empty == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": [MESSAGE] * 21}, "items"),
        ({"items": [{"role": "nobody", "content": ""}]}, "items[0].role"),
        ({"items": ["x"]}, "items[0]"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"metadata": {"a": "x" * 513}}, "metadata[...]"),
    ],
)
async def test_what_a_conversation_cannot_have_is_named(desk: Desk, body: dict[str, Any], param: str) -> None:
    answer = await desk.ask("POST", "/v1/conversations", body)
    assert (answer.status, answer.error.param) == (400, param)


async def test_items_longer_than_a_management_request_have_room(desk: Desk) -> None:
    long = {"role": "user", "content": "x" * 2_000_000}
    made = await desk.ask("POST", "/v1/conversations", {"items": [long]})
    assert made.status == 200
    assert (await desk.ask("POST", f"/v1/conversations/{made.json()['id']}", {"metadata": {}})).status == 200
    for _ in range(7):
        added = await desk.ask("POST", f"/v1/conversations/{made.json()['id']}/items", {"items": [long]})
        assert added.status == 200
    full = await desk.ask("POST", f"/v1/conversations/{made.json()['id']}/items", {"items": [long]})
    assert (full.status, full.error.param) == (400, "items") and "no room" in full.error.message


async def test_input_tokens_need_no_model_and_count_everything(desk: Desk) -> None:
    counts = [
        (await desk.ask("POST", "/v1/responses/input_tokens", body)).json()["input_tokens"]
        for body in (
            {"input": "word " * 100},
            {"input": [{"role": "user", "content": "word " * 100}]},
            {"input": "word " * 100, "instructions": "word " * 100},
            {"input": "word " * 100, "tools": [{"type": "function", "name": "f", "description": "word " * 100}]},
        )
    ]
    assert 100 <= counts[0] < counts[1] < 200 <= counts[2] < 300 and counts[3] > 200
    bad = await desk.ask("POST", "/v1/responses/input_tokens", {"input": [{"role": "user"}]})
    assert bad.status == 400 and bad.error.param.startswith("input[0]")
    both = {"previous_response_id": "a", "conversation": {"id": "b"}}
    assert (await desk.ask("POST", "/v1/responses/input_tokens", both)).error.param == "conversation"


async def test_where_nothing_is_stored_everything_says_so() -> None:
    desk = Desk(book=None)
    for method, path in [("GET", "/v1/responses/resp_1"), ("POST", "/v1/conversations")]:
        answer = await desk.ask(method, path)
        assert (answer.status, answer.error.code) == (400, "responses_not_stored")
    assert (await desk.ask("POST", "/v1/responses/input_tokens", {"input": "x"})).status == 200
