"""Provider keys, virtual keys, the master key and prompts never leave the places where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import pytest

from tests.support.configs import ONE_ATTEMPT, anthropic_entry, bedrock_entry, ollama_entry, openai_entry
from tests.support.gateway import MASTER_KEY, Gateway, Launch
from tests.upstreams import (
    FakeAnthropic,
    FakeBedrock,
    FakeOllama,
    FakeOpenAI,
    OllamaModel,
    RecordedRequest,
    Reply,
    faults,
)
from tests.upstreams.azure_server import FakeAzure
from tests.upstreams.google_server import FakeGoogle
from tests.upstreams.openai_shapes import chat_chunks

PROVIDER_KEY: Final = "sk-CANARY-provider-7f3a9c"
HEADER_SECRET: Final = "CANARY-header-51d2e8"
PROMPT: Final = "CANARY-prompt-94bb01"
REPLIES: Final = (
    Reply.error(400, "bad request"),
    Reply.error(401, "no"),
    Reply.error(403, "no"),
    Reply.error(404, "no such model"),
    Reply.error(429, "slow down", retry_after="1"),
    Reply.error(500, "broken"),
    Reply.error(503, "busy"),
    faults.reset_before_head(),
    faults.garbage(),
    faults.half_event(chat_chunks(["a"], None)[:2]),
    faults.stall_before_head(),
    Reply.raw(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 21\r\n\r\n<html>Bad Gateway</h>"),
)


class Seen:
    """Everything the gateway said to anybody."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes]] = []

    def add(self, where: str, *data: bytes) -> None:
        self.parts.extend((where, each) for each in data)

    def places_of(self, secret: str) -> list[str]:
        return [where for where, data in self.parts if secret.encode() in data]


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Gateway, str, Seen, FakeOpenAI]]:
    with FakeOpenAI() as upstream, FakeOllama([OllamaModel("llama3.1:8b")]) as ollama:
        entry = openai_entry(
            "secretive", upstream, timeout=1, stream_timeout=1, extra_headers={"x-tenant-secret": HEADER_SECRET}
        )
        entry["litellm_params"]["api_key"] = "os.environ/CANARY_KEY"
        config = {
            "model_list": [entry, ollama_entry("local", ollama, "llama3.1:8b", api_key=PROVIDER_KEY)],
            "litellm_settings": {"request_timeout": 1},
            "pointsman": {"upstream_idle_timeout_seconds": 1, "upstream_load_timeout_seconds": 1},
        }
        with Gateway.start(config, env={"CANARY_KEY": PROVIDER_KEY, "LOG_LEVEL": "DEBUG"}) as gateway:
            key = gateway.new_key(key_alias="canary")
            yield gateway, key, provoke(gateway, key, upstream), upstream


def provoke(gateway: Gateway, key: str, upstream: FakeOpenAI) -> Seen:
    """Every kind of failure and every page there is, then everything that was written."""
    seen = Seen()
    for reply in REPLIES:
        for stream in (False, True):
            upstream.always(reply)
            answer = gateway.chat("secretive", PROMPT, key=key, stream=stream)
            seen.add(f"{reply.label} stream={stream}", answer.body, repr(answer.headers).encode())
    upstream.always(None)
    for model in ("secretive", "local", "unknown"):
        answer = gateway.chat(model, PROMPT, key=key)
        seen.add(f"chat {model}", answer.body, repr(answer.headers).encode())
    pages = "/health /health/readiness /health/liveliness /metrics /openapi.json /docs /v1/models /spend/logs"
    pages += " /model/info /v1/model/info /key/list?return_full_object=true /nowhere /audit /audit/export?format=csv"
    pages += " /credentials /config/diff /health/readiness/details"
    for path in [*pages.split(), f"/key/info?key={sha256(key.encode()).hexdigest()}"]:
        for presented in (MASTER_KEY, key, "", "sk-wrong-key-CANARY-guess"):
            answer = gateway.http("GET", path, key=presented)
            seen.add(f"GET {path}", answer.body, repr(answer.headers).encode())
    assert gateway.stop() == 0
    seen.add("its output", gateway.output().encode())
    for file in gateway.data_dir.rglob("*"):
        if file.is_file():
            seen.add(f"file {file.name}", file.read_bytes())
    return seen


def test_the_provider_does_get_its_key(house: tuple[Gateway, str, Seen, FakeOpenAI]) -> None:
    _, _, _, upstream = house
    requests: list[RecordedRequest] = upstream.inference
    assert {request.header("authorization") for request in requests} == {f"Bearer {PROVIDER_KEY}"}
    assert {request.header("x-tenant-secret") for request in requests} == {HEADER_SECRET}


@pytest.mark.parametrize(
    "secret", [PROVIDER_KEY, HEADER_SECRET, PROMPT, MASTER_KEY, "CANARY-guess"], ids=lambda value: value[:18]
)
def test_no_secret_is_said_or_written(house: tuple[Gateway, str, Seen, FakeOpenAI], secret: str) -> None:
    _, _, seen, _ = house
    assert len(seen.parts) > 80
    assert any(b" DEBUG " in data for where, data in seen.parts if where == "its output")
    assert seen.places_of(secret) == []


def test_a_virtual_key_is_kept_as_its_digest_only(house: tuple[Gateway, str, Seen, FakeOpenAI]) -> None:
    _, key, seen, _ = house
    assert seen.places_of(key) == []
    assert seen.places_of(sha256(key.encode()).hexdigest())


def test_no_key_of_a_client_reaches_the_upstream(house: tuple[Gateway, str, Seen, FakeOpenAI]) -> None:
    _, key, _, upstream = house
    everything = b"".join(repr(request.headers).encode() + request.body for request in upstream.requests)
    assert key.encode() not in everything
    assert MASTER_KEY.encode() not in everything


def test_an_upstream_that_repeats_our_key_is_not_believed_aloud(shared: tuple[Gateway, FakeOpenAI]) -> None:
    gateway, upstream = shared
    sent: list[str] = []
    for stream in (False, True):
        upstream.script(Reply.error(401, "Incorrect API key provided: sk-up. Find yours at example.com."))
        answer = gateway.chat("fast", stream=stream)
        assert answer.status == 401
        sent.append(answer.error["message"])
    assert not any("sk-up" in message for message in sent)


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"])
def test_keys_in_any_header_stop_at_the_gateway(shared: tuple[Gateway, FakeOpenAI], header: str) -> None:
    gateway, upstream = shared
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
    answer = gateway.http(
        "POST", "/v1/chat/completions", body, key="", headers={header: MASTER_KEY, "Cookie": "session=CANARY"}
    )
    assert answer.status == 200
    assert MASTER_KEY not in repr(upstream.requests[-1].headers)
    assert "CANARY" not in repr(upstream.requests[-1].headers)


OF_PROVIDERS: Final = {
    name: f"CANARY-{name}-0a1b2c3d" for name in ("claude", "gemini", "azure", "aws", "stored", "named")
}


def test_the_keys_of_every_kind_of_provider_stay(launch: Launch) -> None:
    """Each in the place where its provider wants it, and nowhere else, whatever the provider answers."""
    with FakeAnthropic() as claude, FakeGoogle() as google, FakeAzure() as azure, FakeBedrock() as aws:
        of = OF_PROVIDERS
        google.key, azure.azure_key, aws.keys["AKIDSTATIC"] = of["gemini"], of["azure"], (of["aws"], "")
        entries = [
            anthropic_entry("claude", claude, api_key=of["claude"]),
            {
                "model_name": "gemini",
                "litellm_params": {"model": "gemini/gemini-pro", "api_base": google.url, "api_key": of["gemini"]},
            },
            {
                "model_name": "azure",
                "litellm_params": {"model": "azure/gpt", "api_base": azure.url, "api_key": of["azure"]},
            },
            bedrock_entry(
                "aws", aws, "converse/anthropic.claude", aws_access_key_id="AKIDSTATIC", aws_secret_access_key=of["aws"]
            ),
        ]
        stores = {"general_settings": {"store_model_in_db": True}}
        gateway = launch({"model_list": entries, **ONE_ATTEMPT, **stores}, env={"LOG_LEVEL": "DEBUG"})
        seen = Seen()
        for name, upstream in (("claude", claude), ("gemini", google), ("azure", azure), ("aws", aws)):
            said = f"not with {of[name]} at {upstream.url}"
            for reply in (
                None,
                Reply.error(401, said),
                Reply.error(400, said),
                Reply.error(500, said),
                faults.garbage(),
            ):
                upstream.always(reply)
                for stream in (False, True):
                    answer = gateway.chat(name, stream=stream)
                    assert (answer.status == 200) == (reply is None), answer.body
                    seen.add(name, answer.body, repr(answer.headers).encode())
            upstream.always(None)
        told = [
            ("POST", "/credentials", {"credential_name": "c", "credential_values": {"api_key": of["named"]}}),
            ("PATCH", "/credentials/c", {"credential_values": {"api_key": of["named"], "api_base": claude.url}}),
            ("POST", "/model/new", {
                "model_name": "stored",
                "litellm_params": {"model": "openai/m", "api_base": claude.url, "api_key": of["stored"]},
            }),
        ]  # fmt: skip
        for method, path, body in told:
            answer = gateway.http(method, path, body)
            assert answer.status == 200, answer.body
            seen.add(path, answer.body)
        seen.add("chat stored", gateway.chat("stored").body)
        pages = (
            "/audit?page_size=100 /audit/export /credentials /model/info /v2/model/info /health /config/diff /metrics"
        )
        pages += " /spend/logs /v1/models /routes /config/yaml /model/metrics/exceptions?_selected_model_group=claude"
        for path in pages.split():
            answer = gateway.http("GET", path)
            seen.add(path, answer.body, repr(answer.headers).encode())
        assert gateway.stop() == 0
        seen.add("its output", gateway.output().encode())
        for file in gateway.data_dir.rglob("*"):
            if file.is_file():
                seen.add(f"file {file.name}", file.read_bytes())
        assert len(seen.parts) > 100
        assert {secret: places for secret in of.values() if (places := seen.places_of(secret))} == {}
        assert {request.header("x-api-key") for request in claude.matching("/v1/messages")} == {of["claude"]}
        posted = [request for request in google.requests if request.method == "POST"]
        assert posted and {request.header("x-goog-api-key") for request in posted} == {of["gemini"]}
        posted = [request for request in azure.requests if request.method == "POST"]
        assert posted and {request.header("api-key") for request in posted} == {of["azure"]}
        everything = [*claude.requests, *google.requests, *azure.requests, *aws.requests]
        assert not any("CANARY" in request.target for request in everything), "an address is no place for a key"
        assert aws.conversations and not any(of["aws"] in repr(request.headers) for request in aws.requests)
