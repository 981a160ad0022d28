"""A client and an upstream of the same dialect: what passes between them arrives as it was sent, and is accounted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from msgspec.json import encode

from pointsman.dialects.anthropic_messages.grammar import violations
from pointsman.dialects.openai_responses.grammar import violations as response_violations
from tests.support.configs import ONE_ATTEMPT, anthropic_entry, openai_entry
from tests.support.gateway import Gateway
from tests.upstreams import FakeAnthropic, FakeOpenAI, Reply
from tests.upstreams.anthropic_server import anthropic_error, message, message_events
from tests.upstreams.reply import Close

ASK: Any = [{"role": "user", "content": "one two three"}]
BETAS = {"anthropic-beta": "files-api-2025-04-14"}
UNKNOWN = {"type": "block_of_next_year", "payload": {"deep": [1, {"x": None}]}}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


class House:
    """A gateway before Anthropic (``claude``, ``pinned``) and two OpenAI-compatible servers (``new``, ``old``)."""

    def __init__(self, gateway: Gateway, anthropic: FakeAnthropic, new: FakeOpenAI, old: FakeOpenAI) -> None:
        self.gateway = gateway
        self.claude = anthropic
        self.new = new
        self.old = old

    def messages(self, **more: Any) -> Any:
        body = {"model": "claude", "max_tokens": 64, "messages": ASK, **more}
        return self.gateway.http("POST", "/v1/messages", body, headers=BETAS)


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    with FakeAnthropic() as claude, FakeOpenAI() as new, FakeOpenAI() as old:
        new.has_responses = True
        pinned = {"max_tokens": 99, "stop": ["END"], "extra_headers": {"anthropic-beta": "operators-beta"}}
        entries = [
            anthropic_entry("claude", claude),
            anthropic_entry("pinned", claude, **pinned),
            openai_entry("new", new),
            openai_entry("old", old),
        ]
        with Gateway.start({**ONE_ATTEMPT, "model_list": entries}) as gateway:
            yield House(gateway, claude, new, old)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    for upstream in (running.claude, running.new, running.old):
        upstream.clear()
        upstream.forget()


def wire(events: list[dict[str, Any]]) -> bytes:
    """The events as the upstream sends them."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event)) for event in events)


# -- Anthropic -------------------------------------------------------------------------------------------------------


def test_what_nobody_knows_arrives_and_comes_back(house: House) -> None:
    answer_block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [UNKNOWN]}
    house.claude.script(Reply.json(message([answer_block], server_tool_use={"web_search_requests": 1})))
    body = {
        "tools": [{"type": "web_search_20990101", "name": "web_search", "max_uses": 3}],
        "messages": [{"role": "user", "content": [UNKNOWN]}],
        "field_of_next_year": {"a": 1},
    }
    answer = house.messages(**body)
    (request,) = house.claude.requests
    sent = request.json()
    assert {name: sent[name] for name in body} == body
    assert sent["model"] == "claude-real"
    assert request.header("anthropic-beta") == BETAS["anthropic-beta"]
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.header("x-api-key") == "sk-ant-up-0123456789"
    assert (answer.status, answer.json()["content"]) == (200, [answer_block])


def test_a_stream_is_relayed_but_for_its_model_and_tokens_of_every_kind_are_in_the_ledger(
    house: House,
) -> None:
    block: dict[str, Any] = {"type": "text", "text": "", "citations": []}
    deltas: list[dict[str, Any]] = [
        {"type": "text_delta", "text": 'say "usage" and \n\nevent: error'},
        {"type": "citations_delta", "citation": {"type": "page_location", "cited_text": "x", "document_index": 0}},
    ]
    usage: dict[str, Any] = {"input_tokens": 5, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 3}
    events = message_events([(block, deltas), (UNKNOWN, [])], **usage)
    house.claude.script(Reply.named_events(events))
    key = house.gateway.new_key(models=["claude"])
    body = {"model": "claude", "max_tokens": 64, "messages": ASK, "stream": True}
    answer = house.gateway.http("POST", "/v1/messages", body, key=key)
    assert answer.body == wire(events).replace(b'"claude-real"', b'"claude"')
    assert answer.headers["content-type"].startswith("text/event-stream")
    (row,) = house.gateway.settled_ledger(1, key)
    assert row["request_id"] == "msg_up"
    assert (row["prompt_tokens"], row["completion_tokens"], row["status"]) == (48, 7, "success")


def test_the_sdk_reads_what_is_relayed(house: House) -> None:
    sdk = house.gateway.anthropic()
    with sdk.messages.stream(model="claude", max_tokens=64, messages=ASK) as stream:
        told = stream.get_final_message()
    assert (told.content[0].text, told.stop_reason) == ("Hello from Claude.", "end_turn")  # type: ignore[union-attr]
    whole = sdk.messages.create(model="claude", max_tokens=64, messages=ASK)
    assert whole.content[0].text == "Hello from Claude."  # type: ignore[union-attr]


def test_the_operators_fields_stand_under_the_clients(house: House) -> None:
    body = {"model": "pinned", "messages": ASK, "stop_sequences": ["MINE"]}
    house.gateway.http("POST", "/v1/messages", body, headers=BETAS)
    (request,) = house.claude.requests
    assert (request.json()["max_tokens"], request.json()["stop_sequences"]) == (99, ["MINE"])
    assert request.header("anthropic-beta") == "operators-beta,files-api-2025-04-14"


def test_a_second_model_cannot_hide_behind_the_first(house: House) -> None:
    body = b'{"model":"claude","max_tokens":8,"messages":[{"role":"user","content":"hi"}],"m\\u006fdel":"claude"}'
    house.gateway.http("POST", "/v1/messages", body)
    (request,) = house.claude.requests
    assert request.body.count(b"odel") == 1 and request.json()["model"] == "claude-real"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_answer_keeps_its_words_its_id_and_when_to_come_back(house: House, stream: bool) -> None:
    house.claude.script(anthropic_error(429, "rate_limit_error", "Slow down, please", retry_after="17"))
    answer = house.messages(stream=stream)
    assert (answer.status, answer.headers["retry-after"]) == (429, "17")
    told = answer.json()
    assert told == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Slow down, please"},
        "request_id": "req_up",
    }


def test_an_error_that_begins_the_stream_is_an_answer_of_its_own(house: House) -> None:
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    house.claude.script(Reply.named_events([event]))
    answer = house.messages(stream=True)
    assert (answer.status, answer.json()["error"]["type"]) == (529, "overloaded_error")


def test_an_error_in_the_middle_is_relayed_and_a_failure_in_the_ledger(house: House) -> None:
    text = {"type": "text", "text": ""}
    begun = message_events([(text, [{"type": "text_delta", "text": "Hel"}])])[:3]
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Over sk-ant-up-0123456789 loaded"}}
    house.claude.script(Reply.named_events([*begun, event]))
    key = house.gateway.new_key(models=["claude"])
    opened = house.gateway.anthropic(key).messages.stream(model="claude", max_tokens=64, messages=ASK)
    with pytest.raises(anthropic.APIStatusError) as failed, opened as stream:
        stream.get_final_message()
    assert "loaded" in str(failed.value) and "sk-ant" not in str(failed.value)
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["status"], row["prompt_tokens"]) == ("failure", 5)
    assert row["completion_tokens"] > 0


@pytest.mark.parametrize("kept", [3, 1])
def test_a_stream_that_is_cut_ends_with_an_error_event_or_is_an_error_if_it_has_said_nothing(
    house: House, kept: int
) -> None:
    text = {"type": "text", "text": ""}
    begun = message_events([(text, [{"type": "text_delta", "text": "Hel"}])])[:kept]
    whole = Reply.named_events(begun)
    house.claude.script(Reply((*whole.steps[:-1], Close())))
    answer = house.messages(stream=True)
    if kept == 1:
        assert (answer.status, answer.json()["error"]["type"]) == (502, "api_error")
        return
    assert answer.status == 200 and violations(answer.body) == []
    assert answer.body.rstrip().splitlines()[-2] == b"event: error"


def test_the_upstream_counts_the_tokens(house: House) -> None:
    sdk = house.gateway.anthropic()
    counted = sdk.messages.count_tokens(model="claude", messages=ASK, extra_headers=BETAS)
    assert counted.input_tokens == 1003
    (request,) = house.claude.requests
    assert request.json() == {"model": "claude-real", "messages": ASK}
    assert request.header("x-api-key") == "sk-ant-up-0123456789"
    assert request.header("anthropic-beta") == BETAS["anthropic-beta"]


# -- Responses -------------------------------------------------------------------------------------------------------


def response(status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    counts = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13, "input_tokens_details": {"cached_tokens": 2}}
    return {
        "id": "resp_up",
        "object": "response",
        "created_at": 1,
        "model": "gpt-real",
        "status": status,
        "output": output,
        "error": None,
        "incomplete_details": None,
        "usage": counts if status == "completed" else None,
        **more,
    }


def response_events(ending: dict[str, Any]) -> list[dict[str, Any]]:
    begun = response("in_progress", [])
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": SEARCH},
        {"type": "response.event_of_next_year", "item_id": "ws_1", "output_index": 0, "words": '"usage" \n\n'},
        {"type": "response.output_item.done", "output_index": 0, "item": SEARCH},
        ending,
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def completed() -> dict[str, Any]:
    return {
        "type": "response.completed",
        "response": response("completed", [SEARCH]),
    }


def test_responses_are_relayed_to_a_server_that_has_them(house: House) -> None:
    house.new.script(Reply.json(response("completed", [SEARCH])))
    body = {
        "model": "new",
        "input": [{"type": "item_of_next_year"}],
        "tools": [{"type": "web_search"}],
        "store": True,
    }
    key = house.gateway.new_key(models=["new"])
    answer = house.gateway.http("POST", "/v1/responses", body, key=key)
    assert answer.json() == {**response("completed", [SEARCH]), "model": "new"}
    assert house.new.requests[-1].json() == {**body, "model": "fake-model"}
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (9, 4)


@pytest.mark.parametrize("stream", [False, True])
def test_a_relayed_response_is_its_keys_alone(house: House, stream: bool) -> None:
    up_id = f"resp_of_the_upstream_{stream}"
    whole = response("completed", [SEARCH], id=up_id)
    streamed = Reply.named_events(response_events({"type": "response.completed", "response": whole}))
    house.new.script(streamed if stream else Reply.json(whole))
    mine, other = (house.gateway.new_key(models=["new"]) for _ in range(2))
    asked = {"model": "new", "input": "hi"}
    assert house.gateway.http("POST", "/v1/responses", {**asked, "stream": stream}, key=mine).status == 200
    before = len(house.new.requests)

    more = {**asked, "previous_response_id": up_id}
    refused = house.gateway.http("POST", "/v1/responses", more, key=other)
    assert (refused.status, refused.json()["error"]["code"]) == (404, "previous_response_not_found")
    assert refused.json()["error"]["param"] == "previous_response_id"
    assert house.gateway.http("GET", f"/v1/responses/{up_id}", key=other).status == 404
    assert len(house.new.requests) == before

    house.new.script(Reply.json(response("completed", [SEARCH], id=f"{up_id}_next")))
    assert house.gateway.http("POST", "/v1/responses", more, key=mine).status == 200
    shown = house.gateway.http("GET", f"/v1/responses/{up_id}", key=mine)
    assert (shown.status, shown.json()["output"]) == (200, [SEARCH])


def test_what_is_not_to_be_stored_can_be_continued_by_nobody(house: House) -> None:
    house.new.script(Reply.json(response("completed", [SEARCH], id="resp_not_stored")))
    key = house.gateway.new_key(models=["new"])
    asked = {"model": "new", "input": "hi", "store": False}
    house.gateway.http("POST", "/v1/responses", asked, key=key)
    more = {"model": "new", "input": "hi", "previous_response_id": "resp_not_stored"}
    assert house.gateway.http("POST", "/v1/responses", more, key=key).status == 404


def test_a_stream_of_a_response_is_relayed_as_it_is_but_for_the_model(house: House) -> None:
    events = response_events(completed())
    house.new.script(Reply.named_events(events))
    key = house.gateway.new_key(models=["new"])
    answer = house.gateway.http("POST", "/v1/responses", {"model": "new", "input": "hi", "stream": True}, key=key)
    for event in events:
        if "response" in event:
            event["response"] = {**event["response"], "model": "new"}
    assert answer.body == wire(events)
    (row,) = house.gateway.settled_ledger(1, key)
    assert (row["prompt_tokens"], row["completion_tokens"], row["status"]) == (9, 4, "success")


def test_a_response_that_fails_in_its_stream_is_a_failure_in_the_ledger(house: House) -> None:
    error = {"code": "rate_limit_exceeded", "message": "Too many"}
    events = response_events({"type": "response.failed", "response": response("failed", [], error=error)})
    house.new.script(Reply.named_events(events))
    key = house.gateway.new_key(models=["new"])
    answer = house.gateway.http("POST", "/v1/responses", {"model": "new", "input": "hi", "stream": True}, key=key)
    assert b'"response.failed"' in answer.body
    (row,) = house.gateway.settled_ledger(1, key)
    assert row["status"] == "failure"


def test_a_stream_of_a_response_that_is_cut_ends_as_failed(house: House) -> None:
    whole = Reply.named_events(response_events(completed())[:2])
    house.new.script(Reply((*whole.steps[:-1], Close())))
    answer = house.gateway.http("POST", "/v1/responses", {"model": "new", "input": "hi", "stream": True})
    assert answer.status == 200 and response_violations(answer.body) == []
    assert b"event: response.failed" in answer.body


def test_an_error_of_the_relayed_route_keeps_its_words(house: House) -> None:
    house.new.script(Reply.error(404, "The vector store 'vs_x' was not found.", retry_after="3"))
    with pytest.raises(openai.NotFoundError, match="vs_x"):
        house.gateway.openai().responses.create(model="new", input="hi")


def test_a_server_without_the_route_is_asked_once_and_emulated_from_then_on(house: House) -> None:
    sdk = house.gateway.openai()
    answers = [sdk.responses.create(model="old", input="one two three") for _ in range(3)]
    assert all("Hello" in answer.output_text for answer in answers)
    paths = [request.path for request in house.old.requests]
    assert paths == ["/v1/responses", *["/v1/chat/completions"] * 3]
