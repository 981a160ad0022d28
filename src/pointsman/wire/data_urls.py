"""``data:`` URLs (RFC 2397), taken apart and checked.

Ollama and others take bare base64 and refuse the prefix, so it is stripped here, once, and the rest is checked,
since an upstream's complaint about it would not tell which part of which message it means.
"""

from __future__ import annotations

import re
from typing import Final

from pointsman.core.errors import Malformed
from pointsman.wire.base64_text import read_base64

__all__ = ["is_data_url", "read_data_url"]

_DATA_URL: Final = re.compile(
    r"data:([a-z0-9][\w.+-]{0,126}/[\w.+-]{1,127})?((?:;[^;,]{1,200}){0,8}?);base64,", re.IGNORECASE
)


def is_data_url(text: str) -> bool:
    """Whether a text says of itself that it is a ``data:`` URL."""
    return text[:5].lower() == "data:"


def read_data_url(url: str, place: str) -> tuple[str, str]:
    """Media type (lower case, may be empty) and base64 text; ``place`` is where it stands, for the error.

    Raises:
        Malformed: it is not of the form ``data:TYPE;base64,…``, or its data is not base64.
    """
    match = _DATA_URL.match(url)
    if match is None:
        raise Malformed(f"{place} must be a data: URL of the form data:TYPE;base64,… .", param=place)
    return (match[1] or "").lower(), read_base64(url[match.end() :], place)
