"""What a real Ollama answered (``ollama-0.17.4.json``: bytes as they came), read as the gateway reads it.

Recorded from a build of that version with the demo's model, on a CPU; ``tests/real/ollama_program.py`` has the
templates of the models. Where a number or a word of a row is asserted, it is one that Ollama itself put there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pointsman.core.events import Event, Failed
from pointsman.core.reply import Reply
from pointsman.dialects.folding import fold
from pointsman.dialects.ollama.client_grammar import violations
from pointsman.dialects.ollama.errors import read_error
from pointsman.dialects.ollama.replies import read_embeddings
from pointsman.dialects.ollama.streams import StreamReader
from pointsman.wire.ndjson import LineSplitter


class Row(msgspec.Struct, frozen=True):
    """A request and its answer."""

    name: str
    path: str
    status: int
    content_type: str
    body: str


ROWS = {
    row.name: row
    for row in msgspec.json.decode(Path(__file__).with_name("ollama-0.17.4.json").read_bytes(), type=list[Row])
}
SLICE = 97


def read(name: str) -> Reply:
    """An answer, streamed or not, in pieces that respect no line."""
    reader, splitter, body = StreamReader(name), LineSplitter(), ROWS[name].body.encode()
    lines = [line for at in range(0, len(body), SLICE) for line in splitter.feed(body[at : at + SLICE])]
    events: list[Event] = [event for line in [*lines, *splitter.end()] for event in reader.feed(line)]
    events += reader.end()
    assert not any(isinstance(event, Failed) for event in events), events[-1]
    return fold(events)


def told(name: str) -> list[dict[str, Any]]:
    """The objects of an answer."""
    return [json.loads(line) for line in ROWS[name].body.splitlines()]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if '"eval_count"' in row.body])
def test_an_answer_loses_nothing(name: str) -> None:
    reply, lines = read(name), told(name)
    said = [line.get("message", {"content": line.get("response", "")}) for line in lines]
    choice = reply.choices[0]
    assert choice.text == "".join(one.get("content") or "" for one in said)
    assert choice.thinking == "".join(one.get("thinking") or "" for one in said)
    calls = [call["function"] for one in said for call in one.get("tool_calls") or ()]
    assert [(call.name, json.loads(call.arguments)) for call in choice.tool_calls] == [
        (call["name"], call["arguments"]) for call in calls
    ]
    assert choice.finish_reason == ("tool_calls" if calls else lines[-1]["done_reason"])
    counts = lines[-1].get("prompt_eval_count", 0), lines[-1].get("eval_count", 0)
    assert (reply.usage.prompt, reply.usage.completion) == counts


@pytest.mark.parametrize("name", ["chat-loop", "chat-loop-whole"])
def test_a_model_in_a_loop_is_stopped_without_a_word_and_was_cut_short(name: str) -> None:
    assert not any(line["done"] for line in told(name))
    reply = read(name)
    assert reply.choices[0].finish_reason == "length"
    assert reply.choices[0].text.count(" no") == 31
    assert reply.usage.source == "none"


def test_of_thinking_before_a_schema_only_the_last_part_is_counted() -> None:
    """Ollama asks the model twice for that, and tells of the second time."""
    reply, plain = read("chat-think-schema"), read("chat-think")
    assert reply.choices[0].thinking == plain.choices[0].thinking
    assert reply.usage.prompt > plain.usage.prompt


@pytest.mark.parametrize("name", ["chat-stream", "chat-logprobs-stream", "chat-think-stream", "generate-stream"])
def test_its_streams_keep_the_grammar(name: str) -> None:
    assert violations(ROWS[name].body.encode()) == []


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("chat-unknown", 404, "model_not_found"),
        ("chat-long", 400, "context_length_exceeded"),
        ("chat-long-whole", 400, "context_length_exceeded"),
        ("embed-long", 400, "context_length_exceeded"),
        ("bert-long", 400, "context_length_exceeded"),
        ("chat-think-no", 400, "unsupported_parameter"),
        ("chat-think-level", 400, "unsupported_parameter"),
        ("chat-tools-no", 400, "unsupported_parameter"),
        ("chat-of-embed", 400, "unsupported_parameter"),
        ("generate-suffix", 400, "unsupported_parameter"),
        ("chat-badopt", 400, "invalid_value"),
        ("chat-badformat", 400, "invalid_value"),
        ("chat-badschema", 400, "invalid_value"),
    ],
)
def test_its_errors_mean_what_they_say(name: str, status: int, code: str) -> None:
    row = ROWS[name]
    error = read_error(row.status, row.body.encode(), "m")
    assert (error.status, error.code) == (status, code)
    assert json.loads(row.body)["error"].rstrip(".") in error.told()


@pytest.mark.parametrize(("name", "vectors", "length"), [("bert", 2, 32), ("embed-dims", 1, 4), ("bert-empty", 0, 0)])
def test_its_embeddings(name: str, vectors: int, length: int) -> None:
    found = read_embeddings(ROWS[name].body.encode(), vectors)
    assert [len(vector) for vector in found.vectors] == [length] * vectors
    assert found.usage.prompt == told(name)[0].get("prompt_eval_count", 0)
