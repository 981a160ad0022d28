"""Calls as they travel: what SQLite keeps in one column of JSON, PostgreSQL keeps in columns of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pointsman.stores.call_rows import NAMES, SELDOM_COUNTS, SELDOM_TEXTS

__all__ = ["MORE_COLUMNS", "apart", "together"]

MORE_COLUMNS: Final = (*SELDOM_TEXTS, *SELDOM_COUNTS, *NAMES, "units", "trace", "service_tier")
"""The columns that take the place of ``more``, all of which may be None."""

_DOCUMENTS: Final = frozenset({"units", "trace"})
_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def apart(more: str | None) -> tuple[Any, ...]:
    """The values of :data:`MORE_COLUMNS` in a value of ``more``."""
    if more is None:
        return (None,) * len(MORE_COLUMNS)
    found = _decoder.decode(more)
    return tuple(_value(name, found.get(name)) for name in MORE_COLUMNS)


def together(values: Sequence[Any]) -> str | None:
    """The value of ``more`` that says the same as ``values``, which are those of :data:`MORE_COLUMNS`."""
    more: Mapping[str, Any] = {
        name: msgspec.Raw(value.encode()) if name in _DOCUMENTS else value
        for name, value in zip(MORE_COLUMNS, values, strict=True)
        if value is not None
    }
    return msgspec.json.encode(more).decode() if more else None


def _value(name: str, raw: msgspec.Raw | None) -> object:
    if raw is None:
        return None
    return bytes(raw).decode() if name in _DOCUMENTS else msgspec.json.decode(raw)
