from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from pointsman.dialects.openai_chat.grammar import violations
from pointsman.wire.sse import SseParser
from tests.unit.dialects.golden_cases import (
    CASES,
    FOLDER,
    OUTPUTS,
    client_stream,
    expected_files,
    reader_of,
    request_of,
)

FILES = [(case, name) for case in CASES for name in expected_files(case)]
STREAMS = [case for case, name in FILES if name == "client.sse"]
WHOLE = [case for case in STREAMS if case not in {"cut_off", "error_in_stream", "garbage_in_stream"}]


def test_there_are_cases_of_each_kind() -> None:
    assert len(CASES) >= 25
    assert {name for _, name in FILES} == set(OUTPUTS)


@pytest.mark.parametrize(("case", "name"), FILES)
def test_what_is_written_is_what_the_file_says(case: str, name: str) -> None:
    assert OUTPUTS[name][1](case).decode() == (FOLDER / case / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("case", STREAMS)
def test_every_stream_keeps_the_grammar(case: str) -> None:
    assert violations(client_stream(case), include_usage=request_of(case).include_usage) == []


@pytest.mark.parametrize("case", STREAMS)
def test_the_pieces_in_which_ollamas_bytes_come_do_not_matter(case: str) -> None:
    stream = (FOLDER / case / "ollama.ndjson").read_bytes()
    expected = client_stream(case)
    assert client_stream(case, [bytes([byte]) for byte in stream]) == expected
    for place in range(1, len(stream), 7):
        assert client_stream(case, [stream[:place], stream[place:]]) == expected


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 5000), max_size=8), st.integers(0, 5000))
def test_a_stream_that_is_cut_anywhere_ends_in_an_error_within_the_grammar(
    case: str, places: list[int], end: int
) -> None:
    stream = (FOLDER / case / "ollama.ndjson").read_bytes().rstrip()
    stream = stream[: end % len(stream)]
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    written = client_stream(case, [stream[a:b] for a, b in itertools.pairwise(edges)])
    assert violations(written) == []
    assert written.endswith(b"}}\n\ndata: [DONE]\n\n") and b'data: {"error":' in written


@pytest.mark.parametrize("case", WHOLE)
def test_the_official_sdk_can_read_what_is_written(case: str) -> None:
    data = [event.data for event in SseParser().feed((FOLDER / case / "client.sse").read_bytes())]
    chunks = [ChatCompletionChunk.model_validate_json(frame, strict=True) for frame in data[:-1]]
    reply = ChatCompletion.model_validate_json((FOLDER / case / "client_reply.json").read_bytes(), strict=True)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == (reply.choices[0].message.content or "")
    assert {chunk.id for chunk in chunks} == {reply.id}
    finish = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert finish == [reply.choices[0].finish_reason]


def test_parallel_calls_are_two_calls_with_json_arguments_for_the_official_sdk() -> None:
    data = [event.data for event in SseParser().feed((FOLDER / "parallel_tools" / "client.sse").read_bytes())]
    calls: dict[int, tuple[str, str, str]] = {}
    for frame in data[:-1]:
        for call in ChatCompletionChunk.model_validate_json(frame).choices[0].delta.tool_calls or ():
            assert call.function is not None
            call_id, name, arguments = calls.get(call.index, ("", "", ""))
            pieces = (call.id or "", call.function.name or "", call.function.arguments or "")
            calls[call.index] = (call_id + pieces[0], name + pieces[1], arguments + pieces[2])
    assert list(calls) == [0, 1]
    assert [(name, arguments) for _, name, arguments in calls.values()] == [
        ("get_weather", '{"city":"Paris"}'),
        ("get_time", "{}"),
    ]
    assert all(call_id.startswith("call_") for call_id, _, _ in calls.values())


@given(st.binary(max_size=300))
def test_any_line_gives_events_and_never_an_exception(frame: bytes) -> None:
    reader = reader_of(request_of("text"))
    assert len(reader.feed(frame)) >= 1
