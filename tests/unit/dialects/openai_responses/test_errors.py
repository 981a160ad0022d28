from __future__ import annotations

import json

from openai.types.responses import ResponseErrorEvent

from pointsman.core.errors import Malformed, Overloaded
from pointsman.dialects.openai_responses.errors import read_error, write_error, write_failure, write_stream_error
from pointsman.dialects.openai_responses.grammar import violations


def test_an_error_answer_has_the_shape_of_the_family() -> None:
    body = json.loads(write_error(Malformed("No.", param="input[0]"), "call"))
    assert body["error"] == {
        "message": "No.", "type": "invalid_request_error", "param": "input[0]", "code": "invalid_request",
        "litellm_call_id": "call",
    }  # fmt: skip


def test_an_error_may_be_a_stream_of_its_own() -> None:
    stream = write_stream_error(Malformed("No.", param="input[0]", hint="Do."))
    assert violations(stream) == []
    found = ResponseErrorEvent.model_validate_json(stream.partition(b"data: ")[2], strict=True)
    assert (found.message, found.param, found.code, found.sequence_number) == (
        "No. Do.",
        "input[0]",
        "invalid_request",
        0,
    )


def test_half_a_surrogate_pair_does_not_break_an_error() -> None:
    error = Malformed("\ud800")
    assert write_stream_error(error) and write_failure(error)["message"] == "?"


def test_the_error_of_an_upstream_is_read() -> None:
    assert isinstance(read_error(429, b'{"error":{"message":"Slow down","code":"rate_limit_exceeded"}}'), Overloaded)
