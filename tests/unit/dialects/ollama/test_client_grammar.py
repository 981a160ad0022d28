from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects.ollama.client_grammar import violations
from tests.unit.dialects.ollama.client_samples import STAMP

Lines = list[dict[str, Any]]


def line(content: str = "", *, done: bool = False, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **fields.pop("message", {})}
    return {"model": "m", "created_at": STAMP, "message": message, "done": done, **fields}


def tool(arguments: object = None, **fields: Any) -> dict[str, Any]:
    return {"function": {"name": "f", "arguments": arguments or {}}, **fields}


END = line(done=True, done_reason="stop", eval_count=1)
TEXT = [line("Hi"), line("!"), END]
TOOLS = [line(message={"tool_calls": [tool(id="a"), tool({"x": 1})]}), END]
GENERATED = [
    {"model": "m", "created_at": STAMP, "response": text, "done": done, **({"done_reason": "stop"} if done else {})}
    for text, done in (("Hi", False), ("", True))
]
ERROR = [line("Hi"), {"error": "It broke."}]


def stream(lines: Lines) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


@pytest.mark.parametrize(
    "lines", [TEXT, TOOLS, GENERATED, ERROR, ERROR[1:], [END]], ids=["text", "tools", "generate", "error", "1", "end"]
)
def test_a_good_stream_has_no_violations(lines: Lines) -> None:
    assert violations(stream(lines)) == []


BAD: list[tuple[str, Lines, str]] = [
    ("nothing", [], "ends without done"),
    ("no end", TEXT[:2], "ends without done"),
    ("two ends", [*TEXT, END], "something follows the end"),
    ("after an error", [*ERROR, END], "something follows the end"),
    ("no answer", [{"a": 1}, END], "neither an answer nor an error"),
    ("error object", [{"error": {"message": "m"}}], "neither an answer nor an error"),
    ("other model", [{**line("Hi"), "model": "n"}, END], "model has changed"),
    ("mixed", [TEXT[0], GENERATED[1]], "message and response are mixed"),
    ("both", [{**END, "response": ""}], "either message or response"),
    ("no time", [{**END, "created_at": "now"}], "created_at is 'now'"),
    ("no zone", [{**END, "created_at": STAMP[:-1]}], "created_at is"),
    ("backwards", [line("Hi"), {**END, "created_at": "2020-01-01T00:00:00Z"}], "time goes backwards"),
    ("no reason", [line(done=True)], "there is no done_reason"),
    ("odd reason", [{**END, "done_reason": "tool_calls"}], "neither an answer nor an error"),
    ("a float", [{**END, "eval_duration": 1.5}], "neither an answer nor an error"),
    ("a zero", [{**END, "eval_count": 0}], "neither an answer nor an error"),
    ("early", [{**TEXT[0], "eval_count": 1}, END], "eval_count comes before the end"),
    ("late text", [{**line("x", done=True), "done_reason": "stop"}], "the last line has content"),
    ("late call", [{**TOOLS[0], "done": True, "done_reason": "stop"}], "the last line has content"),
    ("late thought", [{**GENERATED[1], "thinking": "Hm"}], "the last line has content"),
    ("text arguments", [line(message={"tool_calls": [tool("{}")]}), END], "neither an answer nor an error"),
    ("one id twice", [line(message={"tool_calls": [tool(id="a"), tool(id="a")]}), END], "'a' is given twice"),
    ("other role", [line(message={"role": "user"}), END], "neither an answer nor an error"),
]


@pytest.mark.parametrize(("lines", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_rule_can_be_broken(lines: Lines, words: str) -> None:
    found = violations(stream(lines))
    assert any(words in one for one in found), found


def test_the_last_line_must_end() -> None:
    assert violations(stream(TEXT)[:-1]) == ["the last line does not end"]


def test_an_endless_line_is_a_violation() -> None:
    assert "longer than" in violations(b"x" * 9_000_000)[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(stream: bytes) -> None:
    assert violations(stream)
