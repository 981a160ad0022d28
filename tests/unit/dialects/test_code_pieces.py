"""Code that a provider runs, while it comes: read out of pieces of JSON, and told by every dialect as it can."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.call import Call
from pointsman.core.content import Message, ServerToolUse, Text
from pointsman.core.events import CodeDelta, Event, Finished, PartGiven, Started, TextDelta
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.anthropic_messages import grammar as anthropic_grammar
from pointsman.dialects.anthropic_messages.streams import StreamReader as AnthropicReader
from pointsman.dialects.code_pieces import TextPieces
from pointsman.dialects.folding import fold
from pointsman.dialects.gemini import grammar as gemini_grammar
from pointsman.dialects.ollama import client_grammar as ollama_grammar
from pointsman.dialects.openai_chat import grammar as chat_grammar
from pointsman.dialects.openai_responses import grammar as responses_grammar
from pointsman.dialects.openai_responses.streams import StreamReader as ResponsesReader
from pointsman.providers.translated import CLIENTS

CALL = Call("m", (Message("user", (Text("?"),)),), stream=True, include_usage=True)
CLIENT_GRAMMARS: dict[Operation, Callable[[bytes], list[str]]] = {
    Operation.CHAT: chat_grammar.violations,
    Operation.MESSAGES: anthropic_grammar.violations,
    Operation.RESPONSES: responses_grammar.violations,
    Operation.GEMINI_STREAM: gemini_grammar.violations,
    Operation.OLLAMA_CHAT: ollama_grammar.violations,
}
BODIES: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "?"}]},
    Operation.MESSAGES: {"max_tokens": 9, "messages": [{"role": "user", "content": "?"}]},
    Operation.RESPONSES: {"input": "?", "store": False},
    Operation.GEMINI_STREAM: {"contents": [{"parts": [{"text": "?"}]}]},
    Operation.OLLAMA_CHAT: {"messages": [{"role": "user", "content": "?"}]},
}


@settings(deadline=None)
@given(st.text(max_size=30), st.lists(st.integers(0, 200), max_size=6), st.booleans())
def test_pieces_of_any_size_give_the_text_and_nothing_else(text: str, cuts: list[int], ascii_only: bool) -> None:
    whole = json.dumps({"code": text}, ensure_ascii=ascii_only)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = TextPieces()
    told = "".join(pieces.feed(whole[start:end]) for start, end in pairwise(places))
    assert told == pieces.told
    assert text.startswith(told) and told + pieces.left(text) == text


@pytest.mark.parametrize("json_text", ['{"path":"a","code":"b"}', "[1]", '{"code":7}'])
def test_of_anything_else_nothing_is_told(json_text: str) -> None:
    assert TextPieces().feed(json_text) == ""


def test_a_beginning_without_end_is_not_kept() -> None:
    pieces = TextPieces()
    assert pieces.feed(" " * 300) + pieces.feed('{"code":"a"}') == ""


def use(text: str, use_id: str = "u1", output: str | None = None) -> ServerToolUse:
    return ServerToolUse(use_id, "code", text, "python", output, at=5)


def told(operation: Operation, *events: Event) -> bytes:
    ask = Ask(
        operation, "m", {name: msgspec.Raw(json.dumps(value).encode()) for name, value in BODIES[operation].items()}
    )
    client = CLIENTS[operation]
    writer = client.writing(client.read(ask), ask).writer
    return writer.write([Started("1", "up", 1), *events]) + writer.end()


CODED: tuple[Event, ...] = (
    TextDelta("Look:"),
    CodeDelta(use('a = "')),
    CodeDelta(use('1"\n')),
    CodeDelta(use(""), complete=True),
    PartGiven(use('a = "1"\n', output="1")),
    TextDelta("Done."),
    Finished("stop"),
)
STREAMS: dict[str, tuple[Event, ...]] = {
    "as it should be": CODED,
    "two at once": (
        CodeDelta(use("a")),
        CodeDelta(use("b"), complete=True),
        CodeDelta(use("c", "u2"), complete=True),
        TextDelta("?"),
        PartGiven(use("c", "u2", "2")),
        PartGiven(use("ab", output="1")),
        Finished("stop"),
    ),
    "no result": (CodeDelta(use("a"), complete=True), Finished("stop")),
    "another code in the end": (CodeDelta(use("a"), complete=True), PartGiven(use("b", output="1")), Finished("stop")),
    "nothing": (CodeDelta(use(""), complete=True), PartGiven(use("", output="1")), Finished("stop")),
}


@pytest.mark.parametrize("operation", CLIENT_GRAMMARS)
@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
def test_every_client_is_told_within_its_grammar(operation: Operation, events: tuple[Event, ...]) -> None:
    assert CLIENT_GRAMMARS[operation](told(operation, *events)) == []


@pytest.mark.parametrize("operation", CLIENT_GRAMMARS)
def test_in_the_end_a_client_has_what_it_has_of_an_answer_in_one_piece(operation: Operation) -> None:
    once = tuple(event for event in CODED if not isinstance(event, CodeDelta))
    in_pieces, whole = told(operation, *CODED), told(operation, *once)
    for words in ("Look:", "Done."):
        assert words.encode() in in_pieces and words.encode() in whole
    read = {Operation.MESSAGES: AnthropicReader, Operation.RESPONSES: ResponsesReader}.get(operation)
    if read is not None:
        assert parts_of(read(), in_pieces) == parts_of(read(), whole)


def parts_of(reader: Any, stream: bytes) -> Any:
    """What an answer is made of; ids are other ones each time."""
    frames = [block.partition(b"data: ")[2] for block in stream.split(b"\n\n") if b"data: " in block]
    reply = fold([*(event for frame in frames for event in reader.feed(frame)), *reader.end()])
    parts = reply.choices[0].parts
    return [msgspec.structs.replace(part, id="") if isinstance(part, ServerToolUse) else part for part in parts]


def test_the_fold_passes_over_them() -> None:
    assert fold([Started("1", "m", 1), *CODED]).choices[0].parts == (
        Text("Look:"),
        use('a = "1"\n', output="1"),
        Text("Done."),
    )
