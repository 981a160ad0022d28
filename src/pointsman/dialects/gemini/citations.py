"""Sources of an answer: ``groundingMetadata`` and ``citationMetadata``.

Source: https://ai.google.dev/api/generate-content#GroundingMetadata and #CitationMetadata (on Vertex AI its list is
called ``citations``). Places are counted in bytes of UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pointsman.core.content import Citation, ServerToolUse
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["GroundingMetadata", "read_citations", "read_grounding", "read_queries", "write_grounding"]


class _Source(msgspec.Struct, rename="camel", omit_defaults=True):
    """A page (``web``), or a passage of a store (``retrievedContext``)."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None


class _Chunk(msgspec.Struct, rename="camel", omit_defaults=True):
    web: _Source | None = None
    retrieved_context: _Source | None = None
    maps: _Source | None = None


class _Segment(msgspec.Struct, rename="camel", omit_defaults=True):
    start_index: int = 0
    end_index: int = 0
    text: str | None = None


class _Support(msgspec.Struct, rename="camel", omit_defaults=True):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class GroundingMetadata(msgspec.Struct, rename="camel", omit_defaults=True):
    """What was found, and which words of the answer rest on it."""

    grounding_chunks: list[_Chunk] | None = None
    grounding_supports: list[_Support] | None = None
    web_search_queries: list[str] | None = None


class _CitationSource(msgspec.Struct, rename="camel"):
    start_index: int = 0
    end_index: int = 0
    uri: str | None = None
    title: str | None = None


class _CitationMetadata(msgspec.Struct, rename="camel"):
    """What the answer repeats word for word."""

    citation_sources: list[_CitationSource] | None = None
    citations: list[_CitationSource] | None = None


_decode_grounding: Final = msgspec.json.Decoder(GroundingMetadata).decode
_decode_citations: Final = msgspec.json.Decoder(_CitationMetadata).decode


def read_grounding(raw: msgspec.Raw, text: str) -> Iterator[Citation]:
    """The sources of an answer whose whole text is ``text``; each for every place that rests on it.

    What cannot be read is none: the answer is worth more than its sources.
    """
    try:
        wire = _decode_grounding(raw)
    except UNREADABLE:
        return
    found = [_read(chunk) for chunk in wire.grounding_chunks or ()]
    encoded = text.encode("utf-8", "replace")
    used = set()
    for support in wire.grounding_supports or ():
        span = _span(support.segment, text, encoded)
        for index in support.grounding_chunk_indices or ():
            if 0 <= index < len(found):
                used.add(index)
                yield msgspec.structs.replace(found[index], start=span[0], end=span[1])
    yield from (one for index, one in enumerate(found) if index not in used)


def read_queries(raw: msgspec.Raw, use_id: str, at: int) -> ServerToolUse | None:
    """The searches behind an answer, as one, with all that they found; None: there were none."""
    try:
        wire = _decode_grounding(raw)
    except UNREADABLE:
        return None
    if not wire.web_search_queries:
        return None
    found = tuple(_read(chunk) for chunk in wire.grounding_chunks or () if chunk.web is not None)
    return ServerToolUse(use_id, "search", "\n".join(wire.web_search_queries), found=found, at=at, dialect="gemini")


def read_citations(raw: msgspec.Raw, text: str) -> Iterator[Citation]:
    """The sources that the answer repeats."""
    try:
        wire = _decode_citations(raw)
    except UNREADABLE:
        return
    encoded = text.encode("utf-8", "replace")
    for source in wire.citation_sources or wire.citations or ():
        if source.uri:
            start, end = _span(_Segment(source.start_index, source.end_index), text, encoded)
            yield Citation(source.uri, source.title, start=start, end=end)


def _read(chunk: _Chunk) -> Citation:
    page = chunk.web or chunk.maps
    if page is not None:
        return Citation(page.uri or "", page.title, page.text)
    passage = chunk.retrieved_context or _Source()
    url = passage.uri if passage.uri and passage.uri.startswith(("http://", "https://")) else None
    return Citation(url, passage.title or passage.uri, passage.text)


def _span(segment: _Segment | None, text: str, encoded: bytes) -> tuple[int | None, int | None]:
    """The place of a segment in characters. Its words tell where it is, where its numbers are those of another part."""
    if segment is None:
        return None, None
    words = segment.text
    first, last = segment.start_index, segment.end_index
    if 0 <= first < last <= len(encoded):
        said = encoded[first:last].decode("utf-8", "ignore")
        if words is None or said == words:
            start = len(encoded[:first].decode("utf-8", "ignore"))
            return start, start + len(said)
    start = text.find(words) if words else -1
    return (None, None) if start < 0 or words is None else (start, start + len(words))


def write_grounding(
    citations: Sequence[Citation], text: str, searches: Iterable[ServerToolUse] = ()
) -> GroundingMetadata | None:
    """The sources of an answer whose whole text is ``text``, and what was searched for; None where there are none."""
    queries = [query for search in searches for query in search.input.splitlines() if query]
    if not citations and not queries:
        return None
    chunks: list[_Chunk] = []
    supports: dict[tuple[int, int], list[int]] = {}
    for citation in citations:
        chunk = _write(citation)
        if chunk not in chunks:
            chunks.append(chunk)
        start, end = citation.start, citation.end
        if start is not None and end is not None and 0 <= start < end <= len(text):
            supports.setdefault((start, end), []).append(chunks.index(chunk))
    written = [_Support(_segment(text, start, end), indices) for (start, end), indices in supports.items()]
    return GroundingMetadata(chunks or None, written or None, queries or None)


def _write(citation: Citation) -> _Chunk:
    if citation.url is not None:
        return _Chunk(web=_Source(citation.url, citation.title))
    return _Chunk(retrieved_context=_Source(None, citation.title, citation.quote))


def _segment(text: str, start: int, end: int) -> _Segment:
    first = len(text[:start].encode("utf-8", "replace"))
    return _Segment(first, first + len(text[start:end].encode("utf-8", "replace")), text[start:end])
