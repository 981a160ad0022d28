from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.content import Audio, Image, ServerToolUse
from pointsman.core.errors import Broken
from pointsman.core.events import (
    CodeDelta,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsDelta,
    PartGiven,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.reply import Embeddings
from pointsman.core.usage import Usage
from pointsman.dialects.gemini.replies import read_count, read_embeddings, read_reply
from pointsman.dialects.gemini.streams import StreamReader
from tests.support.answers import choice_of


class StoppedClock:
    def wall(self) -> float:
        return 7.9

    def monotonic(self) -> float:
        return 0.0


def counted_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


def reader(**fields: Any) -> StreamReader:
    return StreamReader("up", new_id=counted_ids(), clock=StoppedClock(), **fields)


def answer(*parts: object, reason: str | None = None, index: int = 0, **fields: object) -> dict[str, Any]:
    candidate: dict[str, object] = {"content": {"parts": list(parts), "role": "model"}, "index": index}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "up", "responseId": "x", **fields}


def text(words: str, **fields: object) -> dict[str, object]:
    return {"text": words, **fields}


def call(name: str, args: object, **fields: object) -> dict[str, object]:
    return {"functionCall": {"name": name, "args": args, **fields}}


def read(*answers: object, **fields: Any) -> list[Event]:
    found = reader(**fields)
    events: list[Event] = []
    for one in answers:
        events += found.feed(one if isinstance(one, bytes) else json.dumps(one).encode())
    return [*events, *found.end()]


START = Started("x", "up", 7)
USAGE = {
    "promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4,
    "toolUsePromptTokenCount": 2, "totalTokenCount": 20,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 4}, {"modality": "AUDIO", "tokenCount": 1}],
}  # fmt: skip


def test_an_answer_in_pieces_counts_once_at_its_end() -> None:
    early = {"promptTokenCount": 10, "totalTokenCount": 10}
    assert read(
        answer(text("Hm", thought=True), usageMetadata=early),
        answer(text("Hi")),
        answer(text("!"), reason="STOP", usageMetadata=USAGE),
    ) == [
        START,
        ThinkingDelta("Hm"),
        TextDelta("Hi"),
        TextDelta("!"),
        Finished("stop"),
        UsageReported(
            Usage(12, 8, cached=4, reasoning=3, audio_input=6, audio_output=1, source="measured"),
        ),
    ]


def test_what_gemini_leaves_out_is_made_up() -> None:
    assert read(b"", {"candidates": [{"finishReason": "STOP"}]}) == [Started("gemini-1", "", 7), Finished("stop")]


def test_calls_are_numbered_and_named() -> None:
    events = read(answer(call("f", {"a": 1}, id="y"), call("g", None)), answer(call("f", {}, id="y"), reason="STOP"))
    assert events == [
        START,
        ToolCallStarted(0, "y", "f"),
        ToolCallDelta(0, '{"a":1}'),
        ToolCallStarted(1, "call_1", "g"),
        ToolCallDelta(1, "{}"),
        ToolCallStarted(2, "call_2", "f"),
        ToolCallDelta(2, "{}"),
        Finished("tool_calls"),
    ]


def test_only_the_first_call_is_kept_where_one_at_a_time_is_wanted() -> None:
    events = read(answer(call("f", {}), call("g", {}), reason="STOP"), single_tool_call=True)
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == ["f"]


def test_signatures_are_kept_and_go_into_the_id_where_that_is_wanted() -> None:
    signed = answer({**call("f", {}, id="y"), "thoughtSignature": "U2ln"}, reason="STOP")
    assert read(signed)[1] == ToolCallStarted(0, "y", "f", signature="U2ln")
    assert read(signed, pack_signatures=True)[1] == ToolCallStarted(0, "thought-b4-U2ln-y", "f", signature="U2ln")
    assert read(answer(text("Hi"), text("", thoughtSignature="U2ln"), reason="STOP"))[1:3] == [
        TextDelta("Hi"),
        ThinkingSigned("U2ln", signer="gemini"),
    ]
    assert read(answer(text("Hi", thoughtSignature="U2ln"), reason="STOP"))[1:3] == [
        TextDelta("Hi"),
        ThinkingSigned("U2ln", signer="gemini"),
    ]


def test_code_that_ran_is_told_with_what_it_gave() -> None:
    ran = answer(
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        reason="STOP",
    )
    use = ServerToolUse("code_1", "code", "print(1)", "python", "1", dialect="gemini")
    code = msgspec.structs.replace(use, output=None)
    assert read(ran)[1:4] == [CodeDelta(code, complete=True), PartGiven(use), Finished("stop")]
    alone = answer({"executableCode": {"code": "print(1)"}}, text("x"), reason="STOP")
    assert read(alone)[1:4] == [CodeDelta(code, complete=True), PartGiven(code), TextDelta("x")]


def test_images_and_sounds_are_given_and_drafts_are_not() -> None:
    image, sound = Image("AAAA", "image/png"), Audio("AAAA", "L16;rate=24000")
    given = answer(
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}},
        reason="STOP",
    )
    assert read(given)[1:3] == [PartGiven(image), PartGiven(sound)]


def test_candidates_are_choices() -> None:
    assert read(answer(text("a")), answer(text("b"), index=1, reason="STOP"), answer(reason="MAX_TOKENS"))[1:] == [
        TextDelta("a"),
        TextDelta("b", 1),
        Finished("stop", 1),
        Finished("length"),
    ]


@pytest.mark.parametrize(
    ("said", "with_calls", "expected", "native"),
    [
        ("STOP", False, "stop", None),
        ("STOP", True, "tool_calls", None),
        ("FUNCTION_CALL", True, "tool_calls", "FUNCTION_CALL"),
        ("MAX_TOKENS", True, "length", None),
        ("SAFETY", False, "content_filter", "SAFETY"),
        ("RECITATION", False, "content_filter", "RECITATION"),
        ("OTHER", False, "stop", "OTHER"),
        ("NOVEL", False, "stop", "NOVEL"),
        ("MALFORMED_FUNCTION_CALL", True, "stop", "MALFORMED_FUNCTION_CALL"),
    ],
)
def test_the_reason(said: str, with_calls: bool, expected: FinishReason, native: str | None) -> None:
    parts = [call("f", {})] if with_calls else [text("Hi")]
    assert read(answer(*parts, reason=said))[-1] == Finished(expected, native=native)


def test_a_call_that_came_to_nothing_is_a_failure() -> None:
    broken = answer(reason="MALFORMED_FUNCTION_CALL")
    broken["candidates"][0]["finishMessage"] = "Malformed function call: f("
    failed = read(broken)[-1]
    assert isinstance(failed, Failed)
    assert failed.error.code == "malformed_function_call"
    assert "f(" in failed.error.message


def test_a_prompt_that_was_blocked_has_no_answer() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": "up", "responseId": "x"}
    assert read({**blocked, "usageMetadata": {"promptTokenCount": 3}}) == [
        START,
        Finished("content_filter", native="PROHIBITED_CONTENT"),
        UsageReported(Usage(3, source="measured")),
    ]


def test_log_probabilities_are_openais() -> None:
    result = {
        "chosenCandidates": [{"token": "Hi", "tokenId": 7, "logProbability": -0.5}, {"token": "é"}],
        "topCandidates": [{"candidates": [{"token": "Ho", "logProbability": -1.5}]}],
    }
    chunk = answer(text("Hié"), reason="STOP")
    chunk["candidates"][0]["logprobsResult"] = result
    found = read(chunk)[1]
    assert isinstance(found, LogprobsDelta)
    assert json.loads(bytes(found.content)) == [
        {
            "token": "Hi",
            "logprob": -0.5,
            "bytes": [72, 105],
            "top_logprobs": [{"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}],
        },
        {"token": "é", "logprob": 0.0, "bytes": [195, 169], "top_logprobs": []},
    ]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([], "before the answer had begun"),
        ([answer(text("Hi"))], "before the answer was complete"),
        ([answer(text("Hi")), b"<html>"], "not one of its answers"),
        ([b"\xff"], "not one of its answers"),
        ([answer(text("Hi")), {"error": {"code": 503, "message": "overloaded"}}], "overloaded"),
        ([answer({"inlineData": {"mimeType": "video/mp4", "data": ""}}, reason="STOP")], "video/mp4"),
        ([{"usageMetadata": {"promptTokenCount": 1}}], "before the answer had begun"),
        ([answer(text("Hi"), usageMetadata={"promptTokenCount": -1})], "not one of its answers"),
    ],
)
def test_a_stream_that_goes_wrong_fails_once(answers: list[object], words: str) -> None:
    events = read(*answers, answer(text("more"))) if len(answers) > 1 else read(*answers)
    failures = [event for event in events if isinstance(event, Failed)]
    assert len(failures) == 1 and events[-1] is failures[0]
    assert words in failures[0].error.message


def test_nothing_of_a_candidate_is_read_behind_its_end() -> None:
    assert read(answer(text("a"), reason="STOP"), answer(text("b"))) == [START, TextDelta("a"), Finished("stop")]


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_frames_give_events_and_never_an_exception(frames: list[bytes]) -> None:
    assert isinstance(read(*frames)[-1], Failed)


def test_a_whole_answer_is_a_stream_of_one() -> None:
    body = json.dumps(answer(text("Hm", thought=True), text("Hi", thoughtSignature="U2ln"), reason="STOP")).encode()
    reply = read_reply(body, reader())
    assert reply.choices == (
        choice_of(text="Hi", thinking="Hm", signature="U2ln", signer="gemini", finish_reason="stop"),
    )
    with pytest.raises(Broken):
        read_reply(b"{}")


def test_embeddings_and_counts() -> None:
    assert read_embeddings(b'{"embeddings":[{"values":[1,0.5]},{"values":[2]}]}', "m", 2) == Embeddings(
        "m", ((1.0, 0.5), (2.0,))
    )
    one = read_embeddings(b'{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":3}}', "m")
    assert one == Embeddings("m", ((1.0,),), Usage(3, source="measured"))
    assert read_count(b'{"totalTokens":7,"cachedContentTokenCount":1}') == 7
    for body in (b"", b"[]", b'{"embeddings":7}'):
        with pytest.raises(Broken):
            read_embeddings(body, "m")
        with pytest.raises(Broken):
            read_count(body)
    with pytest.raises(Broken, match="2 inputs with 0"):
        read_embeddings(b"{}", "m", 2)


def test_a_null_error_is_none() -> None:
    assert isinstance(read({**answer(text("Hi"), reason="STOP"), "error": None})[-1], Finished)
