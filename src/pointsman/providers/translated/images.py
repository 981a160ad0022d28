"""Puts remote images into a call in place of their URLs, for upstreams that take images by value only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeGuard

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import Image, Message, Part, ToolResult
from pointsman.core.eager import become_task
from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask
from pointsman.providers.media import MediaFetcher
from pointsman.providers.translated.lane import Preparation, read_call
from pointsman.providers.translated.sides import ClientSide

__all__ = ["has_remote_images", "image_preparation", "inline_remote_images"]

_IMAGES_MAX: Final = 16
_CHARACTERS_MAX: Final = 64 * 1024 * 1024
"""All fetched images of one request together, as base64."""


def image_preparation(client: ClientSide, media: MediaFetcher, left: tuple[str, ...] = ()) -> Preparation:
    """See to it, before a request is written, that it holds its images by value.

    Args:
        client: The dialect of the request.
        media: Who fetches.
        left: Beginnings of URLs that the upstream reads itself.
    """

    async def prepare(ask: Ask) -> None:
        call = read_call(client, ask)
        if has_remote_images(call, left):
            await become_task()
            ask.call = await inline_remote_images(call, media, left)

    return prepare


def has_remote_images(call: Call, left: tuple[str, ...] = ()) -> bool:
    """Whether a message names an image by its URL, other than those that begin with one of ``left``."""
    return any(True for _ in _remote(call, left))


async def inline_remote_images(call: Call, media: MediaFetcher, left: tuple[str, ...] = ()) -> Call:
    """``call`` with the remote images themselves, save those of ``left``. Must run inside a task.

    Raises:
        Malformed: an image cannot be had; the message names it.
    """
    fetched: dict[str, Image] = {}
    characters = 0
    for param, url in _remote(call, left):
        if url in fetched:
            continue
        if len(fetched) >= _IMAGES_MAX:
            raise Malformed(f"No more than {_IMAGES_MAX} remote images are fetched for one request.", param=param)
        image = await media.fetch(url, param)
        characters += len(image.data)
        if characters > _CHARACTERS_MAX:
            raise Malformed("The remote images of this request are too large together.", param=param)
        fetched[url] = Image(data=image.data, media_type=image.media_type)
    return msgspec.structs.replace(call, messages=tuple(_filled(message, fetched) for message in call.messages))


def _remote(call: Call, left: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Where each remote image stands, and its URL."""
    for index, message in enumerate(call.messages):
        for position, part in enumerate(message.parts):
            for image in part.parts if isinstance(part, ToolResult) else (part,):
                if isinstance(image, Image) and image.data is None and _is_remote(image.url, left):
                    yield f"messages[{index}].content[{position}].image_url", image.url


def _is_remote(url: str | None, left: tuple[str, ...]) -> TypeGuard[str]:
    return url is not None and url.lower().startswith(("http://", "https://")) and not url.startswith(left)


def _filled(message: Message, fetched: dict[str, Image]) -> Message:
    return msgspec.structs.replace(message, parts=tuple(_filled_part(part, fetched) for part in message.parts))


def _filled_part(part: Part, fetched: dict[str, Image]) -> Part:
    if isinstance(part, ToolResult):
        parts = tuple(_filled_image(inner, fetched) if isinstance(inner, Image) else inner for inner in part.parts)
        return msgspec.structs.replace(part, parts=parts)
    return _filled_image(part, fetched) if isinstance(part, Image) else part


def _filled_image(image: Image, fetched: dict[str, Image]) -> Image:
    found = fetched.get(image.url or "") if image.data is None else None
    return image if found is None else msgspec.structs.replace(found, cache_control=image.cache_control)
