"""Puts remote images and documents into a call in place of their URLs, for upstreams that take them by value only."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final, TypeGuard
from urllib.parse import unquote, urlsplit

import msgspec

from pointsman.core.call import Call
from pointsman.core.content import File, Image, Message, Part, ToolResult
from pointsman.core.eager import become_task
from pointsman.core.errors import Malformed
from pointsman.core.upstream import Ask
from pointsman.providers.media import FetchedMedia, MediaFetcher, MediaKind
from pointsman.providers.translated.lane import Preparation, read_call
from pointsman.providers.translated.sides import ClientSide

__all__ = [
    "BY_VALUE",
    "DOCUMENTS_BY_VALUE",
    "FetchedOnce",
    "ToFetch",
    "has_remote_media",
    "inline_remote_media",
    "is_web_address",
    "media_preparation",
]

_NUMBER_MAX: Final = 16
_CHARACTERS_MAX: Final = 64 * 1024 * 1024
"""All that is fetched for one request together, as base64."""

_NO_DOCUMENTS: Final = ("audio/", "video/")
_NAME_CHARACTERS_MAX: Final = 128


class ToFetch(msgspec.Struct, frozen=True):
    """What an upstream does not read by its address: ``kinds``, save what begins with one of ``left``."""

    kinds: frozenset[MediaKind] = frozenset({"image", "document"})
    left: tuple[str, ...] = ()


BY_VALUE: Final = ToFetch()
"""An upstream that reads no addresses."""

DOCUMENTS_BY_VALUE: Final = ToFetch(frozenset({"document"}))
"""One that reads those of images."""


_MAY_BE_REMOTE: Final = (Image, File, ToolResult)
"""The parts that name something by its URL, or have such parts in them."""


class _Found(msgspec.Struct, frozen=True):
    """Where something remote stands in a call."""

    kind: MediaKind
    url: str
    param: str


def media_preparation(client: ClientSide, media: MediaFetcher, wanted: ToFetch = BY_VALUE) -> Preparation:
    """See to it, before a request is written, that it holds its images and documents by value.

    Args:
        client: The dialect of the request.
        media: Who fetches.
        wanted: What the upstream does not read itself.
    """

    async def prepare(ask: Ask) -> None:
        call = read_call(client, ask)
        if has_remote_media(call, wanted):
            await become_task()
            ask.call = await inline_remote_media(call, media, wanted)

    return prepare


def has_remote_media(call: Call, wanted: ToFetch = BY_VALUE) -> bool:
    """Whether a message names something by its URL that has to be fetched."""
    for message in call.messages:
        for part in message.parts:
            if isinstance(part, _MAY_BE_REMOTE):
                return any(True for _ in _remote(call, wanted))
    return False


async def inline_remote_media(call: Call, media: MediaFetcher, wanted: ToFetch = BY_VALUE) -> Call:
    """``call`` with the remote things themselves. Must run inside a task.

    Raises:
        Malformed: one cannot be had; the message names it.
    """
    fetched = FetchedOnce(media)
    for found in _remote(call, wanted):
        await fetched.fetch(found.url, found.param, found.kind)
    return msgspec.structs.replace(call, messages=tuple(_filled(message, fetched) for message in call.messages))


class FetchedOnce:
    """What is fetched for one request: each address once, and within bounds together."""

    def __init__(self, media: MediaFetcher) -> None:
        self._media = media
        self._known: dict[tuple[str, MediaKind], FetchedMedia] = {}
        self._characters = 0

    async def fetch(self, url: str, param: str, kind: MediaKind) -> None:
        """Have it at hand.

        Raises:
            Malformed: it cannot be had, or there are too many, or they are too large together.
        """
        if (url, kind) in self._known:
            return
        if len(self._known) >= _NUMBER_MAX:
            raise Malformed(
                f"No more than {_NUMBER_MAX} remote images and documents are fetched for one request.", param=param
            )
        found = await self._media.fetch(url, param, kind)
        self._characters += len(found.data)
        if self._characters > _CHARACTERS_MAX:
            raise Malformed("The remote images and documents of this request are too large together.", param=param)
        self._known[url, kind] = found

    def get(self, url: str | None, kind: MediaKind) -> FetchedMedia | None:
        """It, if it was fetched."""
        return self._known.get((url or "", kind))


def is_web_address(url: str | None) -> TypeGuard[str]:
    """Whether it is one that could be fetched."""
    return url is not None and url[:8].lower().startswith(("http://", "https://"))


def _remote(call: Call, wanted: ToFetch) -> Iterator[_Found]:
    """Where each remote image and document stands, and its URL."""
    for index, message in enumerate(call.messages):
        for position, part in enumerate(message.parts):
            for one in part.parts if isinstance(part, ToolResult) else (part,):
                found = _found(one, f"messages[{index}].content[{position}]")
                if (
                    found is not None
                    and found.kind in wanted.kinds
                    and not found.url.startswith(wanted.left or ("\0",))
                ):
                    yield found


def _found(part: Part, place: str) -> _Found | None:
    if not isinstance(part, Image | File) or part.data is not None or not is_web_address(part.url):
        return None
    if isinstance(part, Image):
        return _Found("image", part.url, f"{place}.image_url")
    if (part.media_type or "").startswith(_NO_DOCUMENTS):
        return None
    return _Found("document", part.url, f"{place}.file_url")


def _filled(message: Message, fetched: FetchedOnce) -> Message:
    return msgspec.structs.replace(message, parts=tuple(_filled_part(part, fetched) for part in message.parts))


def _filled_part(part: Part, fetched: FetchedOnce) -> Part:
    match part:
        case ToolResult():
            parts = tuple(one if not isinstance(one, Image | File) else _filled_one(one, fetched) for one in part.parts)
            return msgspec.structs.replace(part, parts=parts)
        case Image() | File():
            return _filled_one(part, fetched)
        case _:
            return part


def _filled_one(part: Image | File, fetched: FetchedOnce) -> Image | File:
    if part.data is not None:
        return part
    if isinstance(part, Image):
        image = fetched.get(part.url, "image")
        if image is None:
            return part
        return Image(data=image.data, media_type=image.media_type, cache_control=part.cache_control)
    document = fetched.get(part.url, "document")
    return part if document is None else _document(part, document)


def _document(file: File, fetched: FetchedMedia) -> File:
    """A text is one for every upstream, also for those that take no documents."""
    text = _text(fetched.data) if fetched.media_type.startswith("text/") else None
    return File(
        data=None if text is not None else fetched.data,
        filename=file.filename or _name_of(file.url or ""),
        media_type=fetched.media_type,
        text=text,
        cache_control=file.cache_control,
    )


def _text(data: str) -> str | None:
    try:
        return binascii.a2b_base64(data).decode()
    except ValueError:
        return None


def _name_of(url: str) -> str | None:
    name = unquote(urlsplit(url).path.rpartition("/")[2])[-_NAME_CHARACTERS_MAX:]
    return name if name.isprintable() and name else None
