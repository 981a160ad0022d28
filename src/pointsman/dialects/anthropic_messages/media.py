"""Images and documents inside messages.

Sources: https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support.
"""

from __future__ import annotations

import binascii
from typing import Final

import msgspec

from pointsman.core.content import File, Image, Text
from pointsman.core.errors import Malformed, Unsupported
from pointsman.dialects.anthropic_messages.types import (
    Base64Source,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    TextBlock,
    TextSource,
    UrlSource,
    said,
)
from pointsman.dialects.documents import demand_document
from pointsman.wire.base64_text import image_media_type, read_base64

__all__ = ["read_document", "read_image", "write_document", "write_image"]

_IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"

# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_image(block: ImageBlock, path: str) -> Image:
    """An image; ``path`` is the block's, for the error.

    Raises:
        Malformed: its data is no base64, its type no image's, or its URL no web address.
        Unsupported: it is an earlier upload.
    """
    source, place = block.source, f"{path}.source"
    mark = said(block.cache_control)
    match source:
        case Base64Source():
            if not source.media_type.startswith("image/"):
                raise Malformed(f"{place}.media_type must be that of an image.", param=f"{place}.media_type")
            return Image(read_base64(source.data, f"{place}.data"), source.media_type, cache_control=mark)
        case UrlSource():
            return Image(url=_web_address(source.url, place), cache_control=mark)
        case FileSource():
            raise Unsupported(f"{place}: uploaded images are not supported.", param=place)


def read_document(block: DocumentBlock, path: str) -> list[Text | File]:
    """A document, with what the model shall know about it as a text before it.

    Raises:
        Malformed: its data is no base64, or its URL no web address.
        Unsupported: it is made of blocks that are not all text.
    """
    before: list[Text | File] = [Text(block.context)] if block.context else []
    file = _read_source(block, f"{path}.source")
    return [*before, msgspec.structs.replace(file, filename=block.title, cache_control=said(block.cache_control))]


def _read_source(block: DocumentBlock, place: str) -> File:
    source = block.source
    match source:
        case Base64Source():
            return File(data=read_base64(source.data, f"{place}.data"), media_type=source.media_type)
        case UrlSource():
            return File(url=_web_address(source.url, place))
        case FileSource():
            return File(file_id=source.file_id)
        case TextSource():
            return File(text=source.data)
        case ContentSource():
            return File(text=_texts(source.content, f"{place}.content"))


def _texts(content: str | list[TextBlock | ImageBlock], place: str) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for index, block in enumerate(content):
        if isinstance(block, ImageBlock):
            path = f"{place}[{index}]"
            raise Unsupported(f"{path}: a document made of blocks can hold text only.", param=path)
        texts.append(block.text)
    return "\n".join(texts)


def _web_address(url: str, place: str) -> str:
    if not url[:8].lower().startswith(("https://", "http://")):
        raise Malformed(f"{place}.url must be an http(s) URL.", param=f"{place}.url")
    return url


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_image(image: Image, path: str) -> ImageBlock:
    """The block for an image.

    Raises:
        Unsupported: it is of a type that Anthropic does not take.
    """
    mark = msgspec.UNSET if image.cache_control is None else image.cache_control
    if image.data is None:
        return ImageBlock(UrlSource(image.url or ""), mark)
    media_type = image.media_type or image_media_type(image.data) or "image/png"
    if media_type not in _IMAGE_TYPES:
        raise Unsupported(
            f"{path}: Anthropic takes no images of type '{media_type[:80]}'.",
            hint="It takes JPEG, PNG, GIF and WebP.",
            param=path,
        )
    return ImageBlock(Base64Source(media_type, image.data), mark)


def write_document(file: File, path: str) -> DocumentBlock:
    """The block for a document.

    Raises:
        Malformed: it is said to be text and is not.
        Unsupported: it is neither PDF nor text.
    """
    mark = msgspec.UNSET if file.cache_control is None else file.cache_control
    return DocumentBlock(_write_source(file, path), title=file.filename or None, cache_control=mark)


def _write_source(file: File, path: str) -> Base64Source | UrlSource | FileSource | TextSource:
    if file.text is not None:
        return TextSource("text/plain", file.text)
    demand_document(file.media_type, path, "Anthropic")
    if file.url is not None:
        return UrlSource(file.url)
    if file.data is None:
        return FileSource(file.file_id or "")
    media_type = file.media_type or _PDF
    if media_type.startswith("text/"):
        return TextSource("text/plain", _decoded(file.data, path))
    if media_type != _PDF:
        raise Unsupported(
            f"{path}: Anthropic takes no documents of type '{media_type[:80]}'.",
            hint="It takes PDF and plain text.",
            param=path,
        )
    return Base64Source(_PDF, file.data)


def _decoded(data: str, path: str) -> str:
    try:
        return binascii.a2b_base64(data).decode()
    except ValueError:
        raise Malformed(f"{path} is said to be text, but is no UTF-8.", param=path) from None
