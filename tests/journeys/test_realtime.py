"""Conversations over WebSockets: OpenAI's SDK and a plain client talk through the gateway and pay by the response."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.configs import openai_entry
from tests.support.gateway import Gateway
from tests.support.waiting import eventually
from tests.upstreams import FakeOllama, OllamaModel
from tests.upstreams.realtime_server import FakeRealtime, Talk

PATH = "/v1/realtime?model=voice"
PREVIEW = {"OpenAI-Beta": "realtime=v1"}


def azure_entry(name: str, upstream: FakeRealtime, **params: Any) -> dict[str, Any]:
    base = {
        "model": "azure/voice-1",
        "api_base": f"http://127.0.0.1:{upstream.port}",
        "api_version": "2024-10-01-preview",
    }
    return {"model_name": name, "litellm_params": {**base, **params}}


class House:
    def __init__(self, gateway: Gateway, upstream: FakeRealtime) -> None:
        self.gateway = gateway
        self.upstream = upstream

    def call(
        self, path: str = "/v1/realtime?model=voice", *, key: str | None = None, **options: Any
    ) -> ClientConnection:
        bearer = {"Authorization": f"Bearer {key or self.gateway.master_key}"} if key != "" else {}
        headers = {**bearer, **options.pop("headers", {})}
        url = f"ws://127.0.0.1:{self.gateway.port}{path}"
        line: ClientConnection = connect(url, additional_headers=headers, proxy=None, max_size=None, **options)
        return line

    def talk(self) -> Talk:
        return self.upstream.talks[-1]


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    prices: Any = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    with FakeRealtime() as upstream, FakeOllama([OllamaModel("llama3.1:8b")]) as ollama:
        entries = [
            openai_entry("voice", upstream.base_url, **prices),
            openai_entry("nowhere", "http://127.0.0.1:9/v1"),
            azure_entry("azure", upstream, api_key="sk-azure"),
            azure_entry("entra", upstream, azure_ad_token="entra-token"),
            {"model_name": "local", "litellm_params": {"model": "ollama_chat/llama3.1:8b", "api_base": ollama.url}},
        ]
        with Gateway.start({"model_list": entries}) as gateway:
            yield House(gateway, upstream)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.upstream.refusal = None


def say(line: ClientConnection, **event: Any) -> None:
    line.send(json.dumps(event))


def hear(line: ClientConnection) -> Any:
    return json.loads(line.recv(timeout=5))


def send_and_hear(line: ClientConnection, data: bytes) -> None:
    line.send(data)
    line.recv(timeout=10)


def respond(line: ClientConnection) -> list[str]:
    say(line, type="response.create")
    return [hear(line)["type"], hear(line)["type"]]


def refused(house: House, *arguments: Any, **options: Any) -> tuple[int, Any]:
    with pytest.raises(InvalidStatus) as caught:
        house.call(*arguments, **options)
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"]


@pytest.mark.parametrize(
    ("path", "headers", "asked"),
    [
        ("/v1/realtime?model=azure", {}, "/openai/v1/realtime?model=voice-1"),
        ("/v1/realtime?intent=transcription&model=azure", {}, "/openai/v1/realtime?model=voice-1&intent=transcription"),
        (
            "/openai/realtime?api-version=2025-04-01-preview&deployment=azure",
            PREVIEW,
            "/openai/realtime?api-version=2024-10-01-preview&deployment=voice-1",
        ),
    ],
)
def test_a_resource_of_azure_is_called_in_its_own_way(
    house: House, path: str, headers: dict[str, str], asked: str
) -> None:
    with house.call(path, headers=headers) as line:
        assert hear(line)["type"] == "session.created"
        say(line, type="response.create")
        assert [hear(line)["type"] for _ in range(2)][-1] == "response.done"
        talk = house.talk()
    given = {name.lower(): value for name, value in talk.headers.items()}
    assert (talk.path, given["api-key"], "authorization" in given) == (asked, "sk-azure", False)


def test_a_token_opens_a_resource_of_azure_too(house: House) -> None:
    with house.call("/v1/realtime?model=entra") as line:
        assert hear(line)["type"] == "session.created"
        given = {name.lower(): value for name, value in house.talk().headers.items()}
    assert (given["authorization"], "api-key" in given) == ("Bearer entra-token", False)


def test_the_official_sdk_converses(house: House) -> None:
    key = house.gateway.new_key()
    sdk = house.gateway.openai(key)
    with sdk.realtime.connect(model="voice") as line:
        assert line.recv().type == "session.created"
        line.response.create()
        assert [line.recv().type, line.recv().type] == ["response.output_text.delta", "response.done"]
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["call_type"], row["model_group"], row["status"]) == ("_arealtime", "voice", "success")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (20, 10)
    assert row["spend"] == pytest.approx(40e-6)
    talk = house.talk()
    assert talk.path == "/v1/realtime?model=fake-model" and talk.headers["Authorization"] == "Bearer sk-up"
    assert key not in str(talk.headers)


def test_each_response_is_a_call(house: House) -> None:
    key = house.gateway.new_key()
    with house.call(key=key) as line:
        hear(line)
        for _ in range(3):
            assert respond(line) == ["response.output_text.delta", "response.done"]
        assert len(house.gateway.settled_ledger(3, key)) == 3
    time_of_end = eventually(lambda: house.talk().closed_at, "the upstream is left", 2.0)
    assert time_of_end and len(house.gateway.settled_ledger(3, key)) == 3


@pytest.mark.parametrize("path", ["/realtime", "/openai/v1/realtime", "/openai/realtime"])
def test_every_path(house: House, path: str) -> None:
    with house.call(f"{path}?deployment=voice&api-version=1&intent=x") as line:
        assert hear(line)["type"] == "session.created"
    assert house.talk().path == "/v1/realtime?model=fake-model&intent=x"


def test_a_key_in_each_place(house: House) -> None:
    key = house.gateway.new_key()
    protocols = [
        Subprotocol(name) for name in ("realtime", f"openai-insecure-api-key.{key}", "openai-beta.realtime-v1")
    ]
    with house.call(key="", subprotocols=protocols) as line:
        assert (hear(line)["type"], line.subprotocol) == ("session.created", "realtime")
    assert house.talk().headers["OpenAI-Beta"] == "realtime=v1" and key not in str(house.talk().headers)
    with house.call(key="", headers={"api-key": key, "OpenAI-Beta": "realtime=v1"}) as line:
        assert hear(line)["type"] == "session.created"


def test_who_may_not_is_told_before_the_line_opens(house: House) -> None:
    assert refused(house, key="")[0] == 401
    assert refused(house, key="sk-wrong")[0] == 401
    status, error = refused(house, key=house.gateway.new_key(models=["other"]))
    assert (status, error["code"]) == (403, "model_access_denied")
    assert refused(house, "/v1/realtime")[1]["param"] == "model"
    assert refused(house, "/v1/realtime?model=nobody")[0] == 400
    status, error = refused(house, "/v1/realtime?model=local")
    assert status == 400 and "does not serve /realtime" in error["message"]
    assert refused(house, "/v1/chat/completions/live")[0] == 404


def test_an_upstream_that_does_not_want_to(house: House) -> None:
    key = house.gateway.new_key()
    house.upstream.refusal = (403, b'{"error":{"message":"no voice for sk-up","code":"no_voice"}}')
    status, error = refused(house, key=key)
    assert (status, error["code"]) == (403, "no_voice") and "sk-up" not in error["message"]
    (row,) = house.gateway.settled_ledger(1, key)
    assert row["status"] == "failure"
    assert refused(house, "/v1/realtime?model=nowhere")[0] == 503


def test_binary_and_large_messages_and_many(house: House) -> None:
    with house.call() as line:
        hear(line)
        for data in (b"\x00\xff", b"x" * (4 * 1024 * 1024)):
            line.send(data)
            assert line.recv(timeout=10) == data
        for number in range(200):
            line.send(b"%d" % number)
        assert [line.recv(timeout=5) for _ in range(200)] == [b"%d" % number for number in range(200)]


def test_a_message_over_its_bound_ends_the_line(house: House) -> None:
    with house.call() as line:
        hear(line)
        with pytest.raises(ConnectionClosed):
            send_and_hear(line, b"x" * (16 * 1024 * 1024 + 1))
    assert house.talk().over.wait(5)


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (1001, ""), (4001, "session_expired"), (1011, "trouble")])
def test_the_upstreams_goodbye_is_passed_on(house: House, code: int, reason: str) -> None:
    with house.call() as line:
        hear(line)
        say(line, type="leave", code=code, reason=reason)
        with pytest.raises(ConnectionClosed) as closed:
            line.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)


@pytest.mark.parametrize("politely", [True, False])
def test_a_client_that_leaves_takes_the_upstream_with_it(house: House, politely: bool) -> None:
    key = house.gateway.new_key()
    with house.call(key=key) as line:
        hear(line)
        left = time.monotonic()
        if politely:
            line.close(4000, "enough")
        else:
            line.socket.shutdown(socket.SHUT_RDWR)
    talk = house.talk()
    assert talk.over.wait(2) and talk.closed_at - left < 0.5
    if politely:
        assert talk.closed == (4000, "enough")
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["status"], row["total_tokens"]) == ("failure", 0)


def test_a_budget_ends_a_conversation_between_two_responses(house: House) -> None:
    key = house.gateway.new_key(max_budget=30e-6)
    with house.call(key=key) as line:
        hear(line)
        assert respond(line) == ["response.output_text.delta", "response.done"]
        told = hear(line)
        assert (told["type"], told["error"]["code"]) == ("error", "budget_exceeded")
        with pytest.raises(ConnectionClosed) as closed:
            line.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
    assert house.talk().over.wait(2)
    assert refused(house, key=key)[0] == 422


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [("/key/block", "key", "key_blocked"), ("/key/delete", "keys", "invalid_api_key")],
)
def test_a_key_that_is_taken_back_ends_a_conversation(house: House, path: str, body: str, code: str) -> None:
    key = house.gateway.new_key()
    with house.call(key=key) as line:
        hear(line)
        assert respond(line) == ["response.output_text.delta", "response.done"]
        assert house.gateway.http("POST", path, {body: [key] if body == "keys" else key}).status == 200
        assert respond(line) == ["response.output_text.delta", "response.done"], "what has begun ends"
        told = hear(line)
        assert (told["type"], told["error"]["code"]) == ("error", code)
        with pytest.raises(ConnectionClosed) as closed:
            line.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
    assert refused(house, key=key)[0] in {401, 403}


def test_concurrent_lines_of_a_key_are_limited(house: House) -> None:
    key = house.gateway.new_key(max_parallel_requests=1)
    with house.call(key=key) as line:
        hear(line)
        assert refused(house, key=key)[0] == 429
    eventually(house.talk().over.is_set, "the line is closed", 2.0)
    with house.call(key=key) as line:
        hear(line)


def test_a_conversation_with_a_local_server_has_one_of_its_slots() -> None:
    with FakeRealtime() as upstream:
        config = {
            "model_list": [openai_entry("voice", upstream.base_url)],
            "pointsman": {"local_hosts": [{"api_base": upstream.base_url, "slots": 1}]},
        }
        with Gateway.start(config) as gateway, ThreadPoolExecutor(1) as pool:
            house = House(gateway, upstream)
            with house.call() as first:
                assert respond(first)
                second = pool.submit(house.call)
                eventually(lambda: gateway.http("GET", "/queue").json()["waiting"] == 1, "the second one waits")
                assert len(upstream.talks) == 1
            with second.result(10) as line:
                assert respond(line)
            eventually(lambda: gateway.http("GET", "/queue").json()["running"] == 0, "its slot is free again")
