from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.gemini.grammar import violations

Answers = list[dict[str, Any]]


def answer(*parts: object, reason: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "x", **fields}


def call(**fields: Any) -> dict[str, Any]:
    return {"functionCall": {"name": "f", "args": {}, **fields}}


HI = answer({"text": "Hi"})
USAGE = {"promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 6}
END = answer({"text": ""}, reason="STOP", usageMetadata=USAGE)
TEXT = [HI, END]
TOOLS = [answer(call(id="a"), call(id="b")), END]
ERROR = [HI, {"error": {"code": 503, "message": "m", "status": "UNAVAILABLE", "details": []}}]


def sse(answers: Answers) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in answers)


@pytest.mark.parametrize("answers", [TEXT, TOOLS, ERROR, ERROR[1:]], ids=["text", "tools", "error", "at once"])
def test_a_good_stream_has_no_violations(answers: Answers) -> None:
    assert violations(b"\r\n" + sse(answers)) == []
    assert violations(b"\r\n" + json.dumps(answers).encode(), array=True) == []


BAD: list[tuple[str, Answers, str]] = [
    ("nothing", [], "there is no candidate"),
    ("no end", [HI], "candidate 0 has no finishReason"),
    ("no usage", [answer(reason="STOP")], "no usageMetadata"),
    ("bad sum", [{**END, "usageMetadata": {**USAGE, "totalTokenCount": 5}}], "the sum of the usage is wrong"),
    ("goes on", [END, END], "goes on after its finishReason"),
    ("other id", [HI, {**END, "responseId": "y"}], "has changed"),
    ("other model", [HI, {**END, "modelVersion": "y"}], "has changed"),
    ("after an error", [*ERROR, END], "something follows an error"),
    ("no candidates", [{**HI, "candidates": []}, END], "neither an answer nor an error"),
    ("odd error", [{"error": {"message": "m"}}], "neither an answer nor an error"),
    ("odd reason", [{**END, **answer(reason="stop")}], "neither an answer nor an error"),
    ("two things", [answer({"text": "a", **call()}), END], "a part is text and functionCall"),
    ("no thing", [answer({"thought": True}), END], "a part is nothing"),
    ("nameless", [answer(call(name="")), END], "a function call is not whole"),
    ("text arguments", [answer(call(args="{}")), END], "a function call is not whole"),
    ("one id twice", [answer(call(id="a"), call(id="a")), END], "'a' is given twice"),
]


@pytest.mark.parametrize(("answers", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_rule_can_be_broken(answers: Answers, words: str) -> None:
    for found in (violations(sse(answers)), violations(json.dumps(answers).encode(), array=True)):
        assert any(words in one for one in found), found


def test_the_last_event_must_be_closed() -> None:
    assert violations(sse(TEXT)[:-4]) == ["the last event is not closed by an empty line"]


def test_what_does_not_end_is_a_violation() -> None:
    assert "longer than" in violations(b"data: " + b"x" * 9_000_000)[0]
    assert violations(b"[{}", array=True) == ["the stream is not a JSON array"]


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(stream: bytes) -> None:
    assert violations(stream)
    assert violations(stream, array=True)
