"""YAML 1.1 as LiteLLM's files mean it, with exact places and bounds on everything."""

from __future__ import annotations

import contextlib
import math
import re

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointsman.config.findings import ConfigRefused, Place
from pointsman.config.nodes import ListNode, MapNode, Node, Scalar, plain
from pointsman.config.scalars import meaning
from pointsman.config.yaml_source import DEPTH_MAX, NODES_MAX, parse_yaml

LOADERS = [yaml.SafeLoader, yaml.CSafeLoader]
DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")


def parsed(text: str) -> object:
    node = parse_yaml(text, "f.yaml")
    return None if node is None else plain(node)


def refusal(text: str, loader: type[yaml.SafeLoader | yaml.CSafeLoader] | None = None) -> ConfigRefused:
    with pytest.raises(ConfigRefused) as caught:
        parse_yaml(text, "f.yaml", loader=loader)
    return caught.value


def entry(node: Node | None, key: str) -> Node:
    assert isinstance(node, MapNode)
    return node.entries[key].node


@pytest.mark.parametrize("loader", LOADERS)
def test_every_node_and_key_knows_its_line_and_column(loader: type[yaml.SafeLoader]) -> None:
    node = parse_yaml("# first\na:\n  bé: [x,  y]\n  c: 'z'\n", "f.yaml", loader=loader)
    assert isinstance(node, MapNode)
    inner = entry(node, "a")
    assert isinstance(inner, MapNode)
    assert inner.entries["bé"].place == Place("f.yaml", 3, 3)
    listed = entry(inner, "bé")
    assert isinstance(listed, ListNode)
    assert [item.place for item in listed.items] == [Place("f.yaml", 3, 8), Place("f.yaml", 3, 12)]
    assert entry(inner, "c").place == Place("f.yaml", 4, 6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", "y"),
        ("010", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("1:30", 90),
        ("-1:30", -90),
        ("1:30.5", 90.5),
        ("1.5e+3", 1500.0),
        ("4e-07", "4e-07"),
        ("~", None),
        ("2024-02-01", "2024-02-01"),
        ("=", "="),
        ("yES", "yES"),
        ("-.inf", -math.inf),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_1_says_except_dates(text: str, value: object) -> None:
    assert parsed(f"a: {text}") == {"a": value}


@given(
    st.from_regex(r"[-+]?[0-9a-fxob:._eE~nuly]{1,12}|\.inf|\.NaN|(?i:true|false|yes|no|on|off|null)", fullmatch=True)
)
@example("-.0")
@example("0b_")
@example("1__:2")
@example("0_")
@settings(max_examples=300, deadline=None)
def test_a_plain_scalar_means_what_pyyaml_makes_of_it(text: str) -> None:
    try:
        theirs = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return
    if DATE.match(text) or not isinstance(theirs, str | int | float | bool | None):
        return
    ours = meaning(text)
    assert type(ours) is type(theirs)
    assert ours == theirs or (ours != ours and theirs != theirs)  # noqa: PLR0124 - not-a-number equals nothing


def test_quoted_text_and_text_with_a_tag_stay_text() -> None:
    assert parsed("a: '1'\nb: \"yes\"\nc: !!str 5\n") == {"a": "1", "b": "yes", "c": "5"}


def test_keys_are_text_as_written() -> None:
    assert parsed("on: 1\n2: x\nnull: y\n") == {"on": 1, "2": "x", "null": "y"}


def test_nothing_but_comments_is_nothing() -> None:
    assert parsed("# only\n\n") is None


def test_anchors_and_merge_keys_unfold() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{x: 9}, *a]}\n'<<': text\n"
    assert parsed(text) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 9, "y": 2}, "<<": "text"}


@pytest.mark.parametrize("loader", LOADERS)
def test_a_duplicate_key_is_refused_with_both_places(loader: type[yaml.SafeLoader]) -> None:
    error = refusal("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", loader).errors[0]
    assert error.place == Place("f.yaml", 5, 3)
    assert '"c" stands twice' in error.message
    assert "line 3" in error.message


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: [1,\n", 2, 1, "not YAML"),
        ("a: b: c\n", 1, 5, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, 1, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, 1, "second YAML document"),
        ("a: *x\n", 1, 4, "*x refers to nothing"),
        ("a: &x [*x]\n", 1, 8, "*x refers to nothing"),
        ("a: !!python/object:os.system {}\n", 1, 4, "tag tag:yaml.org,2002:python/object:os.system is not supported"),
        ("a: !ENV X\n", 1, 4, "tag !ENV is not supported"),
        ("? [1]\n: 2\n", 1, 3, "a key must be text"),
        ("a: 1\n? ''\n: 2\n", 2, 3, "a key is missing"),
        ("a: {<<: 5}\n", 1, 5, "<< merges"),
        ("x: &x {}\na: {<<: *x, <<: *x}\n", 2, 13, "stands twice"),
        ('a: "b\\0c"\n', 1, 4, "character that no setting can have"),
        ("a: 0b_\n", 1, 4, "looks like a number and is none"),
        (f"a: {'9' * 5000}\n", 1, 4, "looks like a number and is none"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(text: str, line: int, column: int, words: str) -> None:
    error = refusal(text).errors[0]
    assert words in error.message
    assert error.place == Place("f.yaml", line, column)


def test_depth_is_bounded_also_through_aliases() -> None:
    deep = "[" * DEPTH_MAX + "]" * DEPTH_MAX
    assert parse_yaml(deep, "f.yaml") is not None
    assert "nested deeper" in str(refusal(f"[{deep}]"))
    half = "[" * 40 + "{}" + "]" * 40
    assert "nested deeper" in str(refusal(f"a: &a {half}\nb: {half.format('*a')}\n"))


def test_a_million_brackets_are_refused_at_once() -> None:
    assert "nested deeper" in str(refusal("[" * 1_000_000))
    assert "nested deeper" in str(refusal("{a: " * 500_000))


def test_an_alias_bomb_is_refused_before_it_unfolds() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert f"{NODES_MAX:,} values" in str(refusal("\n".join(rows)))


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigRefused):
        node = parse_yaml(text, "f.yaml")
        assert node is None or isinstance(node, Scalar | ListNode | MapNode)


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz_.é ", min_size=1), inner, max_size=4),
    max_leaves=30,
)


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_what_pyyaml_writes_is_read_as_it_was(tree: object) -> None:
    text = yaml.safe_dump(tree)
    if "\\0" in text:
        return
    assert parsed(text) == tree
