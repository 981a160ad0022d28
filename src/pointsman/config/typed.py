"""Turns nodes into typed structs, and whatever does not fit into findings that name the place.

Numbers and truth values may be given as text, since that is what the environment has and what LiteLLM accepts. A null
counts as absent. Reading goes on after an error, so that an operator sees all of them at once.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec

from pointsman.config.findings import Findings, nearest
from pointsman.config.known_keys import NOT_KEYS, is_honoured, is_so_anyway, known_keys
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar, kind_of, plain
from pointsman.config.references import References
from pointsman.config.without_effect import why_without_effect
from pointsman.core.secret import Secret

__all__ = ["TypedReader"]

_S = TypeVar("_S", bound=msgspec.Struct)
_WRONG: Final = msgspec.UNSET
_TRUTHS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class TypedReader:
    """Reads values of one configuration; ``references`` and ``findings`` are that configuration's."""

    def __init__(self, references: References, findings: Findings) -> None:
        self._references = references
        self._findings = findings

    def section(self, node: MapNode, struct: type[_S], path: str, section: str) -> _S | None:
        """``node`` as ``struct``, with a warning for each key that has no effect; None if something is wrong."""
        self.tell_without_effect(node, path, section)
        return self.struct(node, struct, path)

    def struct(self, node: Node, struct: type[_S], path: str) -> _S | None:
        """The fields of ``struct`` out of ``node``, ignoring all other keys; None if something is wrong."""
        if not isinstance(node, MapNode):
            self._findings.error(node.place, path, f"expected a map, found {kind_of(node)}.")
            return None
        wanted = _annotations(struct)
        given: dict[str, object] = {}
        sound = True
        for name, entry in node.present():
            if name in wanted and name not in NOT_KEYS:
                given[name] = value = self.value(entry.node, wanted[name], f"{path}.{name}")
                sound = sound and value is not _WRONG
        for name in _required(struct) - given.keys():
            self._findings.error(node.place, path, f"{name} is missing.")
            sound = False
        return struct(**given) if sound else None

    def tell_without_effect(self, node: MapNode, path: str, section: str) -> None:
        """Warn of each key that is known and not honoured, or not known at all."""
        for key, entry in node.present():
            if not is_honoured(section, key):
                self.tell_one(key, entry, f"{path}.{key}" if path else key, section)

    def tell_one(self, key: str, entry: Entry, path: str, section: str) -> None:
        """Warn of a key that has no effect, unless what it says is so anyway."""
        known = known_keys()
        if is_so_anyway(section, key, plain(entry.node)):
            return
        if known.knows(section, key):
            why = why_without_effect(section, key)
            self._findings.warn(entry.place, path, "is known and has no effect here.", why)
            return
        like = nearest(key, known.keys[section])
        elsewhere = known.sections_with(key)
        hint = f"Did you mean {like}?" if like else f"It belongs in {' or '.join(elsewhere)}." if elsewhere else None
        self._findings.warn(entry.place, path, "is not a known key and has no effect.", hint)

    def value(self, node: Node, wanted: object, path: str) -> object:
        """``node`` as ``wanted``, or ``msgspec.UNSET`` after a finding."""
        kind = _without_none(wanted)
        origin = typing.get_origin(kind)
        if kind is msgspec.Raw:
            raw = self.raw(node, path)
            return _WRONG if raw is None else raw
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            struct = self.struct(node, kind, path)
            return _WRONG if struct is None else struct
        if origin is tuple:
            return self._tuple(node, typing.get_args(kind), path)
        if origin is Mapping:
            names, inside = typing.get_args(kind)
            return self._mapping(node, names, inside, path)
        return self._leaf(node, kind, path)

    def annotation(self, struct: type[msgspec.Struct], key: str) -> object | None:
        """The type of what ``key`` holds, or None if the struct has no such key."""
        return None if key in NOT_KEYS else _annotations(struct).get(key)

    def raw(self, node: Node, path: str) -> msgspec.Raw | None:
        """``node`` as JSON, its references looked up; None after a finding."""
        resolved = self._references.resolve(node, path)
        if resolved is None:
            return None
        value = plain(resolved)
        if not _is_finite(value):
            self._findings.error(node.place, path, "JSON has neither infinity nor not-a-number.")
            return None
        return msgspec.Raw(msgspec.json.encode(value))

    def _tuple(self, node: Node, wanted: tuple[object, ...], path: str) -> object:
        """A list whose items all are what is ``wanted`` first, or, without an ellipsis, one after the other."""
        if not isinstance(node, ListNode):
            self._findings.error(node.place, path, f"expected a list, found {kind_of(node)}.")
            return _WRONG
        kinds = wanted if wanted[-1] is not Ellipsis else wanted[:1] * len(node.items)
        if len(kinds) != len(node.items):
            self._findings.error(node.place, path, f"expected a list of {len(kinds)}, found one of {len(node.items)}.")
            return _WRONG
        pairs = enumerate(zip(node.items, kinds, strict=True))
        values = tuple(self.value(item, kind, f"{path}[{index}]") for index, (item, kind) in pairs)
        return _WRONG if _WRONG in values else values

    def _mapping(self, node: Node, names: object, wanted: object, path: str) -> object:
        """A map; where its ``names`` are a choice, those beyond it are told of and left out."""
        if not isinstance(node, MapNode):
            self._findings.error(node.place, path, f"expected a map, found {kind_of(node)}.")
            return _WRONG
        choice = typing.get_args(names) if typing.get_origin(names) is typing.Literal else None
        present = list(node.present())
        for key, entry in present:
            if choice is not None and key not in choice:
                spelt = {one.lower(): one for one in choice}
                like = nearest(key, spelt)
                hint = f"Did you mean {spelt[like]}?" if like else None
                self._findings.warn(entry.place, f"{path}.{key}", "is not a known key and has no effect.", hint)
        known = [(key, entry) for key, entry in present if choice is None or key in choice]
        values = {key: self.value(entry.node, wanted, f"{path}.{key}") for key, entry in known}
        return _WRONG if _WRONG in values.values() else values

    def _leaf(self, node: Node, wanted: object, path: str) -> object:
        document = _is_document(wanted)
        if document and isinstance(node, MapNode):
            raw = self.raw(node, path)
            return _WRONG if raw is None else Secret(bytes(raw).decode())
        resolved = self._references.resolve(node, path) if isinstance(node, Scalar) else node
        if resolved is None:
            return _WRONG
        if document and isinstance(resolved, Scalar) and isinstance(resolved.value, str):
            return Secret(resolved.value.strip())
        value = _WRONG if not isinstance(resolved, Scalar) else _converted(resolved, wanted)
        if value is _WRONG:
            self._findings.error(node.place, path, f"expected {_expected(wanted)}, found {_found(resolved, wanted)}.")
        return value


def _converted(scalar: Scalar, wanted: object) -> object:
    """The value as ``wanted``, or UNSET if it is not one."""
    value = scalar.value
    kind, meta = _split(wanted)
    if kind is Secret:
        return _secret(scalar)
    if kind is bool and isinstance(value, str):
        value = _TRUTHS.get(value.strip().lower(), value)
    elif isinstance(value, str) and kind in {int, float}:
        value = value.strip()
    elif kind is str and isinstance(value, int | float) and not isinstance(value, bool) and _number_too(meta):
        value = scalar.text
    try:
        converted: object = msgspec.convert(value, wanted, strict=kind is str)
    except msgspec.ValidationError:
        return _WRONG
    return converted if _is_finite(converted) else _WRONG


def _secret(scalar: Scalar) -> object:
    # A key that was read from a file often ends in a line break; one inside would let it write headers of its own.
    text = scalar.value.strip() if isinstance(scalar.value, str) else None
    return _WRONG if text is None or any(character < " " or character == "\x7f" for character in text) else Secret(text)


def _found(node: Node, wanted: object) -> str:
    kind, _ = _split(wanted)
    found = kind_of(node)
    if found == "text" and kind in {str, Secret}:
        return "other text"
    if found == "a number" and kind in {str, Secret}:
        return "a number; put it in quotes"
    if found == "true or false" and kind in {str, Secret}:
        return "true or false; put it in quotes"
    return "another number" if found == "a number" and kind in {int, float} else found


def _expected(wanted: object) -> str:
    kind, meta = _split(wanted)
    if meta is not None and meta.description:
        return meta.description
    if kind is bool:
        return "true or false"
    if kind is str or kind is Secret:
        return "text on one line" if kind is Secret else "text"
    return ("a whole number" if kind is int else "a number") + _bounds(meta)


def _bounds(meta: msgspec.Meta | None) -> str:
    if meta is None:
        return ""
    lowest = f" of at least {meta.ge}" if meta.ge is not None else f" above {meta.gt}" if meta.gt is not None else ""
    return lowest + (f" and at most {meta.le}" if meta.le is not None and meta.le < 2**53 else "")


def _split(wanted: object) -> tuple[object, msgspec.Meta | None]:
    """The bare type, and the constraint upon it."""
    if typing.get_origin(wanted) is Annotated:
        kind, *extras = typing.get_args(wanted)
        return kind, next((extra for extra in extras if isinstance(extra, msgspec.Meta)), None)
    return wanted, None


def _number_too(meta: msgspec.Meta | None) -> bool:
    return meta is not None and bool(meta.extra) and "number_too" in (meta.extra or {})


def _is_document(wanted: object) -> bool:
    """Whether it is a secret that never becomes a header, so that it may have several lines."""
    kind, meta = _split(wanted)
    return kind is Secret and meta is not None and "document" in (meta.extra or {})


def _without_none(wanted: object) -> object:
    if isinstance(wanted, types.UnionType) or typing.get_origin(wanted) is typing.Union:
        (only,) = [member for member in typing.get_args(wanted) if member is not types.NoneType]
        return only
    return wanted


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list) else True


@functools.cache
def _required(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(struct) if field.required)


@functools.cache
def _annotations(struct: type[msgspec.Struct]) -> Mapping[str, object]:
    return types.MappingProxyType(typing.get_type_hints(struct, include_extras=True))
