"""Images and documents inside messages: by value only, as base64.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ImageBlock.html and …_DocumentBlock.html.
What lies in S3 is not passed on: it would be read with the operator's rights, which are not the client's.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from pointsman.core.content import File, Image
from pointsman.core.errors import Unsupported
from pointsman.dialects.bedrock_converse.types import BytesSource, DocumentFields, ImageFields
from pointsman.wire.base64_text import image_media_type

__all__ = ["DocumentNames", "write_document", "write_image"]

_IMAGE_FORMATS: Final = {
    "image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp",
}  # fmt: skip
_DOCUMENT_FORMATS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/x-markdown": "md",
}
_FORMATS: Final = frozenset(_DOCUMENT_FORMATS.values())

_NAME_CHARACTERS_MAX: Final = 200
_ENDING: Final = re.compile(r"(?<=.)\.\w{1,8}$", re.ASCII)
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9\-()\[\] ]+")
_SPACES: Final = re.compile(r" {2,}")


class DocumentNames:
    """Names of the documents of one request: in the letters that Bedrock allows, and each of them once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def fit(self, filename: str | None) -> str:
        """A name for a document; its ending is left out, since the format says it."""
        wanted = _ENDING.sub("", filename or "")
        wanted = _SPACES.sub(" ", _NOT_IN_NAMES.sub(" ", wanted)).strip()[: _NAME_CHARACTERS_MAX - 8].strip()
        wanted = wanted or "Document"
        name, number = wanted, 1
        while name in self._given:
            number += 1
            name = f"{wanted} ({number})"
        self._given.add(name)
        return name


def write_image(image: Image, path: str) -> ImageFields:
    """The fields of an image.

    Raises:
        Unsupported: it is of a type that Bedrock does not take, or named by an address of which nobody fetched it.
    """
    if image.data is None:
        raise Unsupported(
            f"{path}: Bedrock takes images by value only, and this one was not fetched.",
            hint="Send the image itself as a data: URL.",
            param=path,
        )
    media_type = image.media_type or image_media_type(image.data) or "image/png"
    form = _IMAGE_FORMATS.get(media_type)
    if form is None:
        raise Unsupported(
            f"{path}: Bedrock takes no images of type '{media_type[:80]}'.",
            hint="It takes JPEG, PNG, GIF and WebP.",
            param=path,
        )
    return ImageFields(form, BytesSource(image.data))


def write_document(file: File, names: DocumentNames, path: str) -> DocumentFields:
    """The fields of a document.

    Raises:
        Unsupported: it is of a type that Bedrock does not take, or not here by value.
    """
    if file.text is not None:
        data = binascii.b2a_base64(file.text.encode("utf-8", "replace"), newline=False).decode("ascii")
        return DocumentFields("txt", names.fit(file.filename), BytesSource(data))
    if file.data is None:
        raise Unsupported(
            f"{path}: Bedrock takes documents by value only.", hint="Send the document itself as base64.", param=path
        )
    return DocumentFields(_document_format(file, path), names.fit(file.filename), BytesSource(file.data))


def _document_format(file: File, path: str) -> str:
    ending = (file.filename or "").rpartition(".")[2].lower()
    if file.media_type is None:
        return ending if ending in _FORMATS else "pdf"
    media_type = file.media_type.partition(";")[0].strip().lower()
    form = _DOCUMENT_FORMATS.get(media_type)
    if form is not None:
        return form
    if ending in _FORMATS:
        return ending
    if media_type.startswith("text/") or media_type == "application/json":
        return "txt"
    raise Unsupported(
        f"{path}: Bedrock takes no documents of type '{media_type[:80]}'.",
        hint="It takes PDF, Word, Excel, CSV, HTML, Markdown and plain text.",
        param=path,
    )
