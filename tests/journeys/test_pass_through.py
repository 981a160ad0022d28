"""A provider's own API through the gateway: its SDK cannot tell, its key is not seen, and nobody gets further."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.support.gateway import MASTER_KEY, Gateway
from tests.upstreams.gate import Gate
from tests.upstreams.recorded import RecordedRequest
from tests.upstreams.reply import Hold, Pause, Reply, Reset, Send, Stall, chunk, head
from tests.upstreams.server import FakeServer

SECRET = "sk-ant-operator-0123456789"
USAGE = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Hello"}], "usage": USAGE,
}  # fmt: skip


class FakeProvider(FakeServer):
    """Answers any method under any path; tells what it was asked in the answer."""

    def is_scripted(self, request: RecordedRequest) -> bool:
        return True

    async def answer(self, request: RecordedRequest) -> Reply:
        told = {"method": request.method, "target": request.target, "usage": USAGE}
        headers = {"Set-Cookie": "a=b", "request-id": "req_1", "openai-organization": "org", "X-Other": "kept"}
        return Reply.json(told, headers=headers)


class House:
    def __init__(self, gateway: Gateway, provider: FakeProvider) -> None:
        self.gateway = gateway
        self.provider = provider

    def sent(self) -> RecordedRequest:
        return self.provider.requests[-1]

    def http(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.gateway.http(method, path, body, **options)


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeProvider() as provider:
        priced = {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}
        model = {"model": "anthropic/claude-x", "api_base": provider.url, "api_key": SECRET, **priced}
        wildcard = {"model": "mistral/*", "api_base": f"{provider.url}/v1", "api_key": "sk-mistral-operator"}
        entries = [
            {"model_name": "claude", "litellm_params": model},
            {"model_name": "mistral/*", "litellm_params": wildcard},
        ]
        config = {"model_list": entries}
        env = {"OPENAI_API_KEY": "sk-openai-operator", "OPENAI_BASE_URL": f"{provider.url}/v1"}
        with Gateway.start(config, env=env) as gateway:
            yield House(gateway, provider)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    running.provider.forget()
    yield running
    running.provider.clear()


def granted(house: House, *routes: str, **fields: Any) -> str:
    return house.gateway.new_key(allowed_passthrough_routes=list(routes), **fields)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_any_method_goes_to_the_provider_with_the_operators_key(house: House, method: str) -> None:
    answer = house.http(method, "/anthropic/v1/files/f_1?limit=3&after=%2Fx", headers={"anthropic-beta": "files"})
    assert answer.status == 200
    assert (answer.json()["method"], answer.json()["target"]) == (method, "/v1/files/f_1?limit=3&after=%2Fx")
    sent = house.sent()
    assert sent.header("x-api-key") == SECRET and sent.header("anthropic-beta") == "files"
    assert sent.header("anthropic-version") == "2023-06-01"


def test_the_callers_key_and_address_stay_here(house: House) -> None:
    hostile = {
        "x-api-key": MASTER_KEY, "api-key": MASTER_KEY, "Cookie": "a=b", "X-Forwarded-For": "1.2.3.4",
        "Connection": "keep-alive, x-hop", "x-hop": "1", "Odd": f"x {MASTER_KEY} y", "OpenAI-Organization": "other",
        "Proxy-Authorization": "Basic x", "x-litellm-tags": "t", "X-Kept": "1",
    }  # fmt: skip
    house.http("POST", "/anthropic/v1/other?key=" + MASTER_KEY, {"a": 1}, headers=hostile)
    sent = house.sent()
    names = {name.lower() for name, _ in sent.headers}
    assert MASTER_KEY not in str(sent.headers) + sent.target
    assert "x-kept" in names and sent.header("host") == f"127.0.0.1:{house.provider.port}"
    assert not names & {"cookie", "x-forwarded-for", "x-hop", "odd", "openai-organization", "x-litellm-tags", "api-key"}


def test_the_operators_account_stays_there(house: House) -> None:
    answer = house.http("GET", "/anthropic/v1/files")
    assert (answer.headers["request-id"], answer.headers["x-other"]) == ("req_1", "kept")
    assert not {"set-cookie", "openai-organization"} & set(answer.headers)
    assert SECRET not in str(answer.headers)
    house.provider.script(Reply.error(401, f"the key {SECRET} is bad"))
    refused = house.http("GET", "/anthropic/v1/files")
    assert refused.status == 401 and SECRET.encode() not in refused.body
    assert SECRET not in json.dumps(house.gateway.ledger())


def test_a_status_that_http_does_not_know_is_the_providers_failure(house: House) -> None:
    house.provider.script(Reply.json({"error": {"message": "odd"}}, 999))
    answer = house.http("GET", "/anthropic/v1/files/x")
    assert (answer.status, answer.json()) == (502, {"error": {"message": "odd"}})


def test_the_providers_errors_come_as_they_are(house: House) -> None:
    key = granted(house, "/anthropic")
    body = {"type": "error", "error": {"type": "not_found_error", "message": "no such file"}}
    house.provider.script(Reply.json(body, 404, {"request-id": "req_2"}))
    answer = house.http("GET", "/anthropic/v1/files/x", key=key)
    assert (answer.status, answer.json(), answer.headers["request-id"]) == (404, body, "req_2")
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["status"], row["call_type"]) == ("failure", "pass_through_endpoint")


def test_the_official_sdk_uses_what_the_gateway_does_not_know(house: House) -> None:
    sdk = anthropic.Anthropic(
        base_url=f"{house.gateway.url}/anthropic", api_key=granted(house, "/anthropic/*"), max_retries=0
    )
    with sdk:
        house.provider.script(Reply.json({**MESSAGE, "id": "batch_1", "type": "message_batch"}))
        batch = sdk.messages.batches.retrieve("batch_1")
        assert batch.id == "batch_1" and house.sent().target == "/v1/messages/batches/batch_1"
        with pytest.raises(anthropic.PermissionDeniedError):
            sdk.with_options(api_key=house.gateway.new_key()).messages.batches.retrieve("batch_1")


def test_what_the_gateway_serves_itself_stays_its_own(house: House) -> None:
    house.provider.script(Reply.json(MESSAGE))
    body = {"model": "claude", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    assert house.http("POST", "/anthropic/v1/messages", body).json()["model"] == "claude"
    assert house.sent().json()["model"] == "claude-x"
    count = house.http("POST", "/anthropic/v1/messages/count_tokens", body)
    assert count.json()["input_tokens"] > 0 and len(house.provider.requests) == 2  # an estimate, where it says none


def test_usage_is_found_and_charged_by_the_model_that_the_request_names(house: House) -> None:
    key = granted(house, "anthropic", max_budget=1)
    body = {"model": "claude-x", "max_tokens": 8}
    assert house.http("POST", "/anthropic/v1/complete", body, key=key).status == 200
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["model_group"], row["prompt_tokens"], row["completion_tokens"]) == ("claude", 16, 5)
    assert row["spend"] > 0


def test_the_customer_is_named_by_a_header_or_in_the_body(house: House) -> None:
    key = granted(house, "anthropic")
    body = {"model": "claude-x", "max_tokens": 8, "metadata": {"user_id": "in-body"}}
    for headers in ({}, {"x-litellm-end-user-id": "in-header"}):
        assert house.http("POST", "/anthropic/v1/complete", body, key=key, headers=headers).status == 200
    rows = house.gateway.settled_ledger(2, key)
    assert {row["end_user"] for row in rows} == {"in-body", "in-header"}
    assert house.http("POST", "/customer/block", {"user_ids": ["in-body"]}).status == 200
    assert house.http("POST", "/anthropic/v1/complete", body, key=key).status == 403


def test_a_stream_comes_as_it_is_made(house: House) -> None:
    key = granted(house, "/anthropic")
    gate = Gate()
    first = b'{"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}'
    second = b'{"type":"message_delta","usage":{"output_tokens":9}}'
    head_of = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
    start = Send(head_of + chunk(b"data: " + first + b"\n\n"))
    house.provider.script(Reply((start, Hold(gate), Send(chunk(b"data: " + second + b"\n\n") + b"0\r\n\r\n"))))
    with house.gateway.stream("/anthropic/v1/other", {"model": "claude-x", "stream": True}, key=key) as live:
        assert live.headers["content-type"] == "text/event-stream"
        assert live.next_data() == first
        gate.open()
        assert list(live.data()) == [second]
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (7, 9)


@pytest.mark.parametrize(
    "path",
    [
        "/anthropic/../openai/v1/x", "/anthropic/v1/%2e%2e/x", "/anthropic/v1/..%2fx", "/anthropic/v1/%252e%252e/x",
        "/anthropic//evil.example/x", "/anthropic/v1/..%5cx", "/anthropic/v1/./x", "/anthropic/%2f%2fevil.example/x",
    ],
)  # fmt: skip
def test_nobody_steps_out_of_the_providers_api(house: House, path: str) -> None:
    assert house.http("GET", path).status in (400, 404)
    assert not house.provider.requests


def test_a_key_needs_a_grant_and_a_denial_wins(house: House) -> None:
    plain = house.gateway.new_key()
    assert house.http("GET", "/anthropic/v1/files", key=plain).status == 403
    assert house.http("GET", "/anthropic/v1/files", key="").status == 401
    some = granted(house, "/anthropic/v1/files", denied_passthrough_routes=["/anthropic/v1/files/secret"])
    assert house.http("GET", "/anthropic/v1/files", key=some).status == 200
    assert house.http("GET", "/anthropic/v1/files/x", key=some).status == 200
    assert house.http("GET", "/anthropic/v1/filesystem", key=some).status == 403
    assert house.http("GET", "/anthropic/v1/files/secret/x", key=some).status == 403
    assert house.http("GET", "/anthropic/v1/files/%73ecret", key=some).status == 403
    assert house.http("GET", "/openai/v1/files", key=some).status == 403


def test_a_key_stays_with_its_models(house: House) -> None:
    key = granted(house, "/anthropic", models=["other"])
    assert house.http("POST", "/anthropic/v1/complete", {"model": "claude-x"}, key=key).status == 403
    hidden = b'{"model":"claude-x","model":"other"}'
    house.http("POST", "/anthropic/v1/complete", hidden, key=granted(house, "/anthropic", models=["other"]))
    assert house.sent().body == b'{"model":"other"}'


def test_a_poor_key_and_a_hasty_one_are_refused(house: House) -> None:
    poor = granted(house, "/anthropic", max_budget=1e-6)
    body = {"model": "claude-x", "max_tokens": 8}
    assert house.http("POST", "/anthropic/v1/complete", body, key=poor).status == 200
    assert house.http("POST", "/anthropic/v1/complete", body, key=poor).status == 422
    hasty = granted(house, "/anthropic", rpm_limit=1)
    assert house.http("GET", "/anthropic/v1/files", key=hasty).status == 200
    assert house.http("GET", "/anthropic/v1/files", key=hasty).status == 429


def test_a_provider_without_a_model_is_reached_by_its_variables(house: House) -> None:
    assert house.http("GET", "/openai/v1/files").json()["target"] == "/v1/files"
    assert house.sent().header("authorization") == "Bearer sk-openai-operator"
    assert house.http("GET", "/openai/files").json()["target"] == "/v1/files"
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]}
    own = house.http("POST", "/openai_passthrough/v1/chat/completions", body)
    assert own.json()["target"] == "/v1/chat/completions" and house.sent().json() == body
    answer = house.http("GET", "/groq/v1/models")
    assert answer.status == 404 and "GROQ_API_KEY" in answer.json()["error"]["message"]


def test_a_wildcard_lends_its_key_and_opens_its_models(house: House) -> None:
    key = granted(house, "/mistral", models=["mistral/*"])
    answer = house.http("POST", "/mistral/v1/ocr", {"model": "mistral-ocr"}, key=key)
    assert answer.json()["target"] == "/v1/ocr"
    assert house.sent().header("authorization") == "Bearer sk-mistral-operator"
    assert (
        house.http("POST", "/mistral/v1/ocr", {"model": "x"}, key=granted(house, "/mistral", models=["y"])).status
        == 403
    )


def test_a_client_that_leaves_takes_the_provider_with_it(house: House) -> None:
    head_of = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
    house.provider.script(Reply((Send(head_of + chunk(b"data: 1\n\n")), Stall())))
    with house.gateway.stream("/anthropic/v1/other", {"stream": True}) as live:
        assert live.next_data() == b"1"
        left = time.monotonic()
    assert house.sent().wait_closed(2) - left < 0.5


def test_an_answer_that_is_cut_off_is_not_taken_for_whole(house: House) -> None:
    key = granted(house, "/anthropic")
    head_of = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
    house.provider.script(Reply((Send(head_of + chunk(b"data: 1\n\n")), Pause(0.05), Reset())))
    asked = f"GET /anthropic/v1/other HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\r\n"
    got = house.gateway.raw(asked.encode())
    assert b"data: 1" in got and not got.endswith(b"0\r\n\r\n")
    assert house.gateway.settled_ledger(1, key)[0]["status"] == "failure"
    house.provider.script(Reply((Reset(),)))
    answer = house.http("GET", "/anthropic/v1/files")
    assert (answer.status, answer.json()["type"]) == (502, "error")


def test_a_key_in_the_query_as_googles_clients_send_it(house: House) -> None:
    answer = house.http("GET", f"/anthropic/v1/files?key={MASTER_KEY}&limit=1", key="")
    assert answer.json()["target"] == "/v1/files?limit=1"


def test_a_body_that_is_no_json_goes_as_it_is(house: House) -> None:
    body = bytes(range(256)) * 300
    house.http("PUT", "/anthropic/v1/files", body, headers={"Content-Type": "application/octet-stream"})
    assert house.sent().body == body and house.sent().header("content-type") == "application/octet-stream"


def test_head_is_refused(house: House) -> None:
    assert house.http("HEAD", "/anthropic/v1/files").status == 405
