"""Between a client and a model of Gemini's nothing is lost, and everything is counted."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Broken, Overloaded
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.dialects.gemini.dialect import GeminiStreamDialect
from pointsman.providers.google.relay import GeminiRelayAnswer, GeminiRelayLane, can_relay
from pointsman.providers.tokens import FixedCredential

PLAIN = Deployment("d", "public", "gemini", "gemini-2.5-flash", "gemini/gemini-2.5-flash", "https://x", None)
COUNTS = {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


def ask(**fields: Any) -> Ask:
    body = {"contents": [{"parts": [{"text": "hi"}]}], **fields}
    return GeminiStreamDialect().read_ask(json.dumps(body).encode(), Operation.GEMINI_STREAM, "public")


def path_of(deployment: Deployment, verb: str) -> bytes:
    return f"/{deployment.model}:{verb}".encode()


def event(*parts: Any, reason: str | None = None, **fields: Any) -> bytes:
    candidate = {"content": {"parts": parts}, **({"finishReason": reason} if reason else {})}
    return b"data: " + json.dumps({"candidates": [candidate], **fields}).encode() + b"\r\n\r\n"


def answer() -> GeminiRelayAnswer:
    return GeminiRelayAnswer(msgspec.structs.replace(ask(), prompt_estimate=7), "gemini-2.5-flash")


def test_the_body_goes_as_it_is_with_the_operators_fields_beneath() -> None:
    pinned = {"safety_settings": msgspec.Raw(b"[1]"), "labels": msgspec.Raw(b'{"a":"b"}')}
    deployment = msgspec.structs.replace(PLAIN, pinned=pinned)
    assert can_relay(Operation.GEMINI_CHAT, deployment)
    lane = GeminiRelayLane(deployment, path_of, FixedCredential(Secret("t")))
    outbound = lane.write(ask(generation_config={"responseModalities": ["IMAGE"]}, labels={"c": "d"}, newField=1))
    assert outbound.path == b"/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert outbound.headers[0][1].reveal() == "Bearer t"
    assert json.loads(outbound.body) == {
        "safetySettings": [1],
        "labels": {"c": "d"},
        "contents": [{"parts": [{"text": "hi"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"]},
        "newField": 1,
    }


def test_what_is_to_be_changed_is_not_relayed() -> None:
    assert not can_relay(Operation.GEMINI_ARRAY_STREAM, PLAIN)
    assert not can_relay(Operation.CHAT, PLAIN)
    assert not can_relay(
        Operation.GEMINI_CHAT, msgspec.structs.replace(PLAIN, pinned={"temperature": msgspec.Raw(b"0")})
    )
    assert not can_relay(Operation.GEMINI_CHAT, msgspec.structs.replace(PLAIN, additional_drop_params=("seed",)))


def test_a_whole_answer_is_the_same_and_counted() -> None:
    body = event(PICTURE, reason="STOP", usageMetadata=COUNTS).removeprefix(b"data: ")
    reading = answer()
    assert reading.whole(body) == body
    assert (reading.usage.prompt, reading.usage.completion, reading.usage.reasoning) == (9, 5, 3)


@pytest.mark.parametrize("every", [1, 7, 10_000])
def test_a_stream_is_the_same_in_any_pieces(every: int) -> None:
    sent = event(PICTURE) + event({"text": "x"}, reason="STOP", usageMetadata=COUNTS, groundingMetadata={"a": 1})
    reading = answer()
    out = b"".join(reading.feed(sent[start : start + every]) for start in range(0, len(sent), every)) + reading.end()
    assert out == sent.replace(b"\r\n", b"\n")
    assert (reading.usage.total, reading.usage.source) == (14, "measured")


def test_a_stream_that_ends_too_soon_is_broken_and_estimated() -> None:
    reading = answer()
    reading.feed(event({"text": "x"}))
    with pytest.raises(Broken, match="before the answer was complete"):
        reading.end()
    assert (reading.usage.prompt, reading.usage.completion, reading.usage.source) == (7, 1, "estimated")
    told = reading.failed(Broken("gone"))
    assert json.loads(told.removeprefix(b"data: "))["error"]["message"] == "gone"
    assert reading.failed(Broken("gone")) == b""


def test_a_blocked_prompt_is_an_answer() -> None:
    reading = answer()
    told = b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n'
    assert reading.feed(told) + reading.end() == told


def test_errors_before_and_in_the_middle() -> None:
    failure = b'data: {"error":{"code":503,"message":"Overloaded.","status":"UNAVAILABLE"}}\n\n'
    with pytest.raises(Broken, match="Overloaded"):
        answer().feed(failure)
    reading = answer()
    out = reading.feed(event({"text": "x"}) + failure)
    assert b"Overloaded." in out and reading.error is not None
    assert reading.end() == b""
    with pytest.raises(Broken, match="not one of its answers"):
        answer().whole(b"[]")
    assert isinstance(answer().rejected(429, b"{}", 3.0), Overloaded)
