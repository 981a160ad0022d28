"""A path takes one thing out of raw JSON, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.wire.json_paths import head_of, is_nested, read_path, without_path

BODY: dict[str, Any] = {
    "a": {"b": {"c": 1, "d": 2}, "x.y": 3},
    "tools": [{"function": {"name": "f", "strict": True}}, {"function": {"strict": False}}, "odd"],
}


def without(path: str, body: Any = BODY) -> Any:
    fields = msgspec.json.decode(json.dumps(body), type=dict[str, msgspec.Raw])
    return json.loads(msgspec.json.encode(without_path(fields, read_path(path))))


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("tools[*].function.strict", ("tools", None, "function", "strict")),
        ("tools[].function.strict", ("tools", None, "function", "strict")),
        ("$.tools[12].x", ("tools", 12, "x")),
        (r"a.x\.y", ("a", "x.y")),
        ("", ()),
        ("...", ()),
        ("[*].a", (None, "a")),
    ],
)
def test_a_path_is_read_in_steps(path: str, steps: tuple[object, ...]) -> None:
    assert read_path(path) == steps


def test_what_a_path_names_is_gone_and_the_rest_stays() -> None:
    assert without("a.b.c")["a"] == {"b": {"d": 2}, "x.y": 3}
    assert without(r"a.x\.y")["a"] == {"b": {"c": 1, "d": 2}}
    assert without("tools")["a"] == BODY["a"] and "tools" not in without("tools")
    assert without("tools[*].function.strict")["tools"] == [{"function": {"name": "f"}}, {"function": {}}, "odd"]
    assert without("tools[1].function")["tools"] == [BODY["tools"][0], {}, "odd"]


@pytest.mark.parametrize(
    "path",
    ["z", "a.z", "a.b.c.d", "tools[*]", "tools[0]", "tools[9].x", "a[0].b", "tools.function", "", "[0].a"],
)
def test_what_does_not_fit_changes_nothing(path: str) -> None:
    assert without(path) == BODY


def test_numbers_keep_their_spelling() -> None:
    fields = {"a": msgspec.Raw(b'{"n": 1.0e2, "big": 123456789012345678901234567890, "gone": 1}')}
    assert bytes(without_path(fields, read_path("a.gone"))["a"]) == b'{"n":1.0e2,"big":123456789012345678901234567890}'


def test_the_fields_given_are_left_alone() -> None:
    fields = {"a": msgspec.Raw(b'{"b":1}')}
    without_path(fields, read_path("a.b"))
    without_path(fields, read_path("a"))
    assert fields == {"a": msgspec.Raw(b'{"b":1}')}


def test_what_is_nested_and_through_which_field() -> None:
    assert is_nested("a.b") and is_nested("a[0]") and not is_nested("top_k")
    assert head_of(read_path("a.b")) == "a" and head_of(read_path("[0].b")) is None
