"""Comma-separated values (RFC 4180), safe to open in a spreadsheet.

A spreadsheet takes a text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a return for a formula and runs it, so
such texts get an apostrophe before them (https://owasp.org/www-community/attacks/CSV_Injection). Numbers do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["csv_line"]

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_QUOTED: Final = frozenset(',"\r\n;')


def csv_line(values: Iterable[object]) -> bytes:
    """One line, with its end. True is ``true``; None is empty."""
    return (",".join(map(_cell, values)) + "\r\n").encode("utf-8", "replace")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if text.lstrip(" ").startswith(_FORMULA_STARTS):
        text = "'" + text
    if _QUOTED.isdisjoint(text):
        return text
    return '"' + text.replace('"', '""') + '"'
