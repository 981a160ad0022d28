"""A relayed answer is the same bytes in whatever pieces it comes, and is metered; so is one that breaks off."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode

from pointsman.core.errors import Broken, GatewayError, Overloaded
from pointsman.core.upstream import Ask, Operation
from pointsman.core.usage import Usage
from pointsman.dialects.anthropic_messages.grammar import violations
from pointsman.providers.native.anthropic import AnthropicMeter
from pointsman.providers.native.relayed import RelayedAnswer
from pointsman.providers.native.responses import ResponsesMeter
from pointsman.wire.limits import EVENT_BYTES_MAX
from tests.upstreams.anthropic_server import message, message_events

WORDS = st.sampled_from(
    ["Hello", " wörld", "\n\n", '"usage"', '"error"', '"message_stop"', "event: error\ndata: {}\n\n", "", "\r\n", "你"]
)
COUNTS: dict[str, Any] = {"input_tokens": 5, "cache_read_input_tokens": 40}
MEASURED = Usage(45, 7, cached=40, source="measured")
KEY = b"sk-ant-secret-0123456789"


def relayed(meter: Any = None) -> RelayedAnswer:
    ask = Ask(Operation.MESSAGES, "claude-real", {}, stream=True, prompt_estimate=9)
    return RelayedAnswer(ask=ask, key=KEY, meter=meter or AnthropicMeter())


def wire(events: list[dict[str, Any]], newline: bytes = b"\n") -> bytes:
    text = b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event)) for event in events)
    return text.replace(b"\n", newline)


def talk(words: list[str]) -> list[dict[str, Any]]:
    deltas = [{"type": "text_delta", "text": word} for word in words]
    return message_events([({"type": "text", "text": ""}, deltas)], **COUNTS)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    return [data[start:end] for start, end in pairwise(places)]


def through(answer: RelayedAnswer, parts: list[bytes]) -> bytes:
    return b"".join([*map(answer.feed, parts), answer.end()])


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=8), st.lists(st.integers(0, 5000), max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_any_pieces_give_the_same_bytes_and_counts(words: list[str], cuts: list[int], newline: bytes) -> None:
    events = talk(words)
    answer = relayed()
    out = through(answer, pieces(wire(events, newline), cuts))
    assert out.replace(b"\r\n", b"\n") == wire(events)
    assert (answer.usage, answer.error) == (MEASURED, None)


def test_byte_by_byte_and_without_the_last_empty_line() -> None:
    answer = relayed()
    data = wire(talk(["Hello", " you"]))
    assert through(answer, [bytes([byte]) for byte in data.rstrip(b"\n")]) == data
    assert answer.usage == MEASURED


def test_a_server_that_leaves_out_the_last_event_is_helped() -> None:
    assert violations(through(relayed(), [wire(talk(["Hi"])[:-1])])) == []


@pytest.mark.parametrize("kept", range(len(talk(["a", "b"])) - 2))
def test_a_stream_that_ends_early_is_broken_and_estimated(kept: int) -> None:
    answer = relayed()
    answer.feed(wire(talk(["a", "b"])[:kept]))
    with pytest.raises(Broken):
        answer.end()
    answer.cut()
    assert (answer.usage.source, answer.usage.prompt) == ("estimated", 45 if kept else 9)
    assert b"event: error" in answer.failed(Broken("cut"))


def test_the_end_in_the_middle_of_an_event_is_broken() -> None:
    answer = relayed()
    answer.feed(wire(talk(["a"]))[:-20])
    with pytest.raises(Broken):
        answer.end()


def test_an_event_without_end_is_broken_off() -> None:
    answer = relayed()
    assert answer.feed(b"x" * EVENT_BYTES_MAX) == b""
    with pytest.raises(Broken):
        answer.feed(b"x")


ERROR: dict[str, Any] = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": f"key {KEY.decode()} is tired"},
}


def test_an_error_in_front_is_raised_and_one_behind_is_relayed_without_the_key() -> None:
    with pytest.raises(Overloaded):
        relayed().feed(wire([ERROR]))
    answer = relayed()
    out = through(answer, [wire([*talk(["a"])[:3], ERROR])])
    assert isinstance(answer.error, Overloaded) and answer.error.status == 503
    assert b"is tired" in out and KEY not in out and KEY.decode() not in answer.error.message
    assert answer.failed(Broken("later")) == b""
    assert (answer.usage.source, answer.usage.prompt) == ("estimated", 45)


@pytest.mark.parametrize(
    "garbage", [b"data: {\n\n", b'data: {"usage": [}\n\n', b': "usage"\n\n', b"\n\n\n\n", b"\xff\n\n"]
)
def test_what_cannot_be_read_is_relayed_all_the_same(garbage: bytes) -> None:
    answer = relayed()
    events = wire(talk(["a"]))
    assert through(answer, [garbage, events]) == garbage + events


def test_the_model_is_named_as_it_was_asked_for_and_nothing_else_is() -> None:
    """What stands in an answer, even if it looks like the name of its model, is the answer's."""
    words = '{"model":"claude-real"}'
    tool = {"type": "tool_use", "id": "t", "name": "f", "input": {"model": "claude-real"}}
    answer = relayed()
    answer.ask.model = 'my "own"'
    out = answer.whole(encode(message([{"type": "text", "text": words}, tool])))
    assert decode(out) == {**message([{"type": "text", "text": words}, tool]), "model": 'my "own"'}
    assert answer.answer_id == "msg_up"
    backwards = dict(reversed(message([tool]).items()))
    assert decode(answer.whole(encode(backwards))) == {**backwards, "model": 'my "own"'}

    streamed = relayed()
    streamed.ask.model = "mine"
    said = wire(message_events([(tool, [{"type": "input_json_delta", "partial_json": words}])]))
    out = through(streamed, [said])
    assert out == said.replace(b'"model":"claude-real"', b'"model":"mine"', 1) and streamed.answer_id == "msg_up"


def test_a_response_is_named_as_it_was_asked_for() -> None:
    answer = relayed(ResponsesMeter())
    answer.ask.model = "mine"
    inner = {"id": "resp_1", "metadata": {"model": "gpt-x"}, "model": "gpt-x", "status": "completed", "output": []}
    events = [{"type": f"response.{word}", "response": inner} for word in ("created", "completed")]
    out = through(answer, [wire(events)])
    told = [decode(line[6:])["response"] for line in out.split(b"\n") if line.startswith(b"data: ")]
    assert told == [{**inner, "model": "mine"}] * 2 and answer.answer_id == "resp_1"
    assert decode(answer.final()) == {**inner, "model": "mine"}


def test_a_whole_answer() -> None:
    answer = relayed()
    body = encode(message([{"type": "block_of_next_year"}], **COUNTS))
    assert (answer.whole(body), answer.usage) == (body, MEASURED)
    with pytest.raises(Broken):
        relayed().whole(b"<html>")
    with pytest.raises(GatewayError, match="is tired"):
        relayed().whole(encode(ERROR))
    odd = relayed()
    assert odd.whole(b'{"usage":{"input_tokens":"many"}}') and odd.usage.source == "estimated"


def begun(*more: dict[str, Any]) -> bytes:
    response = {"id": "resp_1", "status": "in_progress", "error": None, "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": response}, *more]
    return wire([{**event, "sequence_number": number} for number, event in enumerate(events)])


def test_a_response_that_is_cut_ends_as_the_response_that_it_was() -> None:
    answer = relayed(ResponsesMeter())
    answer.feed(begun({"type": "response.in_progress"}))
    end = answer.failed(Broken("cut"))
    assert b'"id":"resp_1"' in end and b'"status":"failed"' in end and b'"sequence_number":2' in end
    assert b"event: error" in relayed(ResponsesMeter()).failed(Broken("cut"))


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "no"}, 429),
        ({"type": "error", "error": {"code": 7, "message": "no"}}, 502),
        ({"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "no"}}}, 400),
        ({"type": "response.failed", "response": {"error": None}}, 502),
    ],
)
def test_a_response_that_fails(ending: dict[str, Any], status: int) -> None:
    answer = relayed(ResponsesMeter())
    assert through(answer, [begun(ending)]) == begun(ending)
    assert answer.error is not None and answer.error.status == status


def test_a_whole_response_that_failed_is_an_answer_and_a_failure() -> None:
    answer = relayed(ResponsesMeter())
    body = encode({"id": "r", "status": "failed", "error": {"code": "server_error", "message": "no"}, "usage": None})
    assert answer.whole(body) == body and isinstance(answer.error, Broken)


def test_that_a_message_begins_is_no_answer_yet_and_an_error_then_still_one_of_its_own() -> None:
    start, block, *_ = talk(["Hello"])
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    for between in ([], [{"type": "ping"}], [{"type": "ping"}, {"type": "ping"}]):
        answer = relayed()
        assert answer.is_preface(answer.feed(wire([start, *between])))
        with pytest.raises(Overloaded):
            answer.feed(wire([error]))
        answer = relayed()
        with pytest.raises(Overloaded):
            answer.feed(wire([start, *between, error]))
    answer = relayed()
    assert not answer.is_preface(answer.feed(wire([start, block])))
    answer.feed(wire([error]))
    assert isinstance(answer.error, Overloaded), "it is told in the stream"


def test_the_id_of_a_response_is_not_held_back() -> None:
    answer = relayed(ResponsesMeter())
    assert not answer.is_preface(answer.feed(begun()))
