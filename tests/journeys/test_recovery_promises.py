"""Retries, fallbacks and rest, told clause by clause: what a client sees of an upstream that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import msgspec
import openai
import pytest

from tests.support.configs import anthropic_entry, ollama_entry, openai_entry
from tests.support.gateway import Gateway, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeAnthropic, FakeOllama, FakeOpenAI, OllamaModel, Reply, faults
from tests.upstreams.anthropic_server import anthropic_error, message_events
from tests.upstreams.openai_shapes import chat_chunks

SAY: Any = [{"role": "user", "content": "one two three"}]


class Scene:
    """A gateway before a Claude, two OpenAI-compatible servers and an Ollama; all are fresh for each test."""

    def __init__(self) -> None:
        self.claude, self.first, self.spare = FakeAnthropic(), FakeOpenAI(), FakeOpenAI()
        self.own = FakeOllama([OllamaModel("llama3.1:8b", context_length=32_768)])
        self.upstreams = (self.claude, self.first, self.spare, self.own)

    def config(self) -> dict[str, Any]:
        three = [openai_entry("three", self.first, {"id": f"three-{n}"}, api_key=f"sk-{n}") for n in range(3)]
        others = [openai_entry(name, self.spare, {"id": name}, api_key=f"sk-{name}") for name in ("x", "y")]
        return {
            "model_list": [
                anthropic_entry("claude", self.claude),
                openai_entry("lone", self.first, {"id": "lone"}),
                openai_entry("slow", self.first, {"id": "slow"}, stream_timeout=0.5),
                openai_entry("plain", self.first, {"id": "plain"}),
                ollama_entry("own", self.own, "llama3.1:8b"),
                *three,
                *others,
            ],
            "router_settings": {
                "num_retries": 2,
                "cooldown_time": 0.2,
                "fallbacks": [{"claude": ["own"]}, {"slow": ["x"]}, {"three": ["x", "y"]}],
                "context_window_fallbacks": [{"lone": ["x"]}],
                "content_policy_fallbacks": [{"lone": ["y"]}],
            },
            # So many failures in so short a time are meant here; the budget has tests of its own.
            "pointsman": {"retry_budget_percent": 100},
        }


@pytest.fixture(scope="module")
def scene() -> Iterator[tuple[Scene, Gateway]]:
    made = Scene()
    with made.claude, made.first, made.spare, made.own:
        gateway = Gateway.start(made.config())
        try:
            yield made, gateway
            assert "Traceback (most recent call last)" not in gateway.output(), gateway.output()
        finally:
            gateway.close()


@pytest.fixture
def at_rest(scene: tuple[Scene, Gateway]) -> Iterator[tuple[Scene, Gateway]]:
    """The scene, once nobody rests any more."""
    time.sleep(0.25)  # the whole of a cooldown
    for upstream in scene[0].upstreams:
        upstream.forget()
    yield scene
    for upstream in scene[0].upstreams:
        upstream.clear()


Ready = tuple[Scene, Gateway]


def tokens(events: Any) -> str:
    return "".join(event.choices[0].delta.content or "" for event in events if event.choices)


def test_a_529_before_the_first_token_of_a_stream_is_answered_by_a_fallback(at_rest: Ready) -> None:
    """Requirement 14; across dialects: a client of Anthropic's whose Claude is overloaded hears from Ollama."""
    scene, gateway = at_rest
    scene.claude.script(*[anthropic_error(529, "overloaded_error", "Overloaded")] * 3)
    with gateway.anthropic().messages.stream(model="claude", max_tokens=50, messages=SAY) as stream:
        text = stream.get_final_text()
        heads = stream.response.headers
    assert text and heads["x-litellm-model-group"] == "own"
    assert (heads["x-litellm-attempted-fallbacks"], heads["x-pointsman-attempts"]) == ("1", "4")
    assert [row["status"] for row in gateway.settled_ledger(1) if row["model_group"] == "own"] == ["success"]


def test_an_overload_told_inside_a_stream_that_has_begun_is_too(at_rest: Ready) -> None:
    scene, gateway = at_rest
    begun = message_events([])[:1]
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    scene.claude.script(*[Reply.named_events([*begun, {"type": "ping"}, error])] * 3)
    with gateway.anthropic().messages.stream(model="claude", max_tokens=50, messages=SAY) as stream:
        assert stream.get_final_text() and stream.response.headers["x-litellm-model-group"] == "own"


def test_a_silence_before_the_first_token_is_answered_by_a_fallback(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.first.script(faults.stall_in_stream(chat_chunks([], None)[:1]))
    started = time.monotonic()
    with gateway.openai().chat.completions.with_streaming_response.create(
        model="slow",
        messages=SAY,
        stream=True,
    ) as raw:
        assert raw.headers["x-pointsman-attempts"] == "2" and raw.headers["x-litellm-model-group"] == "x"
        assert tokens(raw.parse())
    assert 0.2 < time.monotonic() - started < 3.0, "the clock of timeouts ticks four times a second"


def test_a_request_says_itself_how_long_an_upstream_may_take(at_rest: Ready) -> None:
    """LiteLLM's ``x-litellm-timeout``: 408 at once, the upstream hears that nobody waits, and it is in the ledger."""
    scene, gateway = at_rest
    scene.first.script(faults.stall_before_head(), faults.stall_before_head())
    key = gateway.new_key()
    for said in ({"extra_headers": {"x-litellm-timeout": "0.2"}}, {"extra_body": {"timeout": 0.2}}):
        started = time.monotonic()
        with pytest.raises(openai.APIStatusError) as late:
            gateway.openai(key).chat.completions.create(model="plain", messages=SAY, **said)
        assert late.value.status_code == 408 and 0.2 <= time.monotonic() - started < 1.0
    for request in scene.first.wait_for(2):
        request.wait_closed(2.0)
    rows = gateway.settled_ledger(2, key)
    assert {(row["status"], row["metadata"]["error_information"]["error_class"]) for row in rows} == {
        ("failure", "client_timeout")
    }
    assert gateway.chat("plain").status == 200, "and nobody rests for it"


def test_a_fallback_answers_where_that_is_too_long(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.first.script(faults.stall_before_head())
    answer = gateway.chat("slow", timeout=0.2)
    assert answer.status == 200 and answer.headers["x-litellm-model-group"] == "x"


def test_attempts_are_what_was_configured_and_never_a_product(at_rest: Ready) -> None:
    scene, gateway = at_rest
    for upstream in (scene.first, scene.spare):
        upstream.always(Reply.error(500))
    answer = gateway.chat("three")
    assert answer.status == 502 and answer.headers["x-pointsman-attempts"] == "5"
    assert (len(scene.first.inference), len(scene.spare.inference)) == (3, 2), "1 + 2 retries, and 2 fallbacks"
    assert "Tried 5 times: three (502, 502, 502), then x (502), then y (502)." in answer.error["message"]


def test_retry_after_is_honoured(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.first.script(Reply.error(429, retry_after="1"))
    started = time.monotonic()
    answer = gateway.chat("plain")
    assert answer.status == 200 and time.monotonic() - started >= 1.0
    first, second = scene.first.inference
    assert second.received_at - first.received_at >= 1.0


def test_one_that_is_too_long_is_handed_on_at_once(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.first.script(Reply.error(429, retry_after="300"))
    started = time.monotonic()
    answer = gateway.chat("plain")
    assert (answer.status, answer.headers["retry-after"]) == (429, "300") and time.monotonic() - started < 1.0
    assert len(scene.first.inference) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_would_only_be_said_again_is_not_retried(at_rest: Ready, status: int) -> None:
    scene, gateway = at_rest
    scene.first.script(Reply.error(status))
    assert gateway.chat("plain").status == status
    assert len(scene.first.inference) == 1


def test_a_lone_local_host_is_never_cooled_to_429_but_waited_for(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.own.vanish()
    try:
        for _ in range(5):
            assert gateway.chat("own", num_retries=0).status == 503
        timer = threading.Timer(0.3, scene.own.come_back)
        timer.start()
        answer = gateway.chat("own", num_retries=6)
        timer.join()
    except BaseException:
        scene.own.come_back()
        raise
    assert answer.status == 200 and int(answer.headers["x-litellm-attempted-retries"]) >= 1


def test_a_failure_after_the_first_token_is_told_in_the_stream(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.first.script(faults.reset_in_stream(chat_chunks(["Hello"], None)[:2]))
    with gateway.stream("/v1/chat/completions", {"model": "three", "messages": SAY, "stream": True}) as stream:
        events = list(stream.data())
    assert b"Hello" in b"".join(events) and b'"error"' in events[-2] and events[-1] == b"[DONE]"
    assert len(scene.first.inference) == 1, "it is not asked again"
    text = [({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hello"}])]
    blocks = [b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
              for event in message_events(text)[:3]]  # fmt: skip
    scene.claude.script(Reply.chunked("text/event-stream", blocks, 0.1, None))
    with (
        pytest.raises(anthropic.APIError),
        gateway.anthropic().messages.stream(
            model="claude",
            max_tokens=50,
            messages=SAY,
        ) as told,
    ):
        assert "Hello" in "".join(told.text_stream)
    assert len(scene.claude.requests) == 1


def test_who_leaves_while_a_retry_waits_is_not_asked_for_any_more(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.first.script(Reply.error(429, retry_after="2"))
    with gateway.stream("/v1/chat/completions", {"model": "plain", "messages": SAY}):
        scene.first.wait_for(1)
        time.sleep(0.1)  # the refusal has to arrive
    rows = eventually(lambda: [row for row in gateway.ledger() if row["status"] == "failure"], "the end of the call")
    assert rows
    time.sleep(2.2)  # the whole of the pause
    assert len(scene.first.inference) == 1


def test_the_header_and_the_body_say_how_often(at_rest: Ready) -> None:
    scene, gateway = at_rest
    scene.first.always(Reply.error(500))
    with pytest.raises(openai.InternalServerError):
        gateway.openai().chat.completions.create(
            model="plain",
            messages=SAY,
            extra_headers={"x-litellm-num-retries": "1"},
        )
    assert len(scene.first.inference) == 2
    assert gateway.chat("plain", num_retries=0).status == 502
    assert len(scene.first.inference) == 3


def test_too_long_a_prompt_and_refused_content_have_fallbacks_of_their_own(at_rest: Ready) -> None:
    scene, gateway = at_rest
    too_long = {"error": {"message": "This model's maximum context length is 10 tokens.", "code": None}}
    scene.first.script(Reply.json(too_long, 400))
    answer = gateway.chat("lone")
    assert answer.status == 200 and answer.headers["x-litellm-model-group"] == "x"
    filtered = {"error": {"message": "filtered", "code": "content_filter"}}
    scene.first.script(Reply.json(filtered, 400))
    answer = gateway.chat("lone")
    assert answer.status == 200 and answer.headers["x-litellm-model-group"] == "y"
    scene.first.script(Reply.json(too_long, 400))
    assert gateway.chat("lone", disable_fallbacks=True).status == 400


def test_every_call_is_in_the_ledger_once_with_its_attempts(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("m", upstream)], "router_settings": {"num_retries": 3}})
    upstream.script(Reply.error(500), Reply.error(503))
    key = gateway.new_key()
    assert gateway.chat("m", key=key).status == 200
    (row,) = gateway.settled_ledger(1, key)
    assert row["status"] == "success" and len(upstream.inference) == 3
