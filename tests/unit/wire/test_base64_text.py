from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Malformed
from pointsman.wire.base64_text import image_media_type, read_base64


@given(st.binary(min_size=1, max_size=60))
def test_what_is_base64_comes_back_padded(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert read_base64(text, "x") == text
    assert read_base64(text.rstrip("="), "x") == text
    assert read_base64("\n ".join(text), "x") == text


@pytest.mark.parametrize("text", ["a", "a-b_", "aGk=aGk=", "ä", "aGk=!"])
def test_what_is_not_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(Malformed, match="not valid base64") as caught:
        read_base64(text, "images[0]")
    assert caught.value.param == "images[0]"


@pytest.mark.parametrize("text", ["", "=", " \n"])
def test_nothing_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="must not be empty"):
        read_base64(text, "images[0]")


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\xff\xd8\xff\xdb", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x01\x02\x03WEBP", "image/webp"),
        (b"BM\x36\x00", "image/bmp"),
        (b"hello", None),
    ],
)
def test_the_first_bytes_tell_the_format(beginning: bytes, expected: str | None) -> None:
    assert image_media_type(base64.b64encode(beginning + b"rest").decode()) == expected
