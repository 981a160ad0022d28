from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Broken
from pointsman.wire.ndjson import LineSplitter


def split(*pieces: bytes, bound: int = 1000) -> list[bytes]:
    splitter = LineSplitter(bound)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + splitter.end()


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r\n\r\n\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b"a\rb\n", [b"a\rb"]),
        ("a\u2028b\x0bc\n".encode(), ["a\u2028b\x0bc".encode()]),
        (b"\n\n", []),
        (b"", []),
    ],
)
def test_only_a_line_feed_ends_a_line(stream: bytes, expected: list[bytes]) -> None:
    assert split(stream) == expected


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_pieces_do_not_matter(stream: bytes, places: list[int]) -> None:
    def outcome(*pieces: bytes) -> tuple[list[bytes], bool]:
        splitter = LineSplitter(30)
        lines: list[bytes] = []
        try:
            for piece in pieces:
                lines += splitter.feed(piece)
            lines += splitter.end()
        except Broken:
            return lines, True
        return lines, False

    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    assert outcome(*[stream[a:b] for a, b in itertools.pairwise(edges)]) == outcome(stream)
    assert outcome(*[bytes([byte]) for byte in stream]) == outcome(stream)


def test_a_line_at_its_bound_is_given_and_one_byte_more_is_refused() -> None:
    assert split(b"12345\n", bound=5) == [b"12345"]
    with pytest.raises(Broken, match="longer than 5 bytes"):
        split(b"123456\n", bound=5)


def test_a_line_without_end_is_refused_before_it_is_kept() -> None:
    splitter = LineSplitter(100)
    for _ in range(10):
        assert splitter.feed(b"x" * 10) == []
    for _ in range(1000):
        with pytest.raises(Broken):
            splitter.feed(b"x" * 10)
    assert splitter._kept_bytes <= 110


def test_lines_before_one_that_is_too_long_are_given_first() -> None:
    splitter = LineSplitter(5)
    assert splitter.feed(b"a\n1234567\nb\n") == [b"a"]
    with pytest.raises(Broken):
        splitter.feed(b"c\n")
    with pytest.raises(Broken):
        splitter.end()
