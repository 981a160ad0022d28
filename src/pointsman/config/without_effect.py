"""Why keys of LiteLLM's have no effect here, and what to do instead: ``without_effect.json``, a line for each.

That file has for each section names, or patterns of names such as ``mcp_*``, and what is told of them. A name counts
before a pattern, and of patterns the first that fits.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

__all__ = ["why_without_effect"]


def why_without_effect(section: str, key: str) -> str | None:
    """What is told of a key that has no effect; None: nobody wrote anything."""
    told = _told().get(section, {})
    if key in told:
        return told[key]
    return next((why for pattern, why in told.items() if fnmatchcase(key, pattern)), None)


@functools.cache
def _told() -> Mapping[str, Mapping[str, str]]:
    data = Path(__file__).with_name("without_effect.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, dict[str, str]])
