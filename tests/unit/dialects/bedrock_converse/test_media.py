from __future__ import annotations

import base64

import pytest

from pointsman.core.content import File, Image
from pointsman.core.errors import Unsupported
from pointsman.dialects.bedrock_converse.media import DocumentNames, write_document, write_image

PNG = "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("image", "form"),
    [
        (Image(PNG, "image/png"), "png"),
        (Image(PNG), "png"),
        (Image("/9j/AAAA"), "jpeg"),
        (Image("AAAA", "image/jpg"), "jpeg"),
        (Image("AAAA", "image/webp"), "webp"),
    ],
)
def test_an_image_has_a_format(image: Image, form: str) -> None:
    written = write_image(image, "here")
    assert (written.format, written.source.bytes) == (form, image.data)


@pytest.mark.parametrize(
    "image", [Image(PNG, "image/tiff"), Image(url="https://host/x.png"), Image(url="s3://bucket/x")]
)
def test_an_image_that_bedrock_does_not_take_is_refused(image: Image) -> None:
    with pytest.raises(Unsupported) as caught:
        write_image(image, "messages[0].content[1]")
    assert caught.value.param == "messages[0].content[1]"


@pytest.mark.parametrize(
    ("file", "form", "name"),
    [
        (File("AAAA", filename="My report_2.pdf", media_type="application/pdf"), "pdf", "My report 2"),
        (File("AAAA"), "pdf", "Document"),
        (File("AAAA", filename="table.csv"), "csv", "table"),
        (File("AAAA", filename="a.docx", media_type="application/octet-stream"), "docx", "a"),
        (File("AAAA", filename="x.json", media_type="application/json"), "txt", "x"),
        (File("AAAA", filename=".env", media_type="text/plain; charset=utf-8"), "txt", "env"),
        (File("AAAA", filename="../../etc/passwd", media_type="text/x-c"), "txt", "etc passwd"),
    ],
)
def test_a_document_has_a_format_and_a_name_in_allowed_letters(file: File, form: str, name: str) -> None:
    written = write_document(file, DocumentNames(), "here")
    assert (written.format, written.name) == (form, name)


def test_a_text_is_a_document_too() -> None:
    written = write_document(File(text="Grüße", filename="notes"), DocumentNames(), "here")
    assert (written.format, written.name, base64.b64decode(written.source.bytes).decode()) == ("txt", "notes", "Grüße")


def test_each_name_is_given_once() -> None:
    names = DocumentNames()
    assert [names.fit(name) for name in ("a.pdf", "a.txt", "a", "b" * 300, None, "")] == [
        "a",
        "a (2)",
        "a (3)",
        "b" * 192,
        "Document",
        "Document (2)",
    ]


@pytest.mark.parametrize(
    "file", [File(url="https://host/x.pdf"), File(file_id="file-1"), File("AA", media_type="image/x")]
)
def test_a_document_that_bedrock_does_not_take_is_refused(file: File) -> None:
    with pytest.raises(Unsupported):
        write_document(file, DocumentNames(), "here")
