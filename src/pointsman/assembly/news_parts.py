"""News in pieces that a bulletin takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec

__all__ = ["in_parts"]

T = TypeVar("T")
_encode: Final = msgspec.json.Encoder().encode


def in_parts(items: Iterable[T], bytes_max: int) -> Iterator[tuple[T, ...]]:
    """The items in their order, as many together as are no longer than that as JSON; one that is longer goes alone."""
    part: list[T] = []
    size = 0
    for item in items:
        length = len(_encode(item)) + 1
        if part and size + length > bytes_max:
            yield tuple(part)
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield tuple(part)
