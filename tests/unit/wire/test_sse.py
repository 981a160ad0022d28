from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken
from pointsman.wire.sse import ServerSentEvent, SseParser, encode


def parse(*pieces: bytes, bound: int = 1000) -> list[ServerSentEvent]:
    parser = SseParser(bound)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.end()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_each_kind_of_line_end_ends_a_line(newline: bytes) -> None:
    stream = newline.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert parse(stream) == [ServerSentEvent(b"a\nb"), ServerSentEvent(b"c")]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data:a\n\n", [ServerSentEvent(b"a")]),
        (b"data:  a\n\n", [ServerSentEvent(b" a")]),
        (b"data\n\n", [ServerSentEvent(b"")]),
        (b"data:\n\n", [ServerSentEvent(b"")]),
        (b": keep-alive\n\ndata: a\n\n", [ServerSentEvent(b"a")]),
        (b"event: ping\ndata: a\n\ndata: b\n\n", [ServerSentEvent(b"a", "ping"), ServerSentEvent(b"b")]),
        (b"event: ping\nevent\ndata: a\n\n", [ServerSentEvent(b"a")]),
        (b"event:\ndata: a\n\n", [ServerSentEvent(b"a")]),
        (b"event: ping\n\ndata: a\n\n", [ServerSentEvent(b"a")]),
        (b"id: 7\nretry: 10\nother\ndata: a\n\n", [ServerSentEvent(b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [ServerSentEvent(b"a")]),
        (b"data: \xef\xbb\xbfa\n\n", [ServerSentEvent(b"\xef\xbb\xbfa")]),
        (b"event: \xff\ndata: a\n\n", [ServerSentEvent(b"a", "\ufffd")]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_fields_are_read_as_the_specification_says(stream: bytes, expected: list[ServerSentEvent]) -> None:
    assert parse(stream) == expected


def test_an_event_without_its_empty_line_is_given_at_the_end() -> None:
    assert parse(b"data: a\n\ndata: b") == [ServerSentEvent(b"a"), ServerSentEvent(b"b")]
    assert parse(b"data: a\n\ndata: b\n") == [ServerSentEvent(b"a"), ServerSentEvent(b"b")]


def test_a_cut_byte_order_mark_is_an_ordinary_line() -> None:
    assert parse(b"\xef", b"\xbb") == []
    assert parse(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == [ServerSentEvent(b"a")]


@given(
    st.lists(
        st.sampled_from([b"data", b":", b" ", b"a", b"\n", b"\r", b"\r\n", b"event: x", b"\xef\xbb\xbf", b"\xff"])
    ),
    st.lists(st.integers(0, 200)),
)
def test_pieces_do_not_matter(words: list[bytes], places: list[int]) -> None:
    stream = b"".join(words)
    assert parse(*cut(stream, places)) == parse(stream)
    assert parse(*(bytes([byte]) for byte in stream)) == parse(stream)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_bytes_are_parsed_or_refused_whatever_the_pieces(stream: bytes, places: list[int]) -> None:
    def outcome(*pieces: bytes) -> tuple[list[ServerSentEvent], bool]:
        parser = SseParser(40)
        events: list[ServerSentEvent] = []
        try:
            for piece in pieces:
                events += parser.feed(piece)
            events += parser.end()
        except Broken:
            return events, True
        return events, False

    assert outcome(*cut(stream, places)) == outcome(stream)


def test_an_event_at_its_bound_is_given_and_one_byte_more_is_refused() -> None:
    assert parse(b"data: 45678\n\n", bound=11) == [ServerSentEvent(b"45678")]
    with pytest.raises(Broken, match="longer than 10 bytes"):
        parse(b"data: 45678\n\n", bound=10)


def test_many_short_lines_of_one_event_are_bounded_together() -> None:
    with pytest.raises(Broken):
        parse(b"data: a\n" * 100, bound=100)


def test_a_line_without_end_is_refused_before_it_is_kept() -> None:
    parser = SseParser(100)
    for _ in range(10):
        assert parser.feed(b"x" * 10) == []
    for _ in range(1000):
        with pytest.raises(Broken):
            parser.feed(b"x" * 10)
    assert parser._line_bytes <= 110


def test_events_before_one_that_is_too_long_are_given_first() -> None:
    parser = SseParser(20)
    assert parser.feed(b"data: a\n\ndata: " + b"x" * 100 + b"\n\n") == [ServerSentEvent(b"a")]
    with pytest.raises(Broken):
        parser.feed(b"data: b\n\n")
    with pytest.raises(Broken):
        parser.end()


def test_ten_megabytes_without_a_newline_take_linear_time() -> None:
    parser = SseParser(8 * 1024 * 1024)
    pieces = [b"x" * 1000] * 10_000
    started = time.process_time()
    with pytest.raises(Broken):
        list(map(parser.feed, pieces))
    assert time.process_time() - started < 2


@given(st.binary(max_size=100).filter(lambda data: b"\r" not in data), st.sampled_from([None, "ping", "é"]))
def test_what_is_written_is_read_back(data: bytes, event: str | None) -> None:
    assert parse(encode(data, event)) == [ServerSentEvent(data, event)]


def test_a_written_event_cannot_be_broken_out_of() -> None:
    assert encode(b"a\r\n\r\ndata: b\rc") == b"data: a\ndata: \ndata: data: b\ndata: c\n\n"
