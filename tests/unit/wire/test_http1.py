"""The fields of a response head, found in its raw bytes."""

from __future__ import annotations

import pytest

from pointsman.wire.http1 import response_fields

PLAIN = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nX-A:  b \r\nContent-Length: 2\r\n\r\n{}"
FIELDS = ((b"retry-after", b"7"), (b"x-a", b"b"), (b"content-length", b"2"))


def test_names_are_lower_case_and_values_trimmed() -> None:
    assert tuple((name, value.strip()) for name, value in response_fields(PLAIN)) == FIELDS


@pytest.mark.parametrize("behind", [b"", b"HTTP/1.1 200 OK\r\nX-Other: 1\r\n\r\n", b"garbage"])
def test_what_follows_the_head_does_not_matter(behind: bytes) -> None:
    assert response_fields(PLAIN + behind) == response_fields(PLAIN)


def test_only_the_final_response_counts() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert response_fields(hints + PLAIN) == response_fields(PLAIN)


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200", b"\x00\x01", b"HTTP/9.9 xx\r\n\r\n"])
def test_no_head_has_no_fields(raw: bytes) -> None:
    assert response_fields(raw) == ()
