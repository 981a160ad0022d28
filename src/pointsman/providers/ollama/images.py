"""Puts remote images into a chat request in place of their URLs: Ollama takes images by value only."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.errors import Malformed
from pointsman.providers.media import MediaFetcher

__all__ = ["has_remote_images", "inline_remote_images"]

_IMAGES_MAX: Final = 16
_CHARACTERS_MAX: Final = 64 * 1024 * 1024
"""All fetched images of one request together, as base64."""

_Fields = dict[str, msgspec.Raw]

_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode


def has_remote_images(messages: msgspec.Raw) -> bool:
    """Whether a request may name images by URL: cheap, and sure only when it says no."""
    raw = bytes(messages)
    if b"image_url" not in raw and b"\\u" not in raw:
        return False
    return any(True for _ in _remote_urls(messages))


async def inline_remote_images(messages: msgspec.Raw, media: MediaFetcher) -> msgspec.Raw:
    """``messages`` with a data URL for each remote image. Must run inside a task.

    Raises:
        Malformed: an image cannot be had; the message names it.
    """
    inlined: dict[str, str] = {}
    characters = 0
    for param, url in _remote_urls(messages):
        if url in inlined:
            continue
        if len(inlined) >= _IMAGES_MAX:
            raise Malformed(f"No more than {_IMAGES_MAX} remote images are fetched for one request.", param=param)
        image = await media.fetch(url, param)
        characters += len(image.data)
        if characters > _CHARACTERS_MAX:
            raise Malformed("The remote images of this request are too large together.", param=param)
        inlined[url] = f"data:{image.media_type};base64,{image.data}"
    return _replace(messages, inlined)


def _remote_urls(messages: msgspec.Raw) -> list[tuple[str, str]]:
    """Each remote image: the field that names it, and its URL. What has the wrong shape is left to the dialect."""
    found: list[tuple[str, str]] = []
    try:
        for i, message in enumerate(_decode_list(messages)):
            content = _decode_fields(message).get("content", msgspec.Raw(b"null"))
            if not bytes(content).startswith(b"["):
                continue
            for j, part in enumerate(_decode_list(content)):
                url = _url_of(_decode_fields(part))
                if url is not None and url.lower().startswith(("http://", "https://")):
                    found.append((f"messages[{i}].content[{j}].image_url", url))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return []
    return found


def _url_of(part: _Fields) -> str | None:
    image = part.get("image_url")
    if image is None:
        return None
    if bytes(image).startswith(b"{"):
        image = _decode_fields(image).get("url")
    if image is None or not bytes(image).startswith(b'"'):
        return None
    return _decode_text(image)


def _replace(messages: msgspec.Raw, inlined: dict[str, str]) -> msgspec.Raw:
    """The same messages with other URLs. The shape is known to be right by now."""
    written: list[msgspec.Raw | _Fields] = []
    for raw in _decode_list(messages):
        message = _decode_fields(raw)
        content = message.get("content", msgspec.Raw(b"null"))
        if not bytes(content).startswith(b"["):
            written.append(raw)
            continue
        parts = [_replace_part(part, inlined) for part in _decode_list(content)]
        message["content"] = msgspec.Raw(_encode(parts))
        written.append(message)
    return msgspec.Raw(_encode(written))


def _replace_part(raw: msgspec.Raw, inlined: dict[str, str]) -> msgspec.Raw | _Fields:
    part = _decode_fields(raw)
    url = _url_of(part)
    if url is None or url not in inlined:
        return raw
    image = part["image_url"]
    fields = _decode_fields(image) if bytes(image).startswith(b"{") else {}
    fields["url"] = msgspec.Raw(_encode(inlined[url]))
    part["image_url"] = msgspec.Raw(_encode(fields))
    return part
