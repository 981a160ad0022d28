"""Images and documents that a request names by address, found and replaced without reading the rest of it.

Source: https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support (``source`` of the type ``url``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from pointsman.dialects.anthropic_messages.types import Base64Source, TextSource
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["Found", "RemoteSource", "SourceKind", "remote_sources", "with_sources"]

_Block = dict[str, msgspec.Raw]


SourceKind = Literal["image", "document"]
_KINDS: Final[Mapping[str, SourceKind]] = MappingProxyType({"image": "image", "document": "document"})


class RemoteSource(msgspec.Struct, frozen=True):
    """One of them, and where it stands."""

    kind: SourceKind
    url: str
    param: str


class _Source(msgspec.Struct):
    type: str = ""
    url: str = ""


_decode_messages: Final = msgspec.json.Decoder(list[_Block]).decode
_decode_blocks: Final = msgspec.json.Decoder(list[_Block]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_decode_source: Final = msgspec.json.Decoder(_Source).decode
_encode: Final = msgspec.json.Encoder().encode

Found = Base64Source | TextSource
_Finding = Callable[[RemoteSource], Found | None]


def remote_sources(messages: msgspec.Raw) -> list[RemoteSource]:
    """All of them in ``messages``; none where it cannot be read, which is for the upstream to say."""
    if b'"url"' not in bytes(messages):
        return []
    found: list[RemoteSource] = []

    def note(source: RemoteSource) -> None:
        found.append(source)

    with_sources(messages, note)
    return found


def with_sources(messages: msgspec.Raw, find: _Finding) -> msgspec.Raw:
    """``messages`` with what ``find`` gives in place of the addresses; all else stays as it was written."""
    try:
        turns = _decode_messages(messages)
        for index, turn in enumerate(turns):
            _replace_in(turn, f"messages[{index}].content", find)
    except UNREADABLE:
        return messages
    return msgspec.Raw(_encode(turns))


def _replace_in(holder: _Block, place: str, find: _Finding) -> None:
    """Look through the ``content`` of a message or of a tool's result."""
    content = holder.get("content")
    if content is None or not bytes(content).lstrip().startswith(b"["):
        return
    blocks = _decode_blocks(content)
    for source, position in _found(blocks, place, find):
        given = find(source)
        if given is not None:
            blocks[position]["source"] = msgspec.Raw(_encode(given))
    holder["content"] = msgspec.Raw(_encode(blocks))


def _found(blocks: list[_Block], place: str, find: _Finding) -> Iterator[tuple[RemoteSource, int]]:
    for position, block in enumerate(blocks):
        kind = _decode_text(block.get("type", b'""'))
        if kind == "tool_result":
            _replace_in(block, f"{place}[{position}].content", find)
        elif kind in _KINDS and "source" in block:
            source = _decode_source(block["source"])
            if source.type == "url":
                yield RemoteSource(_KINDS[kind], source.url, f"{place}[{position}].source.url"), position
