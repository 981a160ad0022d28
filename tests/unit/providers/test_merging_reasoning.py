"""``merge_reasoning_content_in_choices``: reasoning within tags in the text of streams, however they are cut."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Unsupported
from pointsman.core.handling import USUAL, Handling
from pointsman.core.upstream import Ask, Deployment, Operation, may_be_continued
from pointsman.dialects.grammars import check
from pointsman.dialects.openai_fields import read_ask
from pointsman.providers.lanes import LaneBook
from pointsman.providers.translated import AnthropicFar, translated_lane

ANTHROPIC = [
    {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "c",
                                          "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Let me "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "see."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Fine."}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]  # fmt: skip


PLAIN = Deployment(
    id="d", group="own", provider="openai", model="far", litellm_model="openai/far", api_base="http://x/v1", price=None,
    handling=Handling(merges_reasoning=True),
)  # fmt: skip
CLAUDE = msgspec.structs.replace(PLAIN, provider="anthropic")
BODY = b'{"model":"own","messages":[{"role":"user","content":"Hi"}],"stream":true}'
Deltas = list[tuple[int, dict[str, Any], str | None]]


def ask() -> Ask:
    return read_ask(BODY, Operation.CHAT, None)


def lanes(**options: Any) -> LaneBook:
    native = {"anthropic": lambda deployment, operation: translated_lane(operation, AnthropicFar(), deployment)}
    book = LaneBook(native)
    book.follow(**{"continues": False, **options})
    return book


def streamed(data: bytes, deployment: Deployment = PLAIN, step: int | None = None) -> bytes:
    lane = lanes().lane(Operation.CHAT, deployment)
    asked = ask()
    lane.write(asked)
    answer = lane.answer(asked)
    step = step or len(data)
    out = b"".join(answer.feed(data[start : start + step]) for start in range(0, len(data), step))
    return out + answer.end()


def events(deltas: Deltas) -> bytes:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "far"}
    told = [
        {**head, "choices": [{"index": index, "delta": delta, "finish_reason": reason}]}
        for index, delta, reason in deltas
    ]
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in told) + b"data: [DONE]\n\n"


def texts(stream: bytes, index: int = 0) -> list[str | None]:
    chunks = [json.loads(line[6:]) for line in stream.split(b"\n\n") if line.startswith(b"data: {")]
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    assert not any("reasoning_content" in one["delta"] or "reasoning" in one["delta"] for one in choices)
    return [one["delta"].get("content") for one in choices]


THOUGHTFUL: Deltas = [
    (0, {"role": "assistant", "content": "", "reasoning_content": None}, None),
    (0, {"reasoning_content": "Let me "}, None),
    (0, {"reasoning_content": 'see "it".', "content": None}, None),
    (0, {"content": "Fine"}, None),
    (0, {"content": "."}, None),
    (0, {}, "stop"),
]


@pytest.mark.parametrize("step", [1, 7, 64, None])
def test_a_relayed_stream_is_merged_wherever_it_is_cut(step: int | None) -> None:
    stream = streamed(events(THOUGHTFUL), step=step)
    assert texts(stream) == ["", "<think>Let me ", 'see "it".', "</think>Fine", ".", None]
    assert check("openai_chat", stream) == []


def test_the_word_of_other_servers_is_merged_once() -> None:
    deltas: Deltas = [
        (0, {"reasoning": "a", "reasoning_content": "a", "reasoning_details": []}, None),
        (0, {"content": "b"}, None),
        (0, {}, "stop"),
    ]
    assert texts(streamed(events(deltas))) == ["<think>a", "</think>b", None]


def test_tags_are_closed_by_tools_by_the_end_and_within_one_chunk() -> None:
    tool = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    called: Deltas = [(0, {"reasoning_content": "a"}, None), (0, {"tool_calls": [tool]}, None), (0, {}, "tool_calls")]
    assert texts(streamed(events(called))) == ["<think>a", "</think>", None]
    silent: Deltas = [(0, {"reasoning_content": "a"}, None), (0, {}, "length")]
    assert texts(streamed(events(silent))) == ["<think>a", "</think>"]
    both: Deltas = [(0, {"reasoning_content": "a", "content": "b"}, None), (0, {}, "stop")]
    assert texts(streamed(events(both))) == ["<think>a</think>b", None]
    again: Deltas = [*called[:2], (0, {"reasoning_content": "c"}, None), (0, {"content": "d"}, None), (0, {}, "stop")]
    assert texts(streamed(events(again))) == ["<think>a", "</think>", "<think>c", "</think>d", None]


def test_each_choice_has_its_own_tags() -> None:
    deltas: Deltas = [
        (0, {"reasoning_content": "a"}, None),
        (1, {"content": "plain"}, None),
        (0, {"content": "b"}, None),
        (1, {}, "stop"),
        (0, {}, "stop"),
    ]
    stream = streamed(events(deltas))
    assert texts(stream) == ["<think>a", "</think>b", None]
    assert texts(stream, 1) == ["plain", None]


@pytest.mark.parametrize("step", [1, 50, None])
def test_a_translated_stream_is_merged(step: int | None) -> None:
    data = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in ANTHROPIC)
    stream = streamed(data, CLAUDE, step)
    assert "".join(text or "" for text in texts(stream)) == "<think>Let me see.</think>Fine."
    assert check("openai_chat", stream) == []


def test_what_has_no_reasoning_passes_as_it_is() -> None:
    plain = events([(0, {"role": "assistant", "content": ""}, None), (0, {"content": "b"}, None), (0, {}, "stop")])
    usual = msgspec.structs.replace(PLAIN, handling=USUAL)
    assert streamed(plain) == streamed(plain, usual)


def test_nobody_goes_on_with_such_an_answer_nor_does_it_with_others() -> None:
    lane = lanes(continues=True).lane(Operation.CHAT, PLAIN)
    asked = ask()
    assert not may_be_continued(lane.answer(asked))
    asked.continues = msgspec.defstruct("Cut", [])()
    with pytest.raises(Unsupported):
        lane.write(asked)
