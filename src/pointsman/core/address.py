"""Upstreams' addresses: which host one means, and taking one out of a text that is not for the operator."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["host_of", "without_address"]

_KNOWN_MAX: Final = 256
_HOST: Final = re.compile(r"\w+://(?:[^/?#@]*@)?(\[[^\]]+\]|[^/?#:\[\]]+)")
_ENDS: Final = r"(?::\d+)?(?:/[^\s\"'<>,;]*[^\s\"'<>,;:.)])?"


def host_of(api_base: str) -> str:
    """The host that an address is of: scheme, name and port in lower case, without path, query or credentials."""
    scheme, _, rest = api_base.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return f"{scheme}://{authority}".lower()


def without_address(text: str, api_base: str, name: str) -> str:
    """``text`` with ``name`` wherever the host of ``api_base`` is named in it, alone or as a URL."""
    pattern = _pattern(api_base)
    return text if pattern is None else pattern.sub(lambda _found: name, text)


@lru_cache(_KNOWN_MAX)
def _pattern(api_base: str) -> re.Pattern[str] | None:
    found = _HOST.match(api_base)
    if found is None:
        return None
    host = found.group(1).strip("[]")
    bare = rf"\[?{re.escape(host)}\]?"
    url = rf"\w+://(?:[^\s/@]*@)?{bare}(?![\w-]|\.\w){_ENDS}"
    # A single label may be a plain word, such as "ollama" among containers: alone it says nothing.
    alone = rf"(?<![\w.-]){bare}" + (r"(?![\w-]|\.\w)" if "." in host or ":" in host else r"(?=:\d)") + _ENDS
    return re.compile(rf"{url}|{alone}", re.IGNORECASE)
