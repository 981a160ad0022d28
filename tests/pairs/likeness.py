"""What differs between two answers, in words; and what of an answer says nothing, since it is new each time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from tests.pairs.playing import Told

__all__ = ["ANY", "differences", "masked"]

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d($|[T ]\d\d:)")

_PROSE: Final = frozenset({"body", "message", "error_message", "detail", "error", "description", "field_description"})
"""Where sentences stand, which are LiteLLM's own: that there is one is a fact of the interface, its words are none."""

ANY: Final = {str: "~text", int: "~whole number", float: "~number"}
"""What stands for a value that is another one each time."""


def masked(once: Any, again: Any) -> Any:
    """``once``, with a mask where ``again`` says something else of the same type."""
    if isinstance(once, dict) and isinstance(again, dict):
        return {
            name: ANY[str] if name in _PROSE and isinstance(each, str) else masked(each, again.get(name, each))
            for name, each in once.items()
        }
    if isinstance(once, list) and isinstance(again, list) and len(once) == len(again):
        return [masked(each, other) for each, other in zip(once, again, strict=True)]
    if isinstance(once, str) and _MOMENT.match(once):
        return ANY[str]
    if once == again or type(once) not in ANY:
        return once
    return ANY[type(once)]


def differences(theirs: Told, ours: Told) -> Iterator[tuple[str, str]]:
    """Where ours is unlike theirs, and how. What we say in addition is no difference, nor is leaving out a null."""
    if theirs.status != ours.status:
        yield "status", f"{ours.status}, not {theirs.status}"
        if (theirs.status < 400) != (ours.status < 400):
            return  # what else they say has nothing to do with one another
    for name in theirs.headers:
        if name not in ours.headers:
            yield f"header.{name}", "missing"
    yield from _unlike("body", theirs.body, ours.body)


def _unlike(path: str, theirs: Any, ours: Any) -> Iterator[tuple[str, str]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name, each in theirs.items():
            if name in ours:
                yield from _unlike(f"{path}.{name}", each, ours[name])
            elif each is not None:
                yield f"{path}.{name}", f"missing; {_brief(each)} there"
    elif isinstance(theirs, list) and isinstance(ours, list):
        if len(theirs) != len(ours):
            yield path, f"{len(ours)} entries, not {len(theirs)}"
        for number, (each, other) in enumerate(zip(theirs, ours, strict=False)):
            yield from _unlike(f"{path}.{number}", each, other)
    elif _kind(theirs) != _kind(ours) or (theirs != ours and not (isinstance(theirs, str) and theirs.startswith("~"))):
        yield path, f"{_brief(ours)}, not {_brief(theirs)}"


def _kind(value: Any) -> str:
    for mask, kind in (("~text", "text"), ("~whole number", "number"), ("~number", "number")):
        if value == mask:
            return kind
    if value is None or isinstance(value, bool):
        return str(type(value))
    return {str: "text", int: "number", float: "number", dict: "object", list: "list"}[type(value)]


def _brief(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:77]}..."
