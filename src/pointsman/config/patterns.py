"""Wildcard model names: ``*``, ``openai/*``, ``anthropic/claude-*``, and what their stars stood for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

__all__ = ["Match", "fill", "is_pattern", "match", "most_specific", "said_of", "specificity"]

_T = TypeVar("_T")


class Match(msgspec.Struct, frozen=True):
    """A pattern that fits a name; ``captured`` has what each of its stars stood for, in order."""

    pattern: str
    captured: tuple[str, ...]


def is_pattern(name: str) -> bool:
    """Whether a model name stands for many."""
    return "*" in name


def most_specific(patterns: Iterable[str], name: str) -> Match | None:
    """The pattern that says most about ``name``, or None if none fits; see :func:`specificity`."""
    best: Match | None = None
    for pattern in patterns:
        if best is not None and specificity(pattern) <= specificity(best.pattern):
            continue
        captured = match(pattern, name)
        if captured is not None:
            best = Match(pattern, captured)
    return best


def said_of(name: str, settings: Mapping[str, _T]) -> _T | None:
    """What ``settings`` say of the model ``name``: under the name itself, else under the pattern that says most."""
    exact = settings.get(name)
    if exact is not None or not settings:
        return exact
    found = most_specific((key for key in settings if is_pattern(key)), name)
    return None if found is None else settings[found.pattern]


def specificity(pattern: str) -> tuple[bool, int, int]:
    """Orders patterns: a plain name over any pattern, then the longer text before the first star, then more text."""
    head, star, _ = pattern.partition("*")
    return not star, len(head), len(pattern) - pattern.count("*")


def match(pattern: str, name: str) -> tuple[str, ...] | None:
    """What each star of ``pattern`` stood for, or None if ``name`` does not fit. The time is linear in both.

    A star may stand for nothing; of several, each but the last takes as little as it can.
    """
    head, *rest = pattern.split("*")
    if not rest:
        return () if pattern == name else None
    tail = rest.pop()
    if len(name) < len(head) + len(tail) or not name.startswith(head) or not name.endswith(tail):
        return None
    start, end = len(head), len(name) - len(tail)
    captured = []
    for part in rest:
        found = name.find(part, start, end)
        if found < 0:
            return None
        captured.append(name[start:found])
        start = found + len(part)
    return (*captured, name[start:end])


def fill(template: str, captured: tuple[str, ...]) -> str:
    """``template`` with its stars replaced in order; a star with nothing left to stand for is dropped.

    So ``openai/*`` filled with what ``*`` of ``openai/*`` stood for is the name that was asked for.
    """
    head, *rest = template.split("*")
    values = (*captured, *([""] * len(rest)))
    return head + "".join(value + part for value, part in zip(values, rest, strict=False))
