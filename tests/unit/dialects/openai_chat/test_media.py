from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.content import Audio, File, Image
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.openai_chat.media import (
    read_audio,
    read_file,
    read_image,
    write_audio,
    write_file,
    write_image,
)
from pointsman.dialects.openai_chat.types import (
    AudioPart,
    FileFields,
    FilePart,
    ImageFields,
    ImagePart,
    InputAudio,
    TextPart,
    VideoFields,
    VideoPart,
)


def image(url: str) -> Image:
    return read_image(ImagePart(ImageFields(url)), "p")


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,aGk=",
        "DATA:Image/PNG;BASE64,aGk=",
        "data:image/png;name=a.png;charset=x;base64,aGk=",
        "data:image/png;base64,aGk",
        "data:image/png;base64,aG\r\nk=",
    ],
)
def test_the_prefix_is_stripped_and_the_data_made_strict(url: str) -> None:
    assert image(url) == Image(data="aGk=", media_type="image/png")


def test_a_url_stays_a_url_with_its_detail() -> None:
    assert read_image(ImagePart(ImageFields("HTTPS://x/y", "low")), "p") == Image(url="HTTPS://x/y", detail="low")
    assert read_image(ImagePart("http://x/y"), "p") == Image(url="http://x/y")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data:image/png;base64,a$==", "is not valid base64"),
        ("data:image/png;base64,aGk=aGk=", "is not valid base64"),
        ("data:image/png;base64,aGkx-_", "is not valid base64"),
        ("data:image/png;base64,aGkxA", "is not valid base64"),
        ("data:image/png;base64,é", "is not valid base64"),
        ("data:image/png;base64,", "must not be empty"),
        ("data:image/png;base64,==", "must not be empty"),
        ("data:image/png,aGk=", "of the form data:TYPE;base64"),
        ("data:", "of the form data:TYPE;base64"),
        ("data:text/plain;base64,aGk=", "must be an image, not text/plain"),
        ("data:;base64,aGk=", "must be an image, not untyped data"),
        ("file:///etc/passwd", "must be an http(s) URL or a data: URL"),
        ("aGk=", "must be an http(s) URL or a data: URL"),
        ("", "must be an http(s) URL or a data: URL"),
    ],
)
def test_anything_else_is_refused_by_its_path(url: str, words: str) -> None:
    with pytest.raises(Malformed) as caught:
        image(url)
    assert words in caught.value.message and caught.value.param == "p.image_url.url"
    with pytest.raises(Malformed) as caught:
        read_image(ImagePart(url), "p")
    assert caught.value.param == "p.image_url"


@given(st.binary(min_size=1, max_size=50), st.integers(0, 4))
def test_any_bytes_survive_with_and_without_padding(raw: bytes, line: int) -> None:
    encoded = base64.b64encode(raw).decode()
    broken = (
        encoded.rstrip("=") if line == 0 else "\n".join(encoded[i : i + line] for i in range(0, len(encoded), line))
    )
    found = image(f"data:image/png;base64,{broken}")
    assert found.data == encoded
    assert image(write_image(found).image_url.url) == found  # type: ignore[union-attr]


def test_twenty_megabytes_are_checked_in_little_time() -> None:
    url = "data:image/png;base64," + "QUJD" * (5 * 1024 * 1024)
    started = time.process_time()
    image(url)
    assert time.process_time() - started < 2


def test_a_sound_is_checked_base64() -> None:
    assert read_audio(AudioPart(InputAudio("aGk", "wav")), "p") == Audio("aGk=", "wav")
    with pytest.raises(Malformed) as caught:
        read_audio(AudioPart(InputAudio("!", "wav")), "p")
    assert caught.value.param == "p.input_audio.data"
    assert write_audio(Audio("aGk=", "wav")) == AudioPart(InputAudio("aGk=", "wav"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (FileFields(file_id="f"), File(file_id="f")),
        (FileFields(file_id="https://h/a.pdf", filename="a.pdf"), File(url="https://h/a.pdf", filename="a.pdf")),
        (FileFields(file_data="aGk="), File(data="aGk=")),
        (
            FileFields(file_data="data:application/pdf;base64,aGk=", filename="a.pdf"),
            File(data="aGk=", filename="a.pdf", media_type="application/pdf"),
        ),
    ],
)
def test_a_document_is_read_and_written_back(fields: FileFields, expected: File) -> None:
    assert read_file(FilePart(fields), "p") == expected
    assert write_file(expected, "p") == FilePart(fields)


def test_a_document_needs_data_or_an_id() -> None:
    with pytest.raises(Malformed) as caught:
        read_file(FilePart(FileFields(filename="a")), "p")
    assert caught.value.param == "p.file"


def test_a_document_of_plain_text_is_told_as_text() -> None:
    assert write_file(File(text="words", filename="a.txt"), "p") == TextPart("words")


def test_a_film_has_a_part_of_its_own_and_a_sound_at_an_address_has_none() -> None:
    film = VideoPart(VideoFields("https://h/a.mp4"))
    assert write_file(File(url="https://h/a.mp4", media_type="video/mp4"), "p") == film
    film = VideoPart(VideoFields("data:video/mp4;base64,AAAA"))
    assert write_file(File(data="AAAA", media_type="video/mp4"), "p") == film
    with pytest.raises(Unsupported, match="audio/wav"):
        write_file(File(url="https://h/a.wav", media_type="audio/wav"), "p")
