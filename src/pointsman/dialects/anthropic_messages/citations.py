"""Sources of an answer: of blocks of text, each of which rests on its citations as a whole.

Source: https://platform.claude.com/docs/en/build-with-claude/citations, …/search-results, and …/web-search-tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import msgspec

from pointsman.core.content import Citation
from pointsman.core.events import Cited
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["CitedBlock", "WireCitation", "cited_pieces", "read_citation", "read_citations", "write_citation"]

_RawField = msgspec.Raw | msgspec.UnsetType
_WEB: Final = ("http://", "https://")


class WireCitation(msgspec.Struct):
    """A citation of any type, as far as it is read."""

    type: str = ""
    cited_text: str | None = None
    url: str | None = None
    source: str | None = None
    title: str | None = None
    document_title: str | None = None
    document_index: int | None = None
    start_char_index: int = 0
    end_char_index: int = 0
    start_page_number: int = 0
    end_page_number: int = 0
    start_block_index: int = 0
    end_block_index: int = 0


_decode_one: Final = msgspec.json.Decoder(WireCitation).decode
_decode_all: Final = msgspec.json.Decoder(list[WireCitation] | None).decode


def read_citation(raw: _RawField) -> list[WireCitation]:
    """A citation as a list; none where it cannot be read, since the answer is worth more than its sources."""
    try:
        return [_decode_one(raw)] if isinstance(raw, msgspec.Raw) else []
    except UNREADABLE:
        return []


def read_citations(raw: _RawField) -> list[WireCitation]:
    """The same of a list of citations."""
    try:
        return (_decode_all(raw) or []) if isinstance(raw, msgspec.Raw) else []
    except UNREADABLE:
        return []


class CitedBlock(msgspec.Struct):
    """A block of text under way: where it began in the answer's text, and what it rests on."""

    start: int
    citations: list[WireCitation] = []

    def finished(self, end: int) -> Iterator[Cited]:
        """The citations of the block, which ends at ``end``."""
        for wire in self.citations:
            read = _read(wire)
            if read.url or read.title or read.quote or read.document is not None:
                yield Cited(msgspec.structs.replace(read, start=self.start, end=end))


def _read(wire: WireCitation) -> Citation:
    title = wire.title or wire.document_title
    match wire.type:
        case "char_location":
            place = wire.start_char_index, wire.end_char_index
            return Citation(None, title, wire.cited_text, document=wire.document_index, unit="char", place=place)
        case "page_location":
            place = wire.start_page_number, wire.end_page_number
            return Citation(None, title, wire.cited_text, document=wire.document_index, unit="page", place=place)
        case "content_block_location":
            place = wire.start_block_index, wire.end_block_index
            return Citation(None, title, wire.cited_text, document=wire.document_index, unit="block", place=place)
        case _:
            source = wire.url or wire.source or ""
            is_page = source.startswith(_WEB)
            return Citation(
                source if is_page else None, title or (None if is_page else source or None), wire.cited_text
            )


def write_citation(citation: Citation) -> dict[str, object]:
    """One citation. What is neither a page nor a document of the request is told as a result of some search."""
    first, last = citation.place
    quote, title = citation.quote or "", citation.title
    if citation.url is not None:
        kind = "web_search_result_location"
        return {"type": kind, "cited_text": quote, "url": citation.url, "title": title, "encrypted_index": ""}
    if citation.document is None:
        return {
            "type": "search_result_location", "cited_text": quote, "source": title or "", "title": title,
            "search_result_index": 0, "start_block_index": first, "end_block_index": last,
        }  # fmt: skip
    document = {"cited_text": quote, "document_index": citation.document, "document_title": title, "file_id": None}
    match citation.unit:
        case "page":
            return {"type": "page_location", **document, "start_page_number": first, "end_page_number": last}
        case "block":
            return {"type": "content_block_location", **document, "start_block_index": first, "end_block_index": last}
        case _:
            return {"type": "char_location", **document, "start_char_index": first, "end_char_index": last}


def cited_pieces(text: str, start: int, citations: Iterable[Citation]) -> Iterator[tuple[str, list[Citation]]]:
    """A text that begins at ``start`` of the answer's, in pieces that rest on the same sources each, and those."""
    end = start + len(text)
    spans = [
        (max(one.start, start), min(one.end, end), one)
        for one in citations
        if one.start is not None and one.end is not None and max(one.start, start) < min(one.end, end)
    ]
    edges = sorted({start, end, *(edge for first, last, _ in spans for edge in (first, last))})
    for first, last in pairwise(edges):
        yield text[first - start : last - start], [one for a, b, one in spans if a <= first and last <= b]
