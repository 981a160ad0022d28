"""Text as PostgreSQL can keep it: it has no NUL, and its indexes take no long values.

A NUL is written with an escape of two characters, which begins with one that is in nobody's alphabet (U+F8FF, of the
private use area). So what is read is what was written, whatever that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

__all__ = ["indexed", "kept", "kept_columns", "told", "told_columns"]

_ESCAPE: Final = "\uf8ff"
_INDEXED_BYTES_MAX: Final = 800
"""An index takes some 2,700 bytes, for all of its columns together."""
_INDEXED_KEPT: Final = 120


def kept(text: str) -> str:
    """``text`` as it is written."""
    if "\x00" not in text and _ESCAPE not in text:
        return text
    return text.replace(_ESCAPE, _ESCAPE + "1").replace("\x00", _ESCAPE + "0")


def told(text: str) -> str:
    """The text that was written so."""
    return text if _ESCAPE not in text else text.replace(_ESCAPE + "0", "\x00").replace(_ESCAPE + "1", _ESCAPE)


def indexed(text: str) -> str:
    """``text`` as it is written where it is looked for: a long one by its beginning and its digest."""
    if len(text) * 4 > _INDEXED_BYTES_MAX and len(encoded := text.encode()) > _INDEXED_BYTES_MAX:
        return f"{kept(text[:_INDEXED_KEPT])}…{sha256(encoded).hexdigest()}"
    return kept(text)


def kept_columns(columns: Mapping[str, object]) -> dict[str, object]:
    """Columns as they are written."""
    return {name: kept(value) if isinstance(value, str) else value for name, value in columns.items()}


def told_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that were written so."""
    return {name: told(value) if isinstance(value, str) else value for name, value in columns.items()}
