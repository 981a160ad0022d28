"""Differences between two pieces of JSON, in words."""

from __future__ import annotations

import pytest

from pointsman.providers.mapping.differences import Json, differences, leaves


@pytest.mark.parametrize(
    ("before", "after", "places"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1}, {"a": 2}, ("a",)),
        ({}, {"a": {"b": {"c": 1}}}, ("a.b.c",)),
        ({}, {"a": {"b": 1, "c": 2}}, ("a",)),
        ({}, {"a": {"type": "x", "c": 2}}, ("a (x)",)),
        ({"a": 1, "b": 2}, {"b": 2}, ("a (gone)",)),
        ({"m": ["x"]}, {"m": ["x", {"role": "user", "c": 1}]}, ("m[] (user)",)),
        ({"m": [{"c": 1}]}, {"m": [{"c": 2}]}, ("m[].c",)),
        ({"m": [1, 2]}, {"m": [1]}, ("m[] (gone)",)),
        ({"c": "Hi"}, {"c": [{"type": "text", "text": "Hi"}, {"type": "image", "x": 1}]}, ("c[] (image)",)),
        ({"body": {"a": 1}}, {"body": {"a": 2}}, ("a",)),
        ({"a": None}, {"a": [{"type": "x", "y": 1}, {"type": "z", "y": 1}]}, ("a",)),
        ({}, {"a": [{"type": "x", "y": 1}, {"type": "z", "y": 1}]}, ("a[] (x)", "a[] (z)")),
    ],
)
def test_they_are_told_by_their_places(before: Json, after: Json, places: tuple[str, ...]) -> None:
    assert differences(before, after) == places


def test_every_scalar_is_a_leaf() -> None:
    assert list(leaves({"a": [1, {"b": None}], "c": "x"})) == [(".a[0]", "1"), (".a[1].b", "None"), (".c", "'x'")]
