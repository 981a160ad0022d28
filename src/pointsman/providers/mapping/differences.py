"""Where one piece of JSON says something that another does not, in words that fit a cell of a table."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Json", "differences", "leaves"]

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def leaves(value: Json, place: str = "") -> Iterator[tuple[str, str]]:
    """Every scalar with its place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{place}[{index}]")
    else:
        yield place, repr(value)


def differences(before: Json, after: Json) -> tuple[str, ...]:
    """The places that are new, changed or gone, each once, in order; elements of arrays are not told apart."""
    found = (place.removeprefix(".").removeprefix("body.") for place in _differences(before, after, ""))
    return tuple(dict.fromkeys(found))


def _differences(before: Json, after: Json, place: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*after, *before)):
            inner = f"{place}.{name}"
            if name not in after:
                yield f"{inner} (gone)"
            elif name not in before:
                yield from _told(after[name], inner)
            else:
                yield from _differences(before[name], after[name], inner)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _array_differences(before, after, f"{place}[]")
    elif isinstance(before, str) and isinstance(after, list):
        # A lone text became one of several parts.
        yield from _array_differences([{"type": "text", "text": before}], after, f"{place}[]")
    elif before != after:
        yield place


def _array_differences(before: list[Json], after: list[Json], place: str) -> Iterator[str]:
    new = [value for value in after if value not in before]
    gone = [value for value in before if value not in after]
    if len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            if one != other:
                yield from _differences(one, other, place)
        return
    for value in new:
        yield from _told(value, place)
    if gone and not new:
        yield f"{place} (gone)"


def _told(value: Json, place: str) -> Iterator[str]:
    """What is new: the deepest place that holds all of it, and of what type or role it is."""
    while isinstance(value, dict) and len(value) == 1:
        name, value = next(iter(value.items()))
        place = f"{place}.{name}"
    if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        for inner in value:
            yield from _told(inner, f"{place}[]")
        return
    yield place + _kind_of(value)


def _kind_of(value: Json) -> str:
    if not isinstance(value, dict):
        return ""
    kind = value.get("type", value.get("role"))
    return f" ({kind})" if isinstance(kind, str) else ""
