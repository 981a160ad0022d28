"""Sources of an answer: https://docs.cohere.com/v2/docs/rag-citations.

They are documents of the request, or what a tool gave; both have an id and whatever fields the request gave them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from pointsman.core.content import Citation
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["read_citations"]

_RawField = msgspec.Raw | msgspec.UnsetType


class _Document(msgspec.Struct):
    title: object = None
    url: object = None
    snippet: object = None


class _Source(msgspec.Struct):
    id: str | None = None
    document: _Document | None = None


class _Citation(msgspec.Struct):
    start: int = 0
    end: int = 0
    type: str = ""
    sources: list[_Source] | None = None


_decode: Final = msgspec.json.Decoder(list[_Citation] | _Citation | None).decode


def read_citations(raw: _RawField) -> Iterator[Citation]:
    """The sources, one for each place; none where they cannot be read, or are those of the plan."""
    try:
        found = _decode(raw) if isinstance(raw, msgspec.Raw) else None
    except UNREADABLE:
        return
    for citation in found if isinstance(found, list) else () if found is None else (found,):
        is_place = 0 <= citation.start < citation.end and citation.type != "PLAN"
        for source in (citation.sources or ()) if is_place else ():
            document = source.document or _Document()
            title = document.title if isinstance(document.title, str) else source.id
            url = document.url if isinstance(document.url, str) and document.url else None
            quote = document.snippet if isinstance(document.snippet, str) else None
            yield Citation(url, title, quote, citation.start, citation.end)
