"""Frames that are known again are read as they would be if nobody knew them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from pointsman.core.events import Cited, Event, TextDelta
from pointsman.dialects.anthropic_messages.streams import StreamReader as AnthropicReader
from pointsman.dialects.openai_chat.streams import StreamReader as ChatReader
from tests.support.steps import steps


class Reader(Protocol):
    def feed(self, frame: bytes) -> list[Event]: ...


def chunk(content: object, index: int = 0, **more: object) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": content}, "logprobs": None, "finish_reason": None}
    return {"id": "c1", "created": 7, "model": "m", "choices": [choice], **more}


def delta(text: object, index: int = 0, **more: object) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}, **more}


def chat() -> Reader:
    reader = ChatReader()
    reader.feed(json.dumps(chunk("", usage=None)).encode())
    return reader


def messages() -> Reader:
    reader = AnthropicReader()
    reader.feed(b'{"type":"message_start","message":{"id":"msg_1","model":"m"}}')
    return reader


KINDS = [pytest.param(chat, chunk, id="chat"), pytest.param(messages, delta, id="messages")]
WORDS = [
    " you",
    'a "quote" and \\',
    "line\nbreak",
    "é ✓ 🙂",
    '"content":"no"',
    '"text":"no"',
    "}]}",
    " ",
    "0",
    "",
    None,
]


@pytest.mark.parametrize(("begun", "frame"), KINDS)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_all_words_come_through(
    begun: Callable[[], Reader], frame: Callable[[object], dict[str, Any]], separators: tuple[str, str], is_ascii: bool
) -> None:
    reader = begun()
    for word in [*WORDS, *reversed(WORDS)]:
        told = json.dumps(frame(word), ensure_ascii=is_ascii, separators=separators).encode()
        assert reader.feed(told) == ([TextDelta(word)] if word else []), word


@pytest.mark.parametrize(("begun", "frame"), KINDS)
def test_the_next_word_is_less_work(begun: Callable[[], Reader], frame: Callable[[object], dict[str, Any]]) -> None:
    reader = begun()
    told = json.dumps(frame(" word")).encode()
    first = steps(lambda: reader.feed(told))
    assert steps(lambda: reader.feed(told)) < first / 3


@pytest.mark.parametrize(("begun", "frame"), KINDS)
@pytest.mark.parametrize(
    "broken",
    [
        lambda told: told.replace(b" word", b"\xff"),
        lambda told: told.replace(b'" word"', b'" wo"rd"'),
        lambda told: told.replace(b'" word"', b'" word'),
        lambda told: told.replace(b" word", b"\\ud800"),
        lambda told: told[:-1],
    ],
    ids=["not UTF-8", "a quote", "no end", "half a pair", "cut"],
)
def test_what_cannot_be_read_fails_as_it_did(
    begun: Callable[[], Reader], frame: Callable[[object], dict[str, Any]], broken: Callable[[bytes], bytes]
) -> None:
    told = json.dumps(frame(" word")).encode()
    knowing, fresh = begun(), begun()
    for _ in range(3):
        knowing.feed(told)
    wrong = broken(told)
    assert [type(event) for event in knowing.feed(wrong)] == [type(event) for event in fresh.feed(wrong)]


def test_a_key_that_is_there_twice_says_its_last_value() -> None:
    reader = chat()
    told = b'{"choices":[{"index":0,"delta":{"content":"first","content":"last"}}]}'
    assert reader.feed(told) == reader.feed(told) == [TextDelta("last")]


def test_the_same_words_elsewhere_in_a_frame_stay_there() -> None:
    reader = chat()
    for word in ("one", "two", "three"):
        told = {"note": {"content": "one"}, **chunk(word)}
        assert reader.feed(json.dumps(told).encode()) == [TextDelta(word)]


def test_two_choices_are_told_apart() -> None:
    reader = chat()
    for number in range(40):
        told = json.dumps(chunk(f"word {number}", number % 2)).encode()
        assert TextDelta(f"word {number}", number % 2) in reader.feed(told)


def test_nothing_is_said_behind_the_end() -> None:
    reader = chat()
    told = json.dumps(chunk("word")).encode()
    for _ in range(3):
        reader.feed(told)
    reader.feed(b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
    assert reader.feed(told) == []


def test_sources_that_come_late_find_their_numbers() -> None:
    reader = chat()
    for _ in range(3):
        reader.feed(json.dumps(chunk("word")).encode())
    reader.feed(json.dumps(chunk("more", citations=["http://a/"])).encode())
    reader.feed(json.dumps(chunk("as in [1]")).encode())
    last = reader.feed(b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
    assert [(one.citation.start, one.citation.end) for one in last if isinstance(one, Cited)] == [(10, 13)]
