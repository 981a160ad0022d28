"""Reads YAML text into nodes that know their place, as YAML 1.1 has it and so as LiteLLM's files are meant.

Differences from PyYAML's safe loader, each on purpose: a key that stands twice is an error, dates stay text
(``api_version: 2024-02-01``), keys are text as written (``on:`` is not ``true:``), and the size of what aliases unfold
to, and the depth, are bounded. Built on the parser's events, which do not recurse, so that no input exhausts the stack.
"""

from __future__ import annotations

from typing import Final, Protocol

import yaml

from pointsman.config.findings import ConfigRefused, Place
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar
from pointsman.config.scalars import meaning

__all__ = ["DEPTH_MAX", "NODES_MAX", "parse_yaml"]

DEPTH_MAX: Final = 64
"""Levels of nesting; LiteLLM's deepest settings use eight."""

NODES_MAX: Final = 250_000
"""Values after unfolding all aliases: ten thousand deployments; a "billion laughs" file stops here."""

_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "map", "null", "seq", "str"))
_STRING_TAG: Final = "tag:yaml.org,2002:str"


def parse_yaml(text: str, file: str, *, loader: type[yaml.SafeLoader | yaml.CSafeLoader] | None = None) -> Node | None:
    """The document in ``text``, or None if there is nothing in it but comments.

    Args:
        text: What :func:`~pointsman.config.source_file.read_source` gave.
        file: Its name, for places.
        loader: PyYAML's loader class whose parser is used; default: libyaml's where it is there.

    Raises:
        ConfigRefused: not YAML, more than one document, a duplicate key, an unknown alias or tag, or over a bound.
    """
    composer = _Composer(file)
    try:
        for event in yaml.parse(text, Loader=loader or _fastest_loader()):
            composer.take(event)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise ConfigRefused.at(_place(mark, file), f"this is not YAML: {problem.problem or problem.context}") from None
    except yaml.YAMLError:
        raise ConfigRefused.at(Place(file), "this is not YAML") from None
    return composer.root


def _fastest_loader() -> type[yaml.SafeLoader | yaml.CSafeLoader]:
    """The loader of libyaml, unless PyYAML was built without it."""
    return yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _Mark(Protocol):
    """A position as PyYAML counts, from zero."""

    line: int
    column: int


class _ListFrame:
    """A list whose end has not come."""

    def __init__(self, event: yaml.CollectionStartEvent, place: Place, nodes_before: int) -> None:
        self.place = place
        self.anchor: str | None = event.anchor
        self.nodes_before = nodes_before
        self.height = 1
        self._items: list[Node] = []

    def add(self, node: Node, *, plain: bool) -> None:
        self._items.append(node)

    def close(self) -> Node:
        return ListNode(tuple(self._items), self.place)


class _MapFrame:
    """A map whose end has not come; keys and values arrive in turn."""

    def __init__(self, event: yaml.CollectionStartEvent, place: Place, nodes_before: int) -> None:
        self.place = place
        self.anchor: str | None = event.anchor
        self.nodes_before = nodes_before
        self.height = 1
        self._entries: dict[str, Entry] = {}
        self._merged: dict[str, Entry] = {}
        self._merges = 0
        self._key: Scalar | None = None
        self._merging = False

    def add(self, node: Node, *, plain: bool) -> None:
        if self._key is None:
            self._key = self._as_key(node)
            self._merging = plain and self._key.text == "<<"
        elif self._merging:
            self._merge(node, self._key.place)
            self._key = None
        else:
            self._entries[self._key.text] = Entry(self._key.place, node)
            self._key = None

    def close(self) -> Node:
        return MapNode({**self._merged, **self._entries}, self.place)

    def _as_key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise ConfigRefused.at(node.place, "a key must be text, not a list or a map")
        if not node.text:
            raise ConfigRefused.at(node.place, "a key is missing before the colon")
        earlier = self._entries.get(node.text)
        if earlier is not None:
            raise ConfigRefused.at(
                node.place,
                f'the key "{node.text}" stands twice in one map, first in line {earlier.place.line}',
                "Keep one of them.",
            )
        return node

    def _merge(self, node: Node, place: Place) -> None:
        if self._merges:
            raise ConfigRefused.at(place, 'the key "<<" stands twice in one map', "Give it a list: <<: [*a, *b].")
        self._merges = 1
        for source in node.items if isinstance(node, ListNode) else (node,):
            if not isinstance(source, MapNode):
                raise ConfigRefused.at(place, "<< merges a map or a list of maps, and this is something else")
            self._merged = {**source.entries, **self._merged}


class _Composer:
    """Builds nodes out of the parser's events."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self._file = file
        self._frames: list[_ListFrame | _MapFrame] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}  # node, nodes in it, its height
        self._documents = 0
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        """Use one event of the parser."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise ConfigRefused.at(self._at(event), "a second YAML document begins here", "Remove the --- line.")

    def _at(self, event: yaml.Event) -> Place:
        return _place(event.start_mark, self._file)

    def _count(self, nodes: int, height: int, place: Place) -> None:
        self._nodes += nodes
        if self._nodes > NODES_MAX:
            raise ConfigRefused.at(place, f"this unfolds to more than {NODES_MAX:,} values")
        if len(self._frames) + height > DEPTH_MAX:
            raise ConfigRefused.at(place, f"this is nested deeper than {DEPTH_MAX} levels")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = self._at(event)
        self._count(1, 0, place)
        _demand_known_tag(event.tag, place)
        node = _scalar(event, place)
        if event.anchor:
            self._anchors[event.anchor] = (node, 1, 0)
        self._add(node, 0, plain=event.implicit[0])

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        place = self._at(event)
        self._count(1, 1, place)
        _demand_known_tag(event.tag, place)
        frame = _MapFrame if isinstance(event, yaml.MappingStartEvent) else _ListFrame
        self._frames.append(frame(event, place, self._nodes - 1))

    def _close(self) -> None:
        frame = self._frames.pop()
        node = frame.close()
        if frame.anchor:
            self._anchors[frame.anchor] = (node, self._nodes - frame.nodes_before, frame.height)
        self._add(node, frame.height, plain=False)

    def _alias(self, event: yaml.AliasEvent) -> None:
        place = self._at(event)
        known = self._anchors.get(event.anchor or "")
        if known is None:
            raise ConfigRefused.at(
                place, f"*{event.anchor} refers to nothing above it", f"Mark a value with &{event.anchor}."
            )
        node, nodes, height = known
        self._count(nodes, height, place)
        self._add(node, height, plain=False)

    def _add(self, node: Node, height: int, *, plain: bool) -> None:
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        frame.height = max(frame.height, height + 1)
        frame.add(node, plain=plain)


def _scalar(event: yaml.ScalarEvent, place: Place) -> Scalar:
    text: str = event.value
    if "\0" in text or (not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text)):
        raise ConfigRefused.at(place, "this text holds a character that no setting can have")
    if not event.implicit[0] and event.tag in {None, "!", _STRING_TAG}:
        return Scalar(text, text, place)
    try:
        return Scalar(meaning(text), text, place)
    except (ValueError, OverflowError):
        raise ConfigRefused.at(
            place, "this looks like a number and is none", "Put it in quotes if it is text."
        ) from None


def _demand_known_tag(tag: str | None, place: Place) -> None:
    if tag not in _TAGS and tag not in {None, "!"}:
        raise ConfigRefused.at(place, f"the tag {tag} is not supported", "Write the value without a tag.")


def _place(mark: _Mark | None, file: str) -> Place:
    return Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)
