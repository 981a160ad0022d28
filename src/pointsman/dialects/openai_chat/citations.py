"""Sources of an answer: ``annotations``, and the lists of whole searches that some services give instead.

Sources: https://platform.openai.com/docs/guides/tools-web-search (``annotations``),
https://openrouter.ai/docs/features/web-search (with the ``content`` of the page), https://docs.perplexity.ai and
https://docs.x.ai/docs/guides/live-search (``citations``, ``search_results``: the text refers to them as ``[1]``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pointsman.core.content import Citation
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["listed_sources", "read_annotations", "referred", "write_annotation"]

_RawField = msgspec.Raw | msgspec.UnsetType


class _UrlCitation(msgspec.Struct):
    """``url_citation``."""

    url: str = ""
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class _Annotation(msgspec.Struct):
    """An annotation of any type; some services leave out the object inside."""

    type: str = ""
    url_citation: _UrlCitation | None = None
    url: str | None = None
    title: str | None = None


class _SearchResult(msgspec.Struct):
    """A page that was found."""

    url: str = ""
    title: str | None = None
    snippet: str | None = None


_decode_annotations: Final = msgspec.json.Decoder(list[_Annotation] | None).decode
_decode_urls: Final = msgspec.json.Decoder(list[str] | None).decode
_decode_results: Final = msgspec.json.Decoder(list[_SearchResult] | None).decode


def read_annotations(raw: _RawField) -> list[Citation]:
    """The sources on the web; none where they cannot be read, since the answer is worth more than its sources."""
    try:
        annotations = (_decode_annotations(raw) or []) if isinstance(raw, msgspec.Raw) else []
    except UNREADABLE:
        return []
    return [citation for one in annotations if (citation := _read(one)) is not None]


def _read(wire: _Annotation) -> Citation | None:
    inner = wire.url_citation or _UrlCitation(wire.url or "", wire.title)
    if not inner.url:
        return None
    start, end = inner.start_index, inner.end_index
    is_span = start is not None and end is not None and 0 <= start < end
    return Citation(
        inner.url, inner.title, inner.content, start=start if is_span else None, end=end if is_span else None
    )


def write_annotation(citation: Citation) -> dict[str, object] | None:
    """An annotation; None for documents, which have no place here. Of no words where nobody says of which."""
    if citation.url is None:
        return None
    span = {"start_index": citation.start or 0, "end_index": citation.end or 0}
    return {"type": "url_citation", "url_citation": {**span, "title": citation.title or "", "url": citation.url}}


def listed_sources(citations: _RawField, search_results: _RawField) -> list[Citation]:
    """The pages of a search, in the order in which the text counts them; none where they cannot be read."""
    try:
        urls = (_decode_urls(citations) or []) if isinstance(citations, msgspec.Raw) else []
        results = (_decode_results(search_results) or []) if isinstance(search_results, msgspec.Raw) else []
    except UNREADABLE:
        return []
    known = {result.url: result for result in results}
    listed = urls or [result.url for result in results]
    found = [known.get(url, _SearchResult(url)) for url in listed if url]
    return [Citation(one.url, one.title, one.snippet) for one in found]


def referred(sources: Sequence[Citation], text: str) -> Iterator[Citation]:
    """Each source where the text refers to it by its number; without a place where it does not."""
    for number, source in enumerate(sources, 1):
        mark = f"[{number}]"
        start = text.find(mark)
        if start < 0:
            yield source
        while start >= 0:
            end = start + len(mark)
            yield msgspec.structs.replace(source, start=start, end=end)
            start = text.find(mark, end)
