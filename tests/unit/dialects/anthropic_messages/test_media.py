from __future__ import annotations

import base64
import json

import msgspec
import pytest

from pointsman.core.content import File, Image, Text
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.anthropic_messages.media import read_document, read_image, write_document, write_image
from pointsman.dialects.anthropic_messages.types import DocumentBlock, ImageBlock


def image(**source: object) -> Image:
    return read_image(msgspec.json.decode(json.dumps({"type": "image", "source": source}), type=ImageBlock), "p")


def document(source: object, **fields: object) -> list[Text | File]:
    block = json.dumps({"type": "document", "source": source, **fields})
    return read_document(msgspec.json.decode(block, type=DocumentBlock), "p")


def source(block: ImageBlock | DocumentBlock) -> object:
    return json.loads(msgspec.json.encode(block))["source"]


def test_white_space_in_base64_is_taken_out() -> None:
    assert image(type="base64", media_type="image/png", data="aG\nk=").data == "aGk="


def test_the_padding_that_some_clients_leave_out_is_put_back() -> None:
    assert image(type="base64", media_type="image/png", data="aGk").data == "aGk="


@pytest.mark.parametrize("data", ["", "aGkaG", "a!k=", "aGk=x", "ä", "data:image/png;base64,aGk="])
def test_what_is_no_base64_is_refused(data: str) -> None:
    with pytest.raises(Malformed, match=r"p\.source\.data (is not valid base64|must not be empty)\."):
        image(type="base64", media_type="image/png", data=data)


def test_an_image_is_an_image_at_a_web_address_or_itself() -> None:
    assert image(type="url", url="HTTPS://x/y") == Image(url="HTTPS://x/y")
    with pytest.raises(Malformed, match=r"p\.source\.url must be"):
        image(type="url", url="file:///etc/passwd")
    with pytest.raises(Malformed, match=r"p\.source\.media_type must be"):
        image(type="base64", media_type="text/html", data="aGk=")
    with pytest.raises(Unsupported, match="uploaded images"):
        image(type="file", file_id="1")


def test_documents_are_read_in_each_of_their_forms() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
    assert document(pdf, title="t") == [File(data="aGk=", media_type="application/pdf", filename="t")]
    assert document({"type": "url", "url": "https://x/y.pdf"}) == [File(url="https://x/y.pdf")]
    assert document({"type": "file", "file_id": "1"}) == [File(file_id="1")]
    assert document({"type": "text", "media_type": "text/plain", "data": "d"}) == [File(text="d")]
    assert document({"type": "content", "content": "d"}) == [File(text="d")]
    blocks = [{"type": "text", "text": text} for text in "ab"]
    assert document({"type": "content", "content": blocks}) == [File(text="a\nb")]


def test_what_is_said_about_a_document_stands_before_it() -> None:
    assert document({"type": "file", "file_id": "1"}, context="From 1999.") == [Text("From 1999."), File(file_id="1")]


def test_images_inside_a_document_are_refused_by_their_place() -> None:
    blocks = [{"type": "image", "source": {"type": "url", "url": "https://x"}}]
    with pytest.raises(Unsupported) as caught:
        document({"type": "content", "content": blocks})
    assert caught.value.param == "p.source.content[0]"


@pytest.mark.parametrize(
    ("start", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF0000WEBP", "image/webp"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"?", "image/png"),
    ],
)
def test_an_image_of_no_type_is_known_by_its_first_bytes(start: bytes, media_type: str) -> None:
    data = base64.b64encode(start).decode()
    assert source(write_image(Image(data=data), "p")) == {"type": "base64", "media_type": media_type, "data": data}


def test_an_image_of_another_type_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"no images of type 'image/svg\+xml'") as caught:
        write_image(Image(data="aGk=", media_type="image/svg+xml"), "p")
    assert caught.value.param == "p"


def test_documents_are_written_in_each_of_their_forms() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
    assert source(write_document(File(data="aGk="), "p")) == pdf
    text = {"type": "text", "media_type": "text/plain", "data": "hi"}
    assert source(write_document(File(data="aGk=", media_type="text/csv"), "p")) == text
    assert source(write_document(File(text="hi"), "p")) == text
    assert source(write_document(File(file_id="1"), "p")) == {"type": "file", "file_id": "1"}
    with pytest.raises(Unsupported, match="no documents of type 'application/zip'"):
        write_document(File(data="aGk=", media_type="application/zip"), "p")
    with pytest.raises(Malformed, match="is said to be text"):
        write_document(File(data="/w==", media_type="text/plain"), "p")
