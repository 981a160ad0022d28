"""A configuration as a tree in which every node knows where it was written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from pointsman.config.findings import Place

__all__ = ["Entry", "ListNode", "MapNode", "Node", "Scalar", "kind_of", "plain", "text_of"]


class Scalar(msgspec.Struct, frozen=True):
    """A single value. ``text`` is how it was written, without quotes."""

    value: str | int | float | bool | None
    text: str
    place: Place


class ListNode(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple[Node, ...]
    place: Place


class Entry(msgspec.Struct, frozen=True):
    """One key of a map: where the key is written, and the value."""

    place: Place
    node: Node


class MapNode(msgspec.Struct, frozen=True):
    """A map; each key once, in the order of the file."""

    entries: Mapping[str, Entry]
    place: Place

    def get(self, key: str) -> Node | None:
        """The value of ``key``, or None if the key is absent or its value null."""
        entry = self.entries.get(key)
        if entry is None or (isinstance(entry.node, Scalar) and entry.node.value is None):
            return None
        return entry.node

    def with_defaults(self, other: MapNode) -> MapNode:
        """This map, and of ``other`` the keys that it does not have."""
        return MapNode({**other.entries, **self.entries}, self.place)

    def present(self) -> Iterator[tuple[str, Entry]]:
        """The entries whose value is not null: LiteLLM takes a null for absent."""
        return ((key, entry) for key, entry in self.entries.items() if self.get(key) is not None)


Node = Scalar | ListNode | MapNode


def plain(node: Node) -> object:
    """The node as Python's own str, int, float, bool, None, list and dict."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def text_of(node: Node) -> str | None:
    """The text of a node that is a string, else None."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def kind_of(node: Node) -> str:
    """What a node is, for a message to the operator; never its value."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a map"
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float) and not math.isfinite(value):
        return "infinity or not-a-number"
    return "a number" if isinstance(value, int | float) else "text"
