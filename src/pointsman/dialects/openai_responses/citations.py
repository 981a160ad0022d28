"""Sources of an answer: ``annotations`` of a part of text, in whose characters they count.

Source: https://platform.openai.com/docs/api-reference/responses/object (output_text, annotations).
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.content import Citation
from pointsman.dialects.stream_checks import UNREADABLE

__all__ = ["annotations_in", "read_annotation", "write_annotation"]

_RawField = msgspec.Raw | msgspec.UnsetType


class _Annotation(msgspec.Struct):
    """An annotation of any type. ``index`` is the place in the text where a file is referred to."""

    type: str = ""
    url: str | None = None
    title: str | None = None
    filename: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    index: int | None = None


_decode: Final = msgspec.json.Decoder(_Annotation).decode
_decode_all: Final = msgspec.json.Decoder(list[msgspec.Raw] | None).decode


def annotations_in(raw: _RawField) -> list[msgspec.Raw]:
    """A list of annotations, each unread; empty where it is none."""
    try:
        return (_decode_all(raw) or []) if isinstance(raw, msgspec.Raw) else []
    except UNREADABLE:
        return []


def read_annotation(raw: msgspec.Raw, offset: int) -> Citation | None:
    """The source; None where it is of a type that we do not know. The part begins at ``offset`` of the text."""
    try:
        wire = _decode(raw)
    except UNREADABLE:
        return None
    if wire.type not in {"url_citation", "file_citation", "container_file_citation"}:
        return None
    start = wire.start_index if wire.start_index is not None else wire.index
    end = wire.end_index if wire.end_index is not None else start
    is_place = start is not None and end is not None and 0 <= start <= end and end > 0
    return Citation(
        wire.url if wire.type == "url_citation" else None,
        wire.title or wire.filename,
        start=offset + start if is_place and start is not None else None,
        end=offset + end if is_place and end is not None else None,
    )


def write_annotation(citation: Citation, offset: int) -> dict[str, object]:
    """An annotation of the part that begins at ``offset``. Where nobody says what rests on it, it is no words."""
    start = max((citation.start or 0) - offset, 0)
    end = max((citation.end or 0) - offset, start)
    title = citation.title or ""
    if citation.url is not None:
        return {
            "type": "url_citation", "start_index": start, "end_index": end, "title": title, "url": citation.url,
        }  # fmt: skip
    return {"type": "file_citation", "file_id": "", "filename": title, "index": end}
