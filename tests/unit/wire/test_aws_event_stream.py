from __future__ import annotations

import itertools
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.errors import Broken
from pointsman.wire.aws_event_stream import EventMessage, EventStreamParser, Header, HeaderKind, write_message

NUMBER_BITS = {
    HeaderKind.BYTE: 8,
    HeaderKind.SHORT: 16,
    HeaderKind.INTEGER: 32,
    HeaderKind.LONG: 64,
    HeaderKind.TIMESTAMP: 64,
}

# The two messages of the format's own documentation and of AWS's test vectors: an empty one, and one with a header.
EMPTY = bytes.fromhex("00000010 00000000 05c248eb 7d98c8ff")
JSON_TYPED = bytes.fromhex(
    "0000003d 00000020 07fd8396 0c636f6e 74656e74 2d747970 65070010 6170706c 69636174 696f6e2f 6a736f6e"
    "7b27666f 6f273a27 62617227 7d8d9c08 b1"
)


def values(kind: HeaderKind) -> st.SearchStrategy[bool | int | bytes | str]:
    if kind in {HeaderKind.TRUE, HeaderKind.FALSE}:
        return st.just(kind is HeaderKind.TRUE)
    if kind in NUMBER_BITS:
        half = 1 << (NUMBER_BITS[kind] - 1)
        return st.integers(-half, half - 1)
    if kind is HeaderKind.UUID:
        return st.binary(min_size=16, max_size=16)
    return st.text(max_size=40) if kind is HeaderKind.STRING else st.binary(max_size=40)


HEADERS = st.sampled_from(HeaderKind).flatmap(
    lambda kind: st.builds(Header, st.text(min_size=1, max_size=20), st.just(kind), values(kind))
)
MESSAGES = st.builds(EventMessage, st.lists(HEADERS, max_size=5).map(tuple), st.binary(max_size=200))


def read(*pieces: bytes) -> list[EventMessage]:
    parser = EventStreamParser()
    messages = [message for piece in pieces for message in parser.feed(piece)]
    parser.end()
    return messages


def with_sums(total: int, headers_length: int, rest: bytes) -> bytes:
    lengths = total.to_bytes(4, "big") + headers_length.to_bytes(4, "big")
    whole = lengths + crc32(lengths).to_bytes(4, "big") + rest
    return whole + crc32(whole).to_bytes(4, "big")


def test_the_published_messages() -> None:
    assert read(EMPTY) == [EventMessage((), b"")]
    message = EventMessage((Header("content-type", HeaderKind.STRING, "application/json"),), b"{'foo':'bar'}")
    assert read(JSON_TYPED) == [message]
    assert (write_message(EventMessage((), b"")), write_message(message)) == (EMPTY, JSON_TYPED)


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=5))
def test_what_is_written_is_read(messages: list[EventMessage]) -> None:
    assert read(b"".join(map(write_message, messages))) == messages


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=4), st.lists(st.integers(0, 2000), max_size=12))
def test_the_pieces_do_not_matter(messages: list[EventMessage], places: list[int]) -> None:
    stream = b"".join(map(write_message, messages))
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    assert read(*(stream[a:b] for a, b in itertools.pairwise(edges))) == messages
    assert read(*(bytes([byte]) for byte in stream)) == messages


@settings(deadline=None)
@given(MESSAGES, st.integers(0, 10_000), st.integers(1, 255))
def test_any_damaged_byte_is_noticed(message: EventMessage, place: int, change: int) -> None:
    stream = bytearray(write_message(message))
    stream[place % len(stream)] ^= change
    with pytest.raises(Broken):
        read(bytes(stream))


@given(st.binary(min_size=1, max_size=300))
def test_hostile_bytes_end_in_an_error(data: bytes) -> None:
    with pytest.raises(Broken):
        read(data)


@settings(deadline=None)
@given(MESSAGES, st.integers(1, 10_000))
def test_a_stream_that_ends_within_a_message_is_cut_off(message: EventMessage, place: int) -> None:
    stream = write_message(message)
    with pytest.raises(Broken, match="cut"):
        read(stream[: 1 + place % (len(stream) - 1)])


def test_what_came_whole_before_the_damage_is_given_first() -> None:
    parser = EventStreamParser()
    assert parser.feed(EMPTY + b"HTTP/1.1 500 this is not it") == [EventMessage((), b"")]
    with pytest.raises(Broken, match="not an event stream"):
        parser.feed(b"")
    with pytest.raises(Broken):
        parser.end()


def test_a_message_over_the_bound_is_refused_before_it_is_held() -> None:
    message = write_message(EventMessage((), b"x" * 100))
    assert len(EventStreamParser(len(message)).feed(message)) == 1
    with pytest.raises(Broken, match="longer than"):
        EventStreamParser(len(message) - 1).feed(message[:12])


@pytest.mark.parametrize(
    ("stream", "match"),
    [
        (with_sums(16, 1, b""), "contradict"),
        (with_sums(0, 0, b""), "contradict"),
        (with_sums(400_000, 200_000, b""), "contradict"),
        (with_sums(21, 5, b"\x01a\x07\x00\x05"), "headers"),
        (with_sums(19, 3, b"\x01a\x63"), "headers"),
        (with_sums(17, 1, b"\x09"), "headers"),
        (with_sums(20, 4, b"\x01\xff\x01\x00"), "headers"),
    ],
)
def test_lengths_and_headers_that_cannot_be_are_refused(stream: bytes, match: str) -> None:
    with pytest.raises(Broken, match=match):
        read(stream)


def test_only_a_string_is_given_as_text() -> None:
    message = EventMessage((Header("a", HeaderKind.BYTES, b"b"), Header("c", HeaderKind.STRING, "d")), b"")
    assert (message.text("a"), message.text("c"), message.text("e")) == ("", "d", "")
