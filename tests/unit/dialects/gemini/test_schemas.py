from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.errors import Unsupported
from pointsman.dialects.gemini.schemas import read_schema, write_schema


def raw(schema: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(schema).encode())


def written(schema: object) -> Any:
    found = write_schema(raw(schema), "x")
    return None if found is None else json.loads(msgspec.json.encode(found))


def prop(schema: object, **root: object) -> Any:
    """One property of an object, as written."""
    return written({"type": "object", "properties": {"a": schema}, **root})["properties"]["a"]


def read(schema: object) -> Any:
    return json.loads(msgspec.json.encode(read_schema(raw(schema))))


def test_an_object_and_what_is_left_out() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "T",
        "properties": {"city": {"type": "string", "description": "d", "minLength": 1, "examples": ["x"]}},
        "required": ["city", "gone"],
        "additionalProperties": False,
    }
    assert written(schema) == {
        "type": "OBJECT",
        "title": "T",
        "properties": {"city": {"type": "STRING", "description": "d", "minLength": 1}},
        "required": ["city"],
    }


@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "object", "properties": {}}, {"properties": {}}])
def test_an_object_without_properties_is_none(schema: object) -> None:
    assert written(schema) is None


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}),
        ({"enum": ["a", "b"]}, {"type": "STRING", "format": "enum", "enum": ["a", "b"]}),
        ({"enum": ["a", None]}, {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True}),
        ({"const": "a"}, {"type": "STRING", "format": "enum", "enum": ["a"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER"}),
        ({"type": "string", "format": "uri"}, {"type": "STRING"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "integer", "exclusiveMinimum": 1, "maximum": 5}, {"type": "INTEGER", "maximum": 5}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"items": {"type": "null"}, "maxItems": 2}, {"type": "ARRAY", "items": {"nullable": True}, "maxItems": 2}),
        ({"type": "array", "prefixItems": [{"type": "number"}]}, {"type": "ARRAY", "items": {"type": "NUMBER"}}),
        ({"items": {"type": "boolean"}}, {"type": "ARRAY", "items": {"type": "BOOLEAN"}}),
        (True, {}),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "OBJECT"}),
    ],
)  # fmt: skip
def test_what_json_schema_says_in_geminis_words(schema: object, expected: object) -> None:
    assert prop(schema) == expected


def test_references_are_put_in_place() -> None:
    defs = {"$defs": {"city": {"type": "string"}, "a/b": {"type": "number"}}}
    assert prop({"$ref": "#/$defs/city", "description": "d"}, **defs) == {"type": "STRING", "description": "d"}
    assert prop({"$ref": "#/$defs/a~1b"}, **defs) == {"type": "NUMBER"}
    assert prop({"$ref": "#/$defs/none"}, **defs) == prop({"$ref": "https://x/y"}, **defs) == {}


def test_a_schema_within_itself_comes_to_an_end() -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    found = prop({"$ref": "#/$defs/tree"}, **{"$defs": {"tree": tree}})
    assert found["properties"]["children"]["items"] == {"type": "OBJECT"}


def test_parts_that_all_count_are_put_together() -> None:
    parts = [
        {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
        {"properties": {"c": {"type": "number"}}, "title": "T"},
    ]
    assert prop({"allOf": parts}) == {
        "type": "OBJECT",
        "title": "T",
        "properties": {"b": {"type": "STRING"}, "c": {"type": "NUMBER"}},
        "required": ["b"],
    }


def test_a_schema_that_grows_beyond_bounds_is_refused() -> None:
    defs: dict[str, object] = {"d0": {"type": "string"}}
    for level in range(1, 20):
        one = {"$ref": f"#/$defs/d{level - 1}"}
        defs[f"d{level}"] = {"type": "object", "properties": {"x": one, "y": one}}
    with pytest.raises(Unsupported, match="too large") as caught:
        prop({"$ref": "#/$defs/d19"}, **{"$defs": defs})
    assert caught.value.param == "x"


@pytest.mark.parametrize("schema", [b"[]", b"{", b'"x"', b"\xff"])
def test_what_is_no_schema_is_refused(schema: bytes) -> None:
    with pytest.raises(Unsupported):
        write_schema(msgspec.Raw(schema), "x")


def test_geminis_schema_as_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "max_items": {"type": "ARRAY", "max_items": "3", "items": {"type": "STRING", "nullable": True}},
            "b": {"type": "STRING", "format": "enum", "enum": ["x"], "nullable": True},
            "c": {"any_of": [{"type": "NUMBER"}], "nullable": True},
            "d": {"type": "TYPE_UNSPECIFIED", "minLength": 1},
        },
        "required": ["b"],
        "propertyOrdering": ["b"],
    }
    assert read(schema) == {
        "type": "object",
        "properties": {
            "max_items": {"type": "array", "maxItems": 3, "items": {"type": ["string", "null"]}},
            "b": {"type": ["string", "null"], "enum": ["x", None]},
            "c": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "d": {"minLength": 1},
        },
        "required": ["b"],
    }
    assert read_schema(msgspec.Raw(b"[1]")) == msgspec.Raw(b"[1]")


LEAVES = st.sampled_from([
    {"type": "string"}, {"type": "integer", "minimum": 1}, {"type": ["number", "null"]},
    {"type": "string", "enum": ["a", "b"]}, {"type": "boolean", "description": "d"},
])  # fmt: skip
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda one: {"type": "array", "items": one}),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(
            lambda fields: {"type": "object", "properties": fields, "required": sorted(fields)}
        ),
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_a_plain_schema_survives_the_way_there_and_back(schema: object) -> None:
    root = {"type": "object", "properties": {"a": schema}}
    found = write_schema(raw(root), "x")
    assert found is not None
    assert json.loads(msgspec.json.encode(read_schema(found))) == root


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "anyOf", "allOf", "enum", "$ref", "required"]), inner
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "$defs", "enum", "$ref"]), JSON))
def test_any_object_is_written_and_read(schema: dict[str, object]) -> None:
    write_schema(raw(schema), "x")
    read_schema(raw(schema))
