"""A script in a browser may use the gateway if it has a key, and cannot where nobody needs one."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Gateway
from tests.support.http_client import Answer, request
from tests.upstreams import FakeOpenAI

PAGE: Final = {"origin": "https://chat.example"}
CHAT: Final[dict[str, Any]] = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
PREFLIGHT: Final = {
    **PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}

BEARER: Final = {"authorization": f"Bearer {MASTER_KEY}"}
TURNS: Final[list[tuple[str, dict[str, str]]]] = [
    (path, extra)
    for extra in (PAGE, {}, {}, PAGE, PAGE, {})
    for path in ("chat/completions", "chat/completions", "models", "chat/completions")
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with FakeOpenAI() as upstream, Gateway.start({"model_list": [openai_entry("fast", upstream)]}) as gateway:
        yield gateway


def ask(gateway: Gateway, method: str, path: str, body: Any = None, key: str = MASTER_KEY, **headers: str) -> Answer:
    given = {"authorization": f"Bearer {key}"} if key else {}
    return request(gateway.port, method, path, body, headers={**given, **headers})


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/openai/deployments/fast/embeddings", "/v1/models", "/key/info"]
)
def test_a_browser_that_asks_beforehand_is_told_that_all_is_allowed(gateway: Gateway, path: str) -> None:
    answer = ask(gateway, "OPTIONS", path, key="", **PREFLIGHT)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]


@pytest.mark.parametrize(
    ("method", "path", "body", "key", "status"),
    [
        ("POST", "/v1/chat/completions", CHAT, MASTER_KEY, 200),
        ("POST", "/v1/chat/completions", {**CHAT, "stream": True}, MASTER_KEY, 200),
        ("POST", "/v1/chat/completions", {**CHAT, "model": "no"}, MASTER_KEY, 400),
        ("POST", "/v1/chat/completions", CHAT, "sk-wrong", 401),
        ("GET", "/v1/chat/completions", None, MASTER_KEY, 405),
        ("GET", "/v1/models", None, MASTER_KEY, 200),
        ("GET", "/v1/models", None, "", 401),
    ],
)
def test_a_script_may_read_every_answer_and_only_a_script_is_told_so(
    gateway: Gateway, method: str, path: str, body: Any, key: str, status: int
) -> None:
    answer = ask(gateway, method, path, body, key, **PAGE)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")
    assert answer.headers["access-control-expose-headers"] == "*"
    plain = ask(gateway, method, path, body, key)
    assert plain.status == status
    assert not [name for name in plain.headers if name.startswith("access-control-")]


def test_what_one_request_of_a_connection_said_does_not_stay(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=15)
    told = []
    for path, extra in (("chat/completions", PAGE), *TURNS):
        body = None if path == "models" else msgspec.json.encode(CHAT)
        connection.request("GET" if body is None else "POST", f"/v1/{path}", body, {**BEARER, **extra})
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
        told.append("access-control-allow-origin" in answer.headers)
    connection.close()
    assert told == [True, *(bool(extra) for _, extra in TURNS)]


def test_what_is_refused_before_it_is_read_says_so_too(gateway: Gateway) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nOrigin: null\r\nContent-Length: 999999999999\r\n\r\n"
    answer = gateway.raw(head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\naccess-control-allow-origin: *\r\n" in answer


def test_options_that_no_browser_asks_are_refused_as_before(gateway: Gateway) -> None:
    assert ask(gateway, "OPTIONS", "/v1/chat/completions").status == 405
    assert ask(gateway, "OPTIONS", "/v1/models").status == 405


def test_without_keys_pages_are_told_nothing() -> None:
    with FakeOpenAI() as upstream:
        config = {"model_list": [openai_entry("fast", upstream)]}
        with Gateway.start(config, args=["--no-auth"], master_key=None) as gateway:
            for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
                answer = ask(gateway, method, path, CHAT if method == "POST" else None, "", **PAGE)
                assert answer.status == 403
                assert "access-control-allow-origin" not in answer.headers
                refused = ask(gateway, "OPTIONS", path, key="", **PREFLIGHT)
                assert refused.status == 405
                assert "access-control-allow-origin" not in refused.headers
            assert ask(gateway, "POST", "/v1/chat/completions", CHAT, "").status == 200
