from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.call import Call
from pointsman.core.content import ToolCall
from pointsman.core.errors import Broken
from pointsman.core.events import (
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.reply import Embeddings, Reply
from pointsman.core.usage import Usage
from pointsman.dialects.folding import fold
from pointsman.dialects.gemini.client_replies import write_count, write_reply
from pointsman.dialects.gemini.client_streams import StreamForm, StreamWriter
from pointsman.dialects.gemini.embeddings import write_embed_reply
from pointsman.dialects.gemini.grammar import violations
from pointsman.dialects.gemini.replies import read_embeddings, read_reply
from pointsman.dialects.gemini.signatures import pack_call_id
from pointsman.dialects.gemini.streams import StreamReader
from pointsman.wire.sse import SseParser
from tests.support.answers import choice_of

CALL = Call("m", ())
START = Started("x", "up", 1)
USAGE = Usage(10, 8, cached=4, reasoning=3, audio_input=2, audio_output=1, source="measured")
TAIL = {"modelVersion": "m", "responseId": "x"}


def answers(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in SseParser().feed(stream)]


def written(*events: Event, usage: Usage | None = None, **fields: Any) -> list[dict[str, Any]]:
    writer = StreamWriter(CALL, **fields)
    stream = writer.write(events) + writer.end(usage)
    assert violations(stream) == []
    return answers(stream)


def candidate(*parts: object, index: int = 0, **fields: object) -> dict[str, object]:
    return {"content": {"parts": list(parts), "role": "model"}, "index": index, **fields}


def test_an_answer_in_pieces() -> None:
    assert written(START, ThinkingDelta("Hm"), TextDelta("Hi"), Finished("stop"), UsageReported(USAGE)) == [
        {"candidates": [candidate({"text": "Hm", "thought": True})], **TAIL},
        {"candidates": [candidate({"text": "Hi"})], **TAIL},
        {
            "candidates": [candidate({"text": ""}, finishReason="STOP")],
            "usageMetadata": {
                "promptTokenCount": 10,
                "candidatesTokenCount": 5,
                "totalTokenCount": 18,
                "cachedContentTokenCount": 4,
                "thoughtsTokenCount": 3,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 8},
                    {"modality": "AUDIO", "tokenCount": 2},
                ],
                "candidatesTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 4},
                    {"modality": "AUDIO", "tokenCount": 1},
                ],
            },
            **TAIL,
        },
    ]


def test_without_sse_it_is_an_array() -> None:
    writer = StreamWriter(CALL, "array")
    stream = writer.write([START, TextDelta("Hi")]) + writer.write([Finished("stop")]) + writer.end()
    assert violations(stream, array=True) == []
    assert stream.startswith(b'[{"candidates"') and stream.endswith(b"}]")
    assert json.loads(stream)[0] == {"candidates": [candidate({"text": "Hi"})], **TAIL}
    empty = StreamWriter(CALL, "array")
    assert violations(empty.end(), array=True) == []


def test_tool_calls_come_whole_with_their_signatures() -> None:
    found = written(
        START,
        ToolCallStarted(0, "a", "f", signature="U2ln"),
        ToolCallDelta(0, '{"a"'),
        ToolCallStarted(1, pack_call_id("b", "T3Ro"), "g"),
        ToolCallDelta(0, ":1}"),
        Finished("tool_calls"),
    )
    assert found[0]["candidates"] == [
        candidate(
            {"functionCall": {"name": "f", "args": {"a": 1}, "id": "a"}, "thoughtSignature": "U2ln"},
            {"functionCall": {"name": "g", "args": {}, "id": "b"}, "thoughtSignature": "T3Ro"},
        )
    ]
    assert found[1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize(
    ("reason", "native", "expected"),
    [
        ("stop", None, "STOP"),
        ("stop", "end_turn", "STOP"),
        ("length", None, "MAX_TOKENS"),
        ("content_filter", None, "SAFETY"),
        ("content_filter", "RECITATION", "RECITATION"),
        ("stop", "OTHER", "OTHER"),
    ],
)
def test_the_reason(reason: FinishReason, native: str | None, expected: str) -> None:
    assert written(START, Finished(reason, native=native))[-1]["candidates"][0]["finishReason"] == expected
    whole = Reply("x", "up", 1, (choice_of(finish_reason=reason, native_reason=native),))
    assert json.loads(write_reply(whole, CALL))["candidates"][0]["finishReason"] == expected


def test_choices_are_candidates() -> None:
    found = written(START, TextDelta("b", 1), TextDelta("a"), Finished("stop", 1), Finished("length"))
    assert [one["candidates"][0]["index"] for one in found[:2]] == [1, 0]
    assert [one["finishReason"] for one in found[2]["candidates"]] == ["MAX_TOKENS", "STOP"]


def test_reasoning_can_be_hidden_and_its_signature_comes_last() -> None:
    events: list[Event] = [START, ThinkingDelta("Hm"), ThinkingSigned("U2ln"), RefusalDelta("No."), Finished("stop")]
    found = written(*events, include_thoughts=False)
    assert [one["candidates"][0]["content"]["parts"] for one in found] == [
        [{"text": "No."}],
        [{"text": "", "thoughtSignature": "U2ln"}],
    ]
    strange = written(START, ThinkingSigned("not base64"), Finished("stop"))
    assert strange[-1]["candidates"][0]["content"]["parts"] == [{"text": ""}]


def test_log_probabilities_come_with_their_text() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": [{"token": "Ho", "logprob": -1.5}]}
    probabilities = LogprobsDelta(msgspec.Raw(json.dumps([token]).encode()))
    found = written(START, probabilities, TextDelta("Hi"), LogprobsDelta(msgspec.Raw(b"[7]")), Finished("stop"))
    assert found[0]["candidates"][0]["logprobsResult"] == {
        "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "Ho", "logProbability": -1.5}]}],
    }
    assert "logprobsResult" not in found[1]["candidates"][0]


def test_what_the_upstream_counted_goes_before_an_estimate() -> None:
    assert written(START, Finished("stop"), usage=Usage(7, 8))[-1]["usageMetadata"]["totalTokenCount"] == 15
    found = written(START, Finished("stop"), UsageReported(USAGE), usage=Usage(7, 8))
    assert found[-1]["usageMetadata"]["totalTokenCount"] == 18


@pytest.mark.parametrize("form", ["sse", "array"])
def test_a_failure_is_an_object_and_the_end(form: StreamForm) -> None:
    writer = StreamWriter(CALL, form)
    stream = writer.write([START, TextDelta("Hi"), Failed(Broken("It broke.")), TextDelta("no")])
    assert writer.end() == writer.fail(Broken("again")) == writer.write([TextDelta("no")]) == b""
    assert violations(stream, array=form == "array") == []
    assert b'"message":"It broke."' in stream and b"no" not in stream.replace(b"reason", b"")


@pytest.mark.parametrize("arguments", ["[1]", "{", "\ud83d"])
def test_arguments_that_are_no_object_end_in_an_error_unless_they_were_cut_off(arguments: str) -> None:
    events: list[Event] = [START, ToolCallStarted(0, "x", "f"), ToolCallDelta(0, arguments)]
    writer = StreamWriter(CALL)
    writer.write([*events, Finished("tool_calls")])
    assert "not a JSON object" in answers(writer.end())[-1]["error"]["message"]
    assert len(written(*events, Finished("length"))) == 1
    with pytest.raises(Broken):
        write_reply(fold([*events, Finished("tool_calls")]), CALL)


def test_a_whole_answer() -> None:
    choice = choice_of(
        text="Hi",
        thinking="Hm",
        signature="U2ln",
        tool_calls=(ToolCall("a", "f", "{}"),),
        finish_reason="tool_calls",
    )
    assert json.loads(write_reply(Reply("x", "up", 1, (choice,), Usage(1, 2)), CALL)) == {
        "candidates": [
            candidate(
                {"text": "Hm", "thought": True},
                {"text": "Hi", "thoughtSignature": "U2ln"},
                {"functionCall": {"name": "f", "args": {}, "id": "a"}},
                finishReason="STOP",
            )
        ],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
        **TAIL,
    }
    empty = json.loads(write_reply(Reply("x", "up", 1, (choice_of(thinking="Hm"),)), CALL, include_thoughts=False))
    assert empty["candidates"][0]["content"]["parts"] == [{"text": ""}]


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@st.composite
def events_of(draw: st.DrawFn) -> list[Event]:
    """A whole answer in the order in which Gemini gives one."""
    events: list[Event] = [Started("x", "m", 1)]
    events += [ThinkingDelta(words) for words in draw(st.lists(WORDS, max_size=2))]
    events += [TextDelta(words) for words in draw(st.lists(WORDS, max_size=3))]
    names = draw(st.lists(WORDS, max_size=2))
    for slot, name in enumerate(names):
        signature = draw(st.sampled_from([None, "U2ln"]))
        arguments = draw(st.sampled_from(["{}", '{"a":[1,null]}']))
        events += [ToolCallStarted(slot, f"id{slot}", name, signature=signature), ToolCallDelta(slot, arguments)]
    if draw(st.booleans()):
        events.append(ThinkingSigned("U2ln", signer="gemini"))
    natural: FinishReason = "tool_calls" if names else "stop"
    events.append(draw(st.sampled_from([Finished(natural), Finished("length"), Finished("content_filter", 0, "SPII")])))
    reasoning = draw(st.integers(0, 5))
    usage = Usage(
        draw(st.integers(0, 99)), reasoning + draw(st.integers(0, 99)), reasoning=reasoning, source="measured"
    )
    return [*events, UsageReported(usage)]


@given(events_of(), st.lists(st.integers(0, 20)), st.sampled_from(["sse", "array"]))
def test_the_reader_reads_back_what_is_written(events: list[Event], edges: list[int], form: StreamForm) -> None:
    writer = StreamWriter(CALL, form)
    pieces = [events[a:b] for a, b in itertools.pairwise([0, *sorted(edges), len(events)])]
    stream = b"".join(writer.write(piece) for piece in pieces) + writer.end()
    assert violations(stream, array=form == "array") == []
    reader = StreamReader()
    items = (
        [event.data for event in SseParser().feed(stream)]
        if form == "sse"
        else [bytes(item) for item in msgspec.json.decode(stream, type=list[msgspec.Raw])]
    )
    found = [event for item in items for event in reader.feed(item)] + reader.end()
    assert isinstance(found[0], Started)
    assert [msgspec.structs.replace(found[0], created=1), *found[1:]] == events


@given(events_of())
def test_whole_answers_are_read_back_alike(events: list[Event]) -> None:
    whole = fold(events)
    found = read_reply(write_reply(whole, CALL))
    assert msgspec.structs.replace(found, created=1, choices=()) == msgspec.structs.replace(whole, choices=())
    # The signature stands on the last text, and so before the calls.
    given, expected = (
        [(choice.thoughts, choice.text, choice.tool_calls, choice.finish_reason) for choice in reply.choices]
        for reply in (found, whole)
    )
    assert given == expected


def test_counts_and_embeddings() -> None:
    assert json.loads(write_count(7)) == {"totalTokens": 7}
    embeddings = Embeddings("m", ((0.5, 1.0), (2.0,)), Usage(3, source="measured"))
    assert read_embeddings(write_embed_reply(embeddings, batch=True), "m", 2) == embeddings
    one = json.loads(write_embed_reply(Embeddings("m", ((0.5, 1.0),)), batch=False))
    assert one == {"embedding": {"values": [0.5, 1.0]}}
    assert json.loads(write_embed_reply(Embeddings("m", ()), batch=False)) == {"embedding": {"values": []}}
