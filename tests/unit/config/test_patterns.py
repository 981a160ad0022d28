"""Wildcard model names: the pattern that says most wins, and what its stars stood for maps on."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config.patterns import Match, fill, is_pattern, match, most_specific


@pytest.mark.parametrize(
    ("name", "pattern", "captured"),
    [
        ("gpt-4o", "*", ("gpt-4o",)),
        ("openai/o3", "openai/*", ("o3",)),
        ("openai/gpt-4o-mini", "openai/gpt-4o*", ("-mini",)),
        ("anthropic/claude-3", "anthropic/claude-*", ("3",)),
        ("exact", "exact", ()),
        ("bedrock/eu.claude-v1", "bedrock/*-v1", ("eu.claude",)),
    ],
)
def test_the_longest_text_before_the_star_wins(name: str, pattern: str, captured: tuple[str, ...]) -> None:
    patterns = ["*", "openai/*", "exact", "openai/gpt-4o*", "anthropic/claude-*", "ex*", "bedrock/*", "bedrock/*-v1"]
    assert most_specific(patterns, name) == Match(pattern, captured)
    assert most_specific(patterns[::-1], name) == Match(pattern, captured)


def test_no_pattern_fits_nothing() -> None:
    assert most_specific(["openai/*", "gpt"], "gpt-4o") is None
    assert most_specific([], "gpt-4o") is None


def test_head_and_tail_must_not_overlap() -> None:
    assert match("ab*ba", "aba") is None
    assert match("ab*ba", "abba") == ("",)


@pytest.mark.parametrize(
    ("template", "captured", "name"),
    [
        ("openai/*", ("gpt-4o",), "openai/gpt-4o"),
        ("openai/gpt-4o", ("x",), "openai/gpt-4o"),
        ("*/*", ("a", "b"), "a/b"),
        ("x/*-*", ("a",), "x/a-"),
    ],
)
def test_what_the_stars_stood_for_maps_on(template: str, captured: tuple[str, ...], name: str) -> None:
    assert fill(template, captured) == name


PATTERNS = st.text("ab*", max_size=12)


@given(PATTERNS, st.text("ab", max_size=20))
def test_a_pattern_fits_exactly_when_the_regular_expression_does(pattern: str, name: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    captured = match(pattern, name)
    assert (captured is not None) == bool(re.fullmatch(expression, name))
    if captured is not None:
        assert fill(pattern, captured) == name
        assert len(captured) == pattern.count("*")
    assert is_pattern(pattern) == ("*" in pattern)


def test_many_stars_take_no_more_than_linear_time() -> None:
    assert match("*a" * 2000 + "b", "a" * 20_000) is None
