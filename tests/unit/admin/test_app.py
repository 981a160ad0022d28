from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.admin import make_app
from pointsman.admin.bodies import BODY_BYTES_MAX, FIELDS_MAX
from pointsman.admin.route import Route
from pointsman.admin.table import ROUTES
from tests.unit.admin.office_desk import Desk, Reply, exchange

POSTS = tuple(route for route in ROUTES if route.method == "POST" and not route.form)
GETS = tuple(route for route in ROUTES if route.method == "GET")


# -- what every answer has ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("GET", "/v1/models", "m"), ("GET", "/nowhere", "m"), ("POST", "/v1/models", "m"), ("GET", "/v1/models", ""), ("GET", "/", "")],  # noqa: E501
)  # fmt: skip
async def test_every_answer_has_an_id_and_a_version(desk: Desk, method: str, path: str, key: str) -> None:
    first = await desk.ask(method, path, key=key and None)
    second = await desk.ask(method, path, key=None)
    for answer in (first, second):
        assert answer.headers["x-litellm-version"] == answer.headers["x-pointsman-version"] == "9.8.7"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
    assert first.headers["x-litellm-call-id"] != second.headers["x-litellm-call-id"]


async def test_an_error_is_openais_and_names_its_call(desk: Desk) -> None:
    answer = await desk.ask("GET", "/v1/models", key=None)
    assert set(answer.json()["error"]) == {"message", "type", "param", "code", "litellm_call_id"}
    assert answer.error.litellm_call_id == answer.headers["x-litellm-call-id"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_our_own_mistake_is_a_500_that_tells_nothing_of_the_inside() -> None:
    def broken() -> Any:
        message = "a secret of the inside"
        raise ZeroDivisionError(message)

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    app = make_app(Desk(table=broken).office)
    scope = {
        "type": "http", "method": "GET", "path": "/v1/models", "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(b"authorization", b"Bearer sk-master-0123456789abcdef")],
    }  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        await app(scope, receive, send)
    assert sent[0]["status"] == 500
    body = msgspec.json.decode(sent[1]["body"])
    assert body["error"]["code"] == "internal_error"
    assert "inside" not in repr(sent)


# -- finding the route --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "near"), [("/key/generat", "/key/generate"), ("/v1/model", "/v1/models"), ("/spend/log", "/spend/logs")]
)
async def test_an_unknown_path_is_404_with_the_nearest_one(desk: Desk, path: str, near: str) -> None:
    answer = await desk.ask("GET", path, key=None)
    assert (answer.status, answer.error.code) == (404, "route_not_found")
    assert f"Did you mean {near}?" in answer.error.message


@pytest.mark.parametrize("path", ["/" + "x" * 100_000, "/a\nb", "/\u2028", "/%00", "/key/a/b/c"])
async def test_a_strange_path_is_404(desk: Desk, path: str) -> None:
    answer = await desk.ask("GET", path)
    assert answer.status == 404
    assert len(answer.body) < 1000


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/key/delete", "POST"), ("POST", "/v1/models", "GET, HEAD"), ("BREW", "/health", "GET, HEAD")],
)
async def test_a_wrong_method_is_405_and_told_the_right_one(desk: Desk, method: str, path: str, allowed: str) -> None:
    answer = await desk.ask(method, path)
    assert (answer.status, answer.headers["allow"], answer.error.code) == (405, allowed, "method_not_allowed")


async def test_head_is_answered_as_get(desk: Desk) -> None:
    assert (await desk.ask("HEAD", "/health/liveliness", key=None)).status == 200
    assert (await desk.ask("HEAD", "/v1/models", key=None)).status == 401


# -- reading the body ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"max_budget": "much"}', "max_budget"),
        (b'{"models": ["a", 5]}', "models[1]"),
        (b'{"models": [""]}', "models[0]"),
        (b'{"metadata": []}', "metadata"),
        (b'{"aliases": {"a": 1}}', "aliases[...]"),
        (b'{"max_parallel_requests": 1.5}', "max_parallel_requests"),
        (b"[]", None),
        (b"null", None),
        (b"{", None),
        (b'{"a": "\xff"}', None),
        (b'{"metadata": {"a": 1e999}}', "metadata.a"),
        (b'{"key_alias": "\\ud800"}', None),
        (b"[" * 100_000, None),
        (b'{"metadata": ' + b'{"a":' * 100_000, None),
    ],
)
async def test_a_body_that_cannot_be_read_is_400_and_says_where(desk: Desk, body: bytes, param: str | None) -> None:
    answer = await desk.ask("POST", "/key/generate", body)
    assert (answer.status, answer.error.param) == (400, param), answer.body
    assert not desk.database.keys


async def test_of_a_field_that_comes_twice_the_last_counts_everywhere(desk: Desk) -> None:
    body = b'{"rpm_limit": 5, "rpm_limit": 7, "guardrails": ["x"], "guardrails": null}'
    answer = await desk.ask("POST", "/key/generate", body)
    assert answer.json()["rpm_limit"] == 7
    body = b'{"guardrails": null, "guardrails": ["x"]}'
    assert (await desk.ask("POST", "/key/generate", body)).error.param == "guardrails"


async def test_a_body_may_be_so_long_and_no_longer(desk: Desk) -> None:
    head, tail = b'{"metadata": {"a": "', b'"}}'
    fits = head + b"x" * (BODY_BYTES_MAX - len(head) - len(tail)) + tail
    assert (await desk.ask("POST", "/key/generate", fits)).status == 200
    answer = await desk.ask("POST", "/key/generate", fits + b" ")
    assert (answer.status, answer.error.code) == (413, "request_too_large")
    told = await desk.ask("POST", "/key/generate", b"{}", headers={"content-length": str(BODY_BYTES_MAX + 1)})
    assert told.status == 413


async def test_a_body_without_end_is_not_read_to_its_end(desk: Desk) -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/key/generate", "query_string": b"", "root_path": "",
        "headers": [(b"authorization", b"Bearer sk-master-0123456789abcdef")],
    }  # fmt: skip
    await asyncio.wait_for(desk.app(scope, receive, send), 5)
    assert sent[0]["status"] == 413
    assert read < 20


async def test_a_body_has_so_many_fields_and_no_more(desk: Desk) -> None:
    for count, status in ((FIELDS_MAX, 200), (FIELDS_MAX + 1, 400)):
        body = {f"{number:04d}-{number * 7919:09d}": 1 for number in range(count)}
        assert (await desk.ask("POST", "/key/generate", body)).status == status


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_only_json_is_taken_for_json(desk: Desk, kind: str) -> None:
    answer = await desk.ask("POST", "/key/generate", {}, headers={"content-type": kind})
    assert (answer.status, answer.error.code) == (415, "unsupported_media_type")
    for fine in ("application/json; charset=utf-8", "application/merge-patch+json"):
        assert (await desk.ask("POST", "/key/generate", {}, headers={"content-type": fine})).status == 200


# -- whatever is sent, it is never our mistake --------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def bodies(route: Route[Any, Any]) -> st.SearchStrategy[bytes]:
    names = st.sampled_from(sorted({*route.body.__struct_fields__, "guardrails", "key_type", "x"}))
    objects = st.dictionaries(names, JSON, max_size=6)
    hostile = st.text(st.characters(blacklist_categories=()), max_size=20)
    return st.one_of(
        objects.map(msgspec.json.encode),
        JSON.map(msgspec.json.encode),
        st.binary(max_size=80),
        hostile.map(lambda text: text.encode("utf-8", "surrogatepass")),
    )


def asked(route: Route[Any, Any], path: str, body: bytes, query: str) -> Reply:
    desk = Desk()
    headers = {"authorization": "Bearer sk-master-0123456789abcdef", "host": "127.0.0.1"}

    async def ask() -> Reply:
        await desk.ask("POST", "/key/generate", {"key": "sk-0123456789abcdef"})
        target = path.replace("{key:path}", "sk-0123456789abcdef").replace("{model_id:path}", query or "x")
        return await exchange(desk.app, route.method, target, query, headers, body)

    return asyncio.run(ask())


@given(data=st.data())
@settings(max_examples=250, deadline=None)
def test_no_body_is_our_mistake(data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(POSTS))
    answer = asked(route, route.paths[-1], data.draw(bodies(route)), "")
    assert answer.status in {200, 400, 403, 404, 501}, answer.body
    answer.json()


@given(data=st.data())
@settings(max_examples=250, deadline=None)
def test_no_query_is_our_mistake(data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(GETS))
    names = [*route.query.__struct_fields__, "x"]
    text = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20) | st.integers().map(str)  # type: ignore[arg-type]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), text), max_size=4))
    answer = asked(route, route.paths[0], b"", "&".join(f"{name}={value}" for name, value in pairs))
    assert answer.status in {200, 400, 404, 503}, answer.body
