"""Near misses for error hints: ``model "lama3" is not served; did you mean "llama3"?``."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice
from typing import Final

__all__ = ["nearest"]

KNOWN_MAX: Final = 500
NAME_CHARS_MAX: Final = 96
"""Bounds on the work an unknown name can cause: comparing is quadratic in a name's length."""

SIMILARITY_MIN: Final = 0.6


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> tuple[str, ...]:
    """Up to ``count`` of the first 500 known names that ``name`` may have meant, likeliest first.

    Case, the provider before the slash and the tag behind the colon count for little: whoever writes
    ``Llama3.1`` is shown ``ollama/llama3.1:8b``. A name too long to be a slip finds nothing.
    """
    if not name or len(name) > NAME_CHARS_MAX:
        return ()
    matcher = SequenceMatcher(autojunk=False)
    wanted = _core(name)
    matcher.set_seq2(wanted)
    scored: list[tuple[float, str]] = []
    for other in islice(known, KNOWN_MAX):
        score = _score(matcher, wanted, _core(other[:NAME_CHARS_MAX]))
        if score >= SIMILARITY_MIN and other != name:
            scored.append((-score, other))
    return tuple(other for _, other in sorted(scored)[:count])


def _score(matcher: SequenceMatcher[str], wanted: str, other: str) -> float:
    """Likeness from 0 to 1; the cheap upper bounds come first, most names fail there."""
    if wanted == other:
        return 1.0
    matcher.set_seq1(other)
    if matcher.real_quick_ratio() < SIMILARITY_MIN or matcher.quick_ratio() < SIMILARITY_MIN:
        return 0.0
    return matcher.ratio()


def _core(name: str) -> str:
    """A name without provider and tag."""
    return name.lower().rpartition("/")[2].partition(":")[0]
