"""Sources of an answer: of blocks of text, each of which rests on its citations as a whole.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html and …_CitationLocation.html.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from pointsman.core.content import Citation
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["citations_in", "read_citation"]

_RawField = msgspec.Raw | msgspec.UnsetType


class _Wire(msgspec.Struct, rename="camel"):
    pass


class _Web(_Wire):
    url: str | None = None
    domain: str | None = None


class _Place(_Wire):
    document_index: int | None = None
    start: int = 0
    end: int = 0


class _Location(_Wire):
    web: _Web | None = None
    document_char: _Place | None = None
    document_page: _Place | None = None
    document_chunk: _Place | None = None


class _Passage(_Wire):
    text: str | None = None


class _Citation(_Wire):
    title: str | None = None
    source: str | None = None
    source_content: list[_Passage] | None = None
    location: _Location | None = None


_decode: Final = msgspec.json.Decoder(_Citation).decode
_decode_all: Final = msgspec.json.Decoder(list[msgspec.Raw] | None).decode


def citations_in(raw: _RawField) -> list[msgspec.Raw]:
    """A list of citations, each unread; empty where it is none."""
    try:
        return (_decode_all(raw) or []) if isinstance(raw, msgspec.Raw) else []
    except UNREADABLE:
        return []


def read_citation(raw: msgspec.Raw, start: int, end: int) -> Citation | None:
    """The source of the words from ``start`` to ``end``; None where it cannot be read."""
    try:
        wire = _decode(raw)
    except UNREADABLE:
        return None
    location = wire.location or _Location()
    quote = "".join(passage.text or "" for passage in wire.source_content or ()) or None
    if location.web is not None and location.web.url:
        return Citation(location.web.url, wire.title or location.web.domain, quote, start, end)
    places: tuple[tuple[Literal["char", "page", "block"], _Place | None], ...] = (
        ("char", location.document_char), ("page", location.document_page), ("block", location.document_chunk),
    )  # fmt: skip
    unit, place = next(((unit, place) for unit, place in places if place is not None), (None, None))
    if place is None:
        return Citation(None, wire.title or wire.source, quote, start, end)
    where = place.start, place.end
    return Citation(None, wire.title, quote, start, end, place.document_index, unit, where)
