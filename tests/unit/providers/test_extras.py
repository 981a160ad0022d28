"""What is no conversation is passed on as it is, metered, and its failures are told."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.errors import Broken, Unsupported
from pointsman.core.rules import ParameterRules
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.core.usage import Units, Usage
from pointsman.dialects.openai_extras.dialect import EXTRAS, ExtrasDialect
from pointsman.providers.express import ExtrasLane
from pointsman.providers.express.extras_answer import ExtrasAnswer
from pointsman.providers.lanes import LaneBook
from pointsman.wire.multipart import FormPart, encode_form, read_form

PLAIN = Deployment(
    id="d", group="public", provider="openai", model="real", litellm_model="openai/real", api_base="http://x/v1",
    price=None, api_key=Secret("sk-upstream"),
)  # fmt: skip
RANK = {"model": "public", "query": "q", "documents": ["a", "b"], "top_n": 1}
BODIES: dict[Operation, dict[str, Any]] = {
    Operation.IMAGE: {"model": "public", "prompt": "p"},
    Operation.SPEECH: {"model": "public", "input": "Hello"},
    Operation.MODERATION: {"model": "public", "input": "x"},
    Operation.RERANK: RANK,
}


def ask_for(operation: Operation, **more: Any) -> Ask:
    ask = ExtrasDialect().read_ask(json.dumps({**BODIES[operation], **more}).encode(), operation, None)
    ask.prompt_estimate = 9
    return ask


def ask_with(operation: Operation, *parts: FormPart) -> Ask:
    body = encode_form((FormPart("model", b"public"), *parts), b"boundary")
    return ExtrasDialect().read_ask(body, operation, None)


SOUND = FormPart("file", b"\x00\xff\r\n--", "a.wav", "audio/wav")


def answer_to(ask: Ask, deployment: Deployment = PLAIN) -> ExtrasAnswer:
    return ExtrasLane(deployment, ask.operation).answer(ask)


def changed(**changes: Any) -> Deployment:
    return msgspec.structs.replace(PLAIN, **changes)


@pytest.mark.parametrize("operation", BODIES)
def test_a_body_keeps_all_but_its_model(operation: Operation) -> None:
    outbound = ExtrasLane(PLAIN, operation).write(ask_for(operation, unknown={"a": 1}))
    assert json.loads(outbound.body) == {**BODIES[operation], "unknown": {"a": 1}, "model": "real"}


def test_the_operator_adds_and_drops_fields_of_a_form() -> None:
    pinned = {"language": msgspec.Raw(b'"de"'), "temperature": msgspec.Raw(b"0.5"), "odd": msgspec.Raw(b"[1]")}
    lane = ExtrasLane(changed(pinned=pinned, additional_drop_params=("prompt",)), Operation.TRANSCRIPTION)
    ask = ask_with(Operation.TRANSCRIPTION, SOUND, FormPart("prompt", b"x"), FormPart("temperature", b"1"))
    outbound = lane.write(ask)
    assert outbound.content_type.startswith(b"multipart/form-data; boundary=")
    assert read_form(outbound.body).parts == (
        FormPart("model", b"real"), FormPart("language", b"de"), SOUND, FormPart("temperature", b"1"),
    )  # fmt: skip


def test_a_request_drops_fields_of_its_own() -> None:
    rules = ParameterRules(None, ("prompt", "user"), ())
    form = ask_with(Operation.TRANSCRIPTION, SOUND, FormPart("prompt", b"x"))
    form.rules = rules
    written = read_form(ExtrasLane(PLAIN, Operation.TRANSCRIPTION).write(form).body)
    assert written.parts == (FormPart("model", b"real"), SOUND)
    body = ask_for(Operation.SPEECH, user="u")
    body.rules = rules
    assert json.loads(ExtrasLane(PLAIN, Operation.SPEECH).write(body).body) == {"model": "real", "input": "Hello"}


def test_no_two_forms_have_the_same_boundary() -> None:
    lane = ExtrasLane(PLAIN, Operation.TRANSCRIPTION)
    ask = ask_with(Operation.TRANSCRIPTION, SOUND)
    assert lane.write(ask).content_type != lane.write(ask).content_type


@pytest.mark.parametrize(
    ("operation", "reply", "usage"),
    [
        (Operation.IMAGE, {"data": [1, 2], "usage": {"input_tokens": 5, "output_tokens": 7}},
         Usage(5, 7, source="measured", units=Units(images=2, image_output=7))),
        (Operation.IMAGE, {"data": [1]}, Usage(9, source="estimated", units=Units(images=1))),
        (Operation.IMAGE, {"data": [1], "usage": {"input_tokens": 5, "output_tokens": 7,
         "input_tokens_details": {"image_tokens": 4}, "output_tokens_details": {"image_tokens": 6}}},
         Usage(5, 7, source="measured", units=Units(images=1, image_input=4, image_output=6))),
        (Operation.MODERATION, {"results": []}, Usage(9, source="estimated", units=Units())),
        (Operation.RERANK, {"results": [], "usage": {"prompt_tokens": 3, "total_tokens": 4}},
         Usage(3, source="measured", units=Units(queries=1))),
        (Operation.RERANK, {"results": [], "usage": {"total_tokens": 4}},
         Usage(4, source="measured", units=Units(queries=1))),
        (Operation.RERANK, {"results": [], "meta": {"billed_units": {"search_units": 3}}},
         Usage(source="measured", units=Units(queries=3))),
        (Operation.IMAGE, {"data": [1], "usage": {"input_tokens": -5}},
         Usage(9, source="estimated", units=Units(images=1))),
    ],
)  # fmt: skip
def test_usage_is_found_in_every_form(operation: Operation, reply: dict[str, Any], usage: Usage) -> None:
    answer = answer_to(ask_for(operation))
    body = json.dumps(reply).encode()
    assert answer.whole(body) == body
    assert answer.usage == usage


def test_seconds_are_counted_where_no_tokens_are() -> None:
    answer = answer_to(ask_with(Operation.TRANSCRIPTION, SOUND))
    answer.whole(b'{"text":"x","usage":{"type":"duration","seconds":3}}')
    assert answer.usage.units == Units(milliseconds=3000)
    answer.whole(b'{"text":"x","duration":9.5,"usage":{"input_tokens":1,"output_tokens":2}}')
    assert (answer.usage.total, answer.usage.units) == (3, Units())


def test_what_must_be_json_and_is_not_is_broken() -> None:
    with pytest.raises(Broken):
        answer_to(ask_for(Operation.IMAGE)).whole(b"<html>")
    assert answer_to(ask_with(Operation.TRANSCRIPTION, SOUND)).whole(b"WEBVTT") == b"WEBVTT"


def test_an_error_in_place_of_an_answer_is_a_failure_without_the_key() -> None:
    with pytest.raises(Broken) as caught:
        answer_to(ask_for(Operation.IMAGE)).whole(b'{"error":{"message":"sk-upstream is bad"}}')
    assert "sk-upstream" not in caught.value.message


EVENTS = (
    b'event: image_generation.partial_image\r\ndata: {"b64_json":"AAAA"}\r\n\r\n'
    b'data: {"type":"image_generation.completed","usage":{"input_tokens":5,"output_tokens":7}}\n\n'
    b"data: [DONE]\n\n"
)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(EVENTS)), max_size=8))
def test_events_in_any_pieces_come_whole_and_unchanged(cuts: list[int]) -> None:
    answer = answer_to(ask_for(Operation.IMAGE, stream=True))
    places = [0, *sorted(cuts), len(EVENTS)]
    blocks = [answer.feed(EVENTS[start:end]) for start, end in pairwise(places)]
    assert all(block == b"" or block.endswith((b"\n\n", b"\r\n\r\n")) for block in blocks)
    assert b"".join([*blocks, answer.end()]) == EVENTS
    assert answer.usage.total == 12


def test_a_stream_that_ends_inside_an_event_is_broken_and_one_without_its_last_line_is_not() -> None:
    answer = answer_to(ask_for(Operation.IMAGE, stream=True))
    assert answer.feed(b'data: {"usage":{"input_tokens":1}}') == b""
    assert answer.end() == b'data: {"usage":{"input_tokens":1}}\n\n' and answer.usage.prompt == 1
    answer.feed(b'data: {"usage":')
    with pytest.raises(Broken):
        answer.end()


def test_an_upstream_that_cannot_stream_answers_whole() -> None:
    answer = answer_to(ask_with(Operation.TRANSCRIPTION, SOUND, FormPart("stream", b"true")))
    body = b'{"text":"x","usage":{"input_tokens":1,"output_tokens":2}}'
    assert answer.feed(body[:9]) + answer.feed(body[9:]) + answer.end() == body
    assert answer.usage.total == 3


def test_an_error_event_is_a_failure_and_does_not_show_the_key() -> None:
    answer = answer_to(ask_for(Operation.IMAGE, stream=True))
    assert b"sk-upstream" not in answer.feed(b'data: {"type":"error","error":{"message":"sk-upstream"}}\n\n')
    assert answer.error is not None


def test_what_the_operators_headers_bear_is_shown_neither_whole_nor_in_a_stream() -> None:
    deployment = changed(headers={"X-Team-Token": Secret("very-private-token")})
    told = b'{"type":"error","error":{"message":"very-private-token is unknown, sk-upstream too"}}'
    answer = answer_to(ask_for(Operation.IMAGE, stream=True), deployment)
    streamed = answer.feed(b"data: %b\n\n" % told)
    assert answer.error is not None
    with pytest.raises(Broken) as whole:
        answer_to(ask_for(Operation.IMAGE), deployment).whole(told)
    rejected = answer_to(ask_for(Operation.MODERATION), deployment).rejected(400, told, None)
    for text in (streamed.decode(), answer.error.message, whole.value.message, rejected.message):
        assert "is unknown" in text and "very-private-token" not in text and "sk-upstream" not in text


def test_an_endless_event_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.providers.express.extras_answer._EVENT_BYTES_MAX", 1000)
    answer = answer_to(ask_for(Operation.IMAGE, stream=True))
    answer.feed(b"x" * 1000)
    with pytest.raises(Broken):
        answer.feed(b"x")


@pytest.mark.parametrize(
    ("provider", "base", "path"),
    [
        ("cohere", "https://api.cohere.com", b"/v2/rerank"),
        ("cohere", "https://api.cohere.com/v1", b"/rerank"),
        ("jina_ai", "https://api.jina.ai/v1", b"/rerank"),
        ("hosted_vllm", "http://here:8000", b"/rerank"),
    ],
)
def test_where_services_rank(provider: str, base: str, path: bytes) -> None:
    outbound = ExtrasLane(changed(provider=provider, api_base=base), Operation.RERANK).write(ask_for(Operation.RERANK))
    assert outbound.path == path


def test_voyage_is_asked_and_answers_in_its_own_words() -> None:
    lane = ExtrasLane(changed(provider="voyage"), Operation.RERANK)
    ask = ask_for(Operation.RERANK)
    assert json.loads(lane.write(ask).body) == {"model": "real", "query": "q", "documents": ["a", "b"], "top_k": 1}
    reply = lane.answer(ask).whole(
        b'{"data":[{"index":1,"relevance_score":0.5,"document":"b"},{"index":0,"relevance_score":0.1}],'
        b'"usage":{"total_tokens":26}}'
    )
    told = json.loads(reply)
    assert told["results"] == [
        {"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}, {"index": 0, "relevance_score": 0.1},
    ]  # fmt: skip
    assert told["meta"] == {"tokens": {"input_tokens": 26}}
    with pytest.raises(Broken):
        lane.answer(ask).whole(b'{"data":"x"}')


@pytest.mark.parametrize("operation", EXTRAS)
def test_a_provider_with_a_dialect_of_its_own_has_none_of_it(operation: Operation) -> None:
    book = LaneBook({})
    with pytest.raises(Unsupported, match="anthropic does not serve"):
        book.lane(operation, changed(provider="anthropic"))
    assert isinstance(book.lane(operation, PLAIN), ExtrasLane)
