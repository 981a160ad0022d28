"""Follows ``include``: several files become one tree in which every node still knows its own file.

As in LiteLLM, lists are joined, and for anything else an included file wins. Unlike there, a section that stands in
two files is joined key by key, and a key that loses is told: replacing a whole section in silence serves nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pointsman.config.findings import ConfigRefused, Finding, Findings, Place, Severity, SourceFile
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, kind_of, plain, text_of
from pointsman.config.source_file import read_source
from pointsman.config.yaml_source import parse_yaml

__all__ = ["FILES_MAX", "read_tree"]

FILES_MAX: Final = 100
"""Files of one configuration."""

_EMPTY: Final = "the file is empty"


def read_tree(path: Path, findings: Findings) -> tuple[MapNode, tuple[SourceFile, ...]]:
    """The configuration at ``path`` with everything it includes, and the files it was read from.

    Raises:
        ConfigRefused: a file cannot be read or is not a map, or includes go in a circle. Its ``sources`` are the files
            that were looked at, the broken one included.
    """
    reader = _TreeReader(path, findings)
    try:
        root = reader.read(path, ())
    except ConfigRefused as refusal:
        raise ConfigRefused(refusal.errors, findings.warnings, reader.all_sources(refusal)) from None
    return root, tuple(reader.sources.values())


class _TreeReader:
    """Reads files, each once, and remembers them by their real paths."""

    def __init__(self, main: Path, findings: Findings) -> None:
        self.sources: dict[Path, SourceFile] = {}
        self._folder = main.parent
        self._findings = findings

    def all_sources(self, refusal: ConfigRefused) -> tuple[SourceFile, ...]:
        """What was read, and the file that ``refusal`` is about."""
        known = {source.path for source in self.sources.values()}
        broken = {Path(error.place.file) for error in refusal.errors} - known
        return (*self.sources.values(), *(SourceFile(path, None) for path in sorted(broken)))

    def read(self, path: Path, parents: tuple[Path, ...]) -> MapNode:
        text, source = read_source(path)
        real = path.resolve()
        self.sources[real] = source
        root = parse_yaml(text, str(path))
        if root is None:
            raise ConfigRefused.at(Place(str(path)), _EMPTY, "Write at least a model_list.")
        if not isinstance(root, MapNode):
            message = f"the file must be a map of sections such as model_list, and is {kind_of(root)}"
            raise ConfigRefused.at(root.place, message)
        includes = root.get("include")
        entries = {key: entry for key, entry in root.entries.items() if key != "include"}
        for name, place in _names(includes):
            included = self._included(name, place, path, (*parents, real))
            entries = self._joined(entries, included)
        return MapNode(entries, root.place)

    def _included(self, name: str, place: Place, by: Path, parents: tuple[Path, ...]) -> Mapping[str, Entry]:
        path = self._find(name, place, by)
        real = path.resolve()
        if real in parents:
            circle = " → ".join(step.name for step in (*parents[parents.index(real) :], real))
            raise ConfigRefused.at(place, f"the files include one another in a circle: {circle}", path="include")
        if real in self.sources:
            self._findings.warn(place, "include", f"{name} is included already and is read only once.")
            return {}
        if len(self.sources) >= FILES_MAX:
            raise ConfigRefused.at(place, f"a configuration has at most {FILES_MAX} files", path="include")
        return self.read(path, parents).entries

    def _find(self, name: str, place: Place, by: Path) -> Path:
        # LiteLLM takes names relative to the main file; relative to the including file is what others expect.
        candidates = dict.fromkeys((self._folder / name, by.parent / name))
        for candidate in candidates:
            if _exists(candidate):
                return candidate
        missing = next(iter(candidates))
        error = Finding(
            Severity.ERROR,
            place,
            "include",
            f"there is no file {name}.",
            f"It was looked for in {missing.parent.absolute()}.",
        )
        self.sources[missing] = SourceFile(missing, None)
        raise ConfigRefused([error])

    def _joined(self, entries: Mapping[str, Entry], included: Mapping[str, Entry]) -> dict[str, Entry]:
        joined = dict(entries)
        for key, entry in included.items():
            earlier = joined.get(key)
            joined[key] = entry if earlier is None else Entry(earlier.place, self._join(key, earlier.node, entry.node))
        return joined

    def _join(self, key: str, main: Node, included: Node) -> Node:
        if isinstance(main, ListNode) and isinstance(included, ListNode):
            return ListNode((*main.items, *included.items), main.place)
        if isinstance(main, MapNode) and isinstance(included, MapNode):
            for name in main.entries.keys() & included.entries.keys():
                self._tell_loser(f"{key}.{name}", main.entries[name].node, included.entries[name].node)
            return included.with_defaults(main)
        self._tell_loser(key, main, included)
        return included

    def _tell_loser(self, path: str, main: Node, included: Node) -> None:
        if plain(main) != plain(included):
            self._findings.warn(main.place, path, f"is overruled by {included.place}, as included files win.")


def _names(includes: Node | None) -> list[tuple[str, Place]]:
    if includes is None:
        return []
    items = includes.items if isinstance(includes, ListNode) else (includes,)
    names = [(text_of(item), item.place) for item in items]
    for name, place in names:
        if not name:
            raise ConfigRefused.at(place, "expected a list of file names", path="include")
    return [(name, place) for name, place in names if name]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, a loop of links
        return False
