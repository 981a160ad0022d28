"""Schemas: Gemini's ``Schema`` is a small part of OpenAPI 3.0's, everyone else writes JSON Schema.

Source: https://ai.google.dev/api/caching#Schema. Towards Gemini, references are put in place, alternatives become
``anyOf``, null becomes ``nullable``, and what Gemini does not know is left out: it would refuse the request, while the
model seldom needs it. From Gemini's clients, types come in capitals and whole numbers as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pointsman.core.errors import Unsupported

__all__ = ["read_schema", "write_schema"]

_decode: Final = msgspec.json.Decoder(dict[str, object]).decode
_encode: Final = msgspec.json.Encoder().encode

_NODES_MAX: Final = 5_000
"""References put in place can make a schema grow beyond all bounds; a tool's has some dozens of nodes."""

_Node = Mapping[str, object]

_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_KEPT: Final = ("title", "description", "default", "pattern", "minimum", "maximum", "propertyOrdering")
_COUNTS: Final = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_FORMATS: Final = frozenset({"date-time", "double", "float", "int32", "int64"})
_CAMEL: Final = {
    "any_of": "anyOf",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
    "property_ordering": "propertyOrdering",
}

# ── Towards Gemini ───────────────────────────────────────────────────────────────────────────────────────────────


def write_schema(schema: msgspec.Raw, param: str) -> msgspec.Raw | None:
    """A JSON Schema in Gemini's form; None for an object without properties, which Gemini does not take.

    Raises:
        Unsupported: it is no JSON object, or grows too large; ``param`` is the field at fault.
    """
    try:
        root = _decode(schema)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unsupported(f"{param} is not a JSON Schema that Gemini can take.", param=param) from None
    written = _Writer(root, param).write(root, ())
    if written.get("type") == "OBJECT" and "properties" not in written and "anyOf" not in written:
        return None
    return msgspec.Raw(_encode(written))


class _Writer:
    """Writes one schema; ``seen`` are the references that led to a node, so that one within itself comes to an end."""

    def __init__(self, root: _Node, param: str) -> None:
        self._root = root
        self._param = param
        self._nodes = 0

    def write(self, node: object, seen: tuple[str, ...]) -> dict[str, object]:
        self._nodes += 1
        if self._nodes > _NODES_MAX:
            raise Unsupported(f"{self._param} is too large once its references are put in place.", param=self._param)
        if not isinstance(node, Mapping):
            return {}
        reference = node.get("$ref")
        if isinstance(reference, str):
            if reference in seen:
                return {"type": "OBJECT"}
            rest = {name: value for name, value in node.items() if name != "$ref"}
            return self.write({**self._resolve(reference), **rest}, (*seen, reference))
        node = _with_all_of(node)
        written: dict[str, object] = {name: node[name] for name in (*_KEPT, *_COUNTS) if name in node}
        self._write_type(node, written, seen)
        self._write_children(node, written, seen)
        return written

    def _resolve(self, reference: str) -> _Node:
        """What a reference within the schema points to; another is not followed."""
        found: object = self._root
        if not reference.startswith("#"):
            return {}
        for name in reference.removeprefix("#").strip("/").split("/"):
            if name and isinstance(found, Mapping):
                found = found.get(name.replace("~1", "/").replace("~0", "~"))
        return found if isinstance(found, Mapping) else {}

    def _write_type(self, node: _Node, written: dict[str, object], seen: tuple[str, ...]) -> None:
        """Type, alternatives, and the values allowed."""
        types, nullable = _types(node)
        alternatives = [one for name in ("anyOf", "oneOf") for one in _items(node.get(name))]
        others = [one for one in alternatives if not _is_null(one)]
        nullable = nullable or len(others) < len(alternatives)
        if len(others) == 1:
            written.update(self.write(others[0], seen) | written)
        elif others:
            written["anyOf"] = [self.write(one, seen) for one in others]
        elif len(types) > 1:
            bare = {name: value for name, value in node.items() if name in ("properties", "required", "items")}
            written["anyOf"] = [self.write({**bare, "type": one}, seen) for one in types]
        elif types:
            written["type"] = types[0].upper()
        values = [node["const"]] if "const" in node else _items(node.get("enum"))
        words = [value for value in values if isinstance(value, str)]
        if words and all(value is None or isinstance(value, str) for value in values):
            nullable = nullable or len(words) < len(values)
            written.update({"type": "STRING", "format": "enum", "enum": words})
        elif node.get("format") in _FORMATS:
            written["format"] = node["format"]
        if nullable:
            written["nullable"] = True

    def _write_children(self, node: _Node, written: dict[str, object], seen: tuple[str, ...]) -> None:
        kind = written.get("type")
        properties = node.get("properties")
        if kind == "OBJECT" and isinstance(properties, Mapping) and properties:
            written["properties"] = {name: self.write(one, seen) for name, one in properties.items()}
            required = [name for name in _items(node.get("required")) if isinstance(name, str) and name in properties]
            if required:
                written["required"] = required
        if kind == "ARRAY":
            items = node.get("items", next(iter(_items(node.get("prefixItems"))), None))
            written["items"] = self.write(items, seen) or {"type": "STRING"}


def _with_all_of(node: _Node) -> _Node:
    """A node with the parts of its ``allOf`` put together; of fields that several parts have, the first counts."""
    parts = [one for one in _items(node.get("allOf")) if isinstance(one, Mapping)]
    if not parts:
        return node
    merged: dict[str, object] = {}
    properties: dict[str, object] = {}
    required: list[object] = []
    for one in (node, *parts):
        merged = {**one, **merged}
        inner = one.get("properties")
        properties.update(inner if isinstance(inner, Mapping) else {})
        required += _items(one.get("required"))
    merged.pop("allOf", None)
    return {**merged, **({"properties": properties} if properties else {}), "required": required}


def _types(node: _Node) -> tuple[list[str], bool]:
    """The types a node says or shows, without null, and whether null is one of them."""
    said = node.get("type")
    named = [said] if isinstance(said, str) else _items(said)
    types = [one.lower() for one in named if isinstance(one, str) and one.lower() in _TYPES]
    if not types:
        types = ["object"] if "properties" in node else ["array"] if "items" in node else []
    nullable = "null" in types or node.get("nullable") is True
    return [one for one in types if one != "null"], nullable


def _is_null(node: object) -> bool:
    return isinstance(node, Mapping) and node.get("type") == "null"


def _items(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


# ── From Gemini's clients ────────────────────────────────────────────────────────────────────────────────────────


def read_schema(schema: msgspec.Raw) -> msgspec.Raw:
    """A schema in Gemini's form as JSON Schema; what is none is passed on as it is."""
    try:
        return msgspec.Raw(_encode(_read(_decode(schema))))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return schema


def _read(node: _Node) -> dict[str, object]:
    fields = {_CAMEL.get(name, name): value for name, value in node.items()}
    nullable = fields.pop("nullable", False) is True
    fields.pop("propertyOrdering", None)
    if fields.get("format") == "enum":
        del fields["format"]
    for name in _COUNTS:
        said = fields.get(name)
        if isinstance(said, str) and said.isdecimal() and said.isascii():
            fields[name] = int(said)
    kind = fields.get("type")
    if isinstance(kind, str):
        fields["type"] = [kind.lower(), "null"] if nullable else kind.lower()
    if fields.get("type") == "type_unspecified":
        del fields["type"]
    _read_children(fields)
    alternatives = fields.get("anyOf")
    if nullable and isinstance(alternatives, list):
        fields["anyOf"] = [*alternatives, {"type": "null"}]
    if nullable and isinstance(fields.get("enum"), list):
        fields["enum"] = [*_items(fields["enum"]), None]
    return fields


def _read_children(fields: dict[str, object]) -> None:
    properties = fields.get("properties")
    if isinstance(properties, Mapping):
        fields["properties"] = {name: _child(one) for name, one in properties.items()}
    if isinstance(fields.get("items"), Mapping):
        fields["items"] = _child(fields["items"])
    if isinstance(fields.get("anyOf"), list):
        fields["anyOf"] = [_child(one) for one in _items(fields["anyOf"])]


def _child(node: object) -> object:
    return _read(node) if isinstance(node, Mapping) else node
