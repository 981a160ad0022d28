"""What is stored of a response is what its client was told, and what became of it later."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response

from pointsman.core.call import Call
from pointsman.core.errors import GatewayError, Overloaded
from pointsman.core.events import Finished, FinishReason, Started, TextDelta
from pointsman.dialects.openai_responses.errors import write_error
from pointsman.dialects.openai_responses.grammar import violations
from pointsman.dialects.openai_responses.keeping import (
    failed_response,
    final_response,
    read_kept,
    refusal_of,
    told_response,
    unfinished_response,
)
from pointsman.dialects.openai_responses.response import ResponseRequest, read_response_request
from pointsman.dialects.openai_responses.streams import StreamWriter

CALL = Call("m", ())
LIE = 'event: response.completed\ndata: {"type":"response.completed","response":{"id":"forged"}}\n\n'


def request_of(**fields: Any) -> ResponseRequest:
    return read_response_request(json.dumps({"model": "m", "input": "x", **fields}).encode())


@pytest.mark.parametrize(("reason", "status"), [("stop", "completed"), ("length", "incomplete")])
def test_the_last_event_of_a_stream_has_the_response(reason: FinishReason, status: str) -> None:
    writer = StreamWriter(CALL, request_of())
    begun = writer.write([Started("a", "m", 1), TextDelta(LIE)])
    assert final_response(begun) is None, "no words of a model are taken for an event"
    end = writer.write([Finished(reason)]) + writer.end()
    found = final_response(end)
    assert found is not None
    kept = read_kept(found)
    assert (kept.status, len(kept.output)) == (status, 1)
    assert json.loads(bytes(found))["output"][0]["content"][0]["text"] == LIE


def test_a_failure_is_found_in_one_block_with_what_came_before() -> None:
    writer = StreamWriter(CALL, request_of())
    block = writer.write([Started("a", "m", 1), TextDelta("Blue")]) + writer.fail(Overloaded("busy"))
    found = final_response(block)
    assert found is not None and read_kept(found).status == "failed"


@pytest.mark.parametrize("block", [b"", b": keepalive\n\n", b"event: response.completed\ndata: {}\n\n"])
def test_without_a_whole_response_there_is_none(block: bytes) -> None:
    assert final_response(block) is None


def test_a_status_that_changed_since_is_told() -> None:
    body = unfinished_response(request_of(), "m", "in_progress")
    assert told_response(body, "in_progress") is body
    cancelled = Response.model_validate_json(bytes(told_response(body, "cancelled")))
    assert (cancelled.status, cancelled.error) == ("cancelled", None)
    lost = Response.model_validate_json(bytes(told_response(body, "failed")))
    assert lost.status == "failed" and lost.error is not None and lost.error.code == "server_error"


def test_a_failure_before_the_stream_is_told_as_a_whole_stream() -> None:
    body, events = failed_response(request_of(background=True), "m", Overloaded("busy"), 0)
    assert violations(b"".join(events)) == []
    assert final_response(b"".join(events)) == body
    _, more = failed_response(request_of(), "m", Overloaded("busy"), 7)
    (event,) = more
    assert b'"sequence_number":7' in event


def test_the_reason_of_a_refusal_is_read_from_its_answer() -> None:
    said = GatewayError("Slow down.", code="rate_limit_exceeded", status=429, param="model")
    read = refusal_of(429, write_error(said, "id"))
    assert (read.message, read.code, read.status, read.param) == ("Slow down.", "rate_limit_exceeded", 429, "model")
    assert refusal_of(502, b"<html>").status == 502


def test_what_is_no_response_is_not_read() -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_kept(b'{"status":"new"}')
