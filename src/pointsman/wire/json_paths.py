r"""Taking a member out of raw JSON by its path, and leaving everything else as it was spelt.

The paths are LiteLLM's (``additional_drop_params``, https://docs.litellm.ai/docs/completion/drop_params): ``a``,
``a.b``, ``a[*].b`` for every element, ``a[0].b`` for one, ``a\.b`` for a name with a dot in it. ``a[]`` means
``a[*]``, and a leading ``$.`` nothing. What does not fit the JSON is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["JsonPath", "head_of", "is_nested", "read_path", "without_path"]

_SEGMENT: Final = re.compile(r"((?:[^.\[\]\\]|\\.)+)|\[(\*|\d{0,9})\]")
_ESCAPED: Final = re.compile(r"\\(.)")
_DEPTH_MAX: Final = 32

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode

JsonPath = tuple[str | int | None, ...]
"""Names of members, numbers of elements, and None for every element."""


def is_nested(path: str) -> bool:
    """Whether a path says more than the name of a top-level field."""
    return "." in path or "[" in path


def read_path(path: str) -> JsonPath:
    """The steps of a path, at most so many as JSON is ever nested in a request; no step: nothing is meant."""
    steps: list[str | int | None] = []
    for name, place in _SEGMENT.findall(path.removeprefix("$.")):
        if name:
            steps.append(_ESCAPED.sub(r"\1", name))
        else:
            steps.append(int(place) if place.isdigit() else None)
    return tuple(steps[:_DEPTH_MAX])


def head_of(path: JsonPath) -> str | None:
    """The top-level field that a path goes through; None where it begins with an element."""
    first = path[0] if path else None
    return first if isinstance(first, str) else None


def without_path(fields: Mapping[str, msgspec.Raw], path: JsonPath) -> dict[str, msgspec.Raw]:
    """The members of an object without the one at the path. Elements of arrays themselves are not taken out."""
    left = dict(fields)
    name = head_of(path)
    if name is None or name not in left:
        return left
    if len(path) == 1:
        del left[name]
    else:
        left[name] = _pruned(left[name], path[1:])
    return left


def _pruned(raw: msgspec.Raw, path: JsonPath) -> msgspec.Raw:
    step = path[0]
    try:
        if isinstance(step, str):
            return msgspec.Raw(_encode(without_path(_decode_object(raw), path)))
        items = _decode_array(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw
    if len(path) == 1:
        return raw
    for index, item in enumerate(items):
        if step is None or step == index:
            items[index] = _pruned(item, path[1:])
    return msgspec.Raw(_encode(items))
